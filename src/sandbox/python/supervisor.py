"""A warm interpreter inside bubblewrap: forks a clean process tree for each run.

As process 1 of its PID namespace it forks one runner after another and waits for each. It never holds a run's sources,
tests or output, so nothing can leak from its memory into the next run. After each run it kills whatever is left and
empties the workspace; when it cannot, it exits, and the whole sandbox is replaced.

Header: {"hidden": bytes, "payload": bytes, "limits": {...}}, followed by that many bytes of each. "hidden" goes to
the judge alone, which reads it itself; the runner reads the rest. Frames are 4 bytes of big-endian length and JSON, on
standard input and output.
"""
import ctypes
import gc
import json
import os
import shutil
import stat
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import confine  # noqa: E402
import frames  # noqa: E402
import judge  # noqa: E402  (loaded before the fork, with its own imports)
import runner  # noqa: E402

sys.path.pop(0)

# What solutions import most, loaded once here instead of once a run.
for _name in ("array", "bisect", "cmath", "collections", "copy", "dataclasses", "datetime", "decimal", "enum",
              "fractions", "functools", "hashlib", "heapq", "io", "itertools", "json", "math", "operator", "random",
              "re", "statistics", "string", "textwrap", "time", "typing"):
    __import__(_name)

WRITABLE = ("/workspace", "/tmp")
PR_SET_DUMPABLE = 4


def write_frame(message):
    frames.send_frame(1, message)


def unlock(folder):
    os.chmod(folder, 0o700)
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            unlock(entry.path)


def empty(folder):
    if os.stat(folder).st_uid == os.getuid():
        os.chmod(folder, 0o1777)
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if stat.S_ISDIR(os.lstat(path).st_mode):
            unlock(path)
            shutil.rmtree(path)
        else:
            os.unlink(path)


def is_clean(folder):
    return stat.S_IMODE(os.stat(folder).st_mode) == 0o1777 and not os.listdir(folder)


def clean(identity):
    """Empty the writable folders as the user that filled them."""
    if all(is_clean(folder) for folder in WRITABLE):
        return True
    pid = os.fork()
    if pid == 0:
        try:
            confine.become(identity)
            for folder in WRITABLE:
                empty(folder)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def main():
    identities = json.loads(sys.argv[1])
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    os.umask(0o022)
    gc.collect()
    gc.freeze()
    expects_tests = False
    while True:
        write_frame({"ready": True})
        pid = os.fork()
        if pid == 0:
            serve(identities, expects_tests)
        status = os.waitpid(pid, 0)[1]
        runner.kill_all()
        served = os.WIFEXITED(status) and os.WEXITSTATUS(status) in (runner.PLAIN, runner.TESTED)
        if not served or not clean(identities.get("solution")):
            sys.exit(1)
        expects_tests = os.WEXITSTATUS(status) == runner.TESTED


def serve(identities, expects_tests):
    try:
        runner.run(identities, expects_tests, write_frame)
    except frames.Disconnected:
        os._exit(1)


main()
