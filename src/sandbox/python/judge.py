"""Runs the hidden tests against a solution that lives in another process, and says passed or why not.

The verdict is decided here and leaves on a pipe that the solution's process does not have. The values that the tests
expect never leave this process. Only what the solution returns arrives, as data.
"""
import builtins

import frames
import rpc


class Names(dict):
    """Globals of the tests: their own, the helpers', Python's builtins, and last the solution's."""

    def __init__(self, peer):
        super().__init__(__builtins__=builtins, __name__="tests")
        self.peer = peer

    def __missing__(self, name):
        if name in vars(builtins) or (name.startswith("__") and name.endswith("__")):
            raise KeyError(name)
        value = self.peer.ask("global", None, [name])
        self[name] = value
        return value


class Tampered(BaseException):
    """The solution interfered with what it shares with no one but itself; the message says how."""


def is_clean_exit(code):
    return code is None or code == 0


def verdict(reason, message=""):
    return {"passed": reason == "passed", "reason": reason, "message": message[:500]}


def describe(error):
    text = str(error)
    return type(error).__name__ + (": " + text if text else "")


def of_exception(error, remote):
    """The verdict when an exception ended the tests."""
    if isinstance(error, frames.Forged):
        return verdict("tampered", "the solution answered with %s" % error)
    if isinstance(error, Tampered):
        return verdict("tampered", str(error))
    if isinstance(error, frames.Disconnected):
        return verdict("disconnected")
    if isinstance(error, SystemExit):
        if is_clean_exit(error.args[0] if error.args else None):
            return verdict("tampered", "the solution called exit before the tests were done")
        return verdict("exception", "the solution exited with %r" % (error.args[0],))
    if isinstance(error, MemoryError):
        return verdict("memory", "out of memory")
    if remote:
        return verdict("exception", describe(error))
    return verdict("failed", describe(error))


def run_tests(peer, hidden, report):
    """Run every test, telling `report` of each whether it passed; the verdict is that of the first that did not."""
    loaded = peer.transport.receive()
    if not (isinstance(loaded, dict) and loaded.get("loaded") is True):
        peer.raise_described(loaded if isinstance(loaded, dict) else {})
    names = Names(peer)
    if hidden.get("helpers"):
        exec(compile(hidden["helpers"], "helpers.py", "exec"), names)
    try:
        candidate = peer.ask("global", None, [hidden["entryPoint"]])
    except KeyError:
        return verdict("exception", "the solution does not define %s" % hidden["entryPoint"])
    names[hidden["entryPoint"]] = names["candidate"] = candidate
    outcome, tests = verdict("passed"), hidden["tests"]
    checked = False
    for index, test in enumerate(tests):
        failure = None
        try:
            exec(compile(test, "tests.py", "exec"), names)
            if not checked and dict.__contains__(names, "check"):
                checked = True
                names["check"](candidate)
        except MemoryError:
            raise
        except Exception as error:
            failure = of_exception(error, peer.remote_error is error)
        if outcome["passed"] and failure:
            outcome = failure
        if index == len(tests) - 1:
            verify_integrity(peer)
        report(failure is None)
    return outcome


def verify_integrity(peer):
    changed = peer.ask("integrity", None)
    if peer.forged:
        raise frames.Forged(peer.forged)
    if type(changed) is not list or changed:
        raise Tampered("the solution replaced builtins: %s" % changed)


def judge(transport, hidden, report):
    peer = rpc.Peer(transport, guarded=True)
    try:
        return run_tests(peer, hidden, report)
    except BaseException as error:
        if peer.forged and not isinstance(error, frames.Forged):
            error = frames.Forged(peer.forged)
        return of_exception(error, peer.remote_error is error)
