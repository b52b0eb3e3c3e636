"""Executes untrusted code as the main program, or as a solution that answers a judge."""
import atexit
import base64
import builtins
import linecache
import os
import random
import sys
import threading
import traceback
import types

import frames
import rpc

def open_standard_streams():
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", errors="replace", closefd=False)
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", errors="replace", closefd=False, buffering=1)
    sys.stderr = sys.__stderr__ = open(2, "w", encoding="utf-8", errors="replace", closefd=False, buffering=1)


def write_files(files):
    for path, content in files.items():
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(content))


def prepare_interpreter():
    os.chdir("/workspace")
    sys.path.insert(0, "/workspace")
    for name in ("confine", "frames", "judge", "outcome", "program", "remote", "rpc", "runner", "values",
                 "workspace"):
        sys.modules.pop(name, None)
    for name in ("exit", "quit"):
        setattr(builtins, name, sys.exit)
    random.seed(0)


def prepare_run(payload):
    write_files(payload.get("files", {}))
    sys.argv = ["main.py", *payload.get("args", [])]
    if payload.get("stdin"):
        frames.write_all(0, payload["stdin"].encode("utf-8", "surrogatepass"))
        os.lseek(0, 0, os.SEEK_SET)


def new_module(name):
    module = types.ModuleType(name)
    module.__dict__["__builtins__"] = builtins
    sys.modules[name] = module
    return module.__dict__


def execute(source, namespace, filename="main.py"):
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    exec(compile(source, filename, "exec"), namespace)


def report(error, report_memory):
    """Print an uncaught exception as Python does and give the exit status."""
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return (error.code or 0) & 0xFF
        print(error.code, file=sys.stderr)
        return 1
    if isinstance(error, MemoryError):
        report_memory()
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_globals is globals():
        tb = tb.tb_next
    traceback.print_exception(type(error), error, tb)
    return 1


def run_program(payload, report_memory):
    """Run the source to its end, exit handlers included, and give the exit status."""
    status = 1
    try:
        execute(payload["source"], new_module("__main__"))
        status = 0
    except BaseException as error:
        status = report(error, report_memory)
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        pass
    return status


def changed_builtins(before):
    return [name for name, value in before.items() if vars(builtins).get(name) is not value]


def serve_solution(payload, transport):
    """Load the solution, then answer the judge. Nothing of the tests is in this process but the arguments of calls."""
    before = dict(vars(builtins))
    output = sys.stdout
    peer = rpc.Peer(transport)
    # Tests import a solution: what it does `if __name__ == "__main__"` is no part of it.
    peer.namespace = namespace = new_module("solution")
    rpc.OPERATIONS["integrity"] = lambda *_: changed_builtins(before)
    try:
        execute(payload["source"], namespace)
        loaded = {"loaded": True}
    except BaseException as error:
        loaded = peer.describe_exception(error)
        loaded["text"] = str(error)[:500]
    transport.send(loaded)
    while True:
        try:
            peer.serve(transport.receive())
        except frames.Disconnected:
            return
        if not output.closed:
            output.flush()
