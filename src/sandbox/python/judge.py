"""Runs the hidden tests against a solution that lives in another process, and says passed or why not.

The verdict is decided here and leaves on a pipe that the solution's process does not have. The values that the tests
expect never leave this process. Only what the solution returns arrives, as data.
"""
import builtins

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


def is_clean_exit(code):
    return code is None or code == 0


def verdict(reason, message=""):
    return {"passed": reason == "passed", "reason": reason, "message": message[:500]}


def describe(error):
    text = str(error)
    return type(error).__name__ + (": " + text if text else "")


def of_exception(error, remote):
    """The verdict when an exception ended the tests."""
    if isinstance(error, rpc.Forged):
        return verdict("tampered", "the solution answered with %s" % error)
    if isinstance(error, rpc.Disconnected):
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


def run_tests(peer, hidden):
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
    exec(compile(hidden["tests"], "tests.py", "exec"), names)
    if dict.__contains__(names, "check"):
        names["check"](candidate)
    changed = peer.ask("integrity", None)
    if peer.forged:
        raise rpc.Forged(peer.forged)
    if type(changed) is not list or changed:
        return verdict("tampered", "the solution replaced builtins: %s" % changed)
    return verdict("passed")


def judge(transport, hidden):
    peer = rpc.Peer(transport)
    try:
        return run_tests(peer, hidden)
    except BaseException as error:
        if peer.forged and not isinstance(error, rpc.Forged):
            error = rpc.Forged(peer.forged)
        return of_exception(error, peer.remote_error is error)
