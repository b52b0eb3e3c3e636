"""The process that runs untrusted code: drops every right, sets its limits, then executes."""
import atexit
import base64
import builtins
import gc
import linecache
import math
import os
import random
import resource
import sys
import threading
import traceback
import types

import rpc

STATUS_FD, RPC_READ_FD, RPC_WRITE_FD = 3, 4, 5
OUT_OF_MEMORY = b"m"


def become(identity):
    """Take another user's identity for good; None keeps the present one."""
    if identity is None:
        return
    os.setgroups([])
    os.setresgid(identity, identity, identity)
    os.setresuid(identity, identity, identity)


def limit(limits, own_processes):
    """Caps that the process cannot raise again. `own_processes` already count against this user."""
    page = os.sysconf("SC_PAGE_SIZE")
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * page
    caps = {
        resource.RLIMIT_AS: used + limits["memoryBytes"],
        resource.RLIMIT_CPU: math.ceil(limits["milliseconds"] / 1000 * limits["processes"]) + 1,
        resource.RLIMIT_FSIZE: limits["fileBytes"],
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_NPROC: own_processes + limits["processes"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for name, value in caps.items():
        resource.setrlimit(name, (value, value))


def redirect(descriptors):
    """Put each descriptor at its number and close all others."""
    high = {number: os.dup2(descriptor, 100 + number) for number, descriptor in descriptors.items()}
    for number in descriptors:
        os.dup2(high[number], number)
    for number in set(range(100 + max(descriptors) + 1)) - set(descriptors):
        try:
            os.close(number)
        except OSError:
            pass


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


def prepare_interpreter(arguments):
    sys.argv = ["main.py", *arguments]
    sys.path.insert(0, "/workspace")
    for name in ("judge", "program", "rpc", "runner"):
        sys.modules.pop(name, None)
    for name in ("exit", "quit"):
        setattr(builtins, name, sys.exit)
    random.seed(0)


def new_main_module():
    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = module
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


def finish(status):
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def run_program(payload):
    namespace = new_main_module()
    status = 0
    try:
        execute(payload["source"], namespace)
    except BaseException as error:
        status = 1
        status = report(error, lambda: os.write(STATUS_FD, OUT_OF_MEMORY))
    finally:
        finish(status)


def changed_builtins(before):
    return [name for name, value in before.items() if vars(builtins).get(name) is not value]


def serve_solution(payload, transport):
    """Load the solution, then answer the judge. Nothing of the tests is in this process but the arguments of calls."""
    before = dict(vars(builtins))
    peer = rpc.Peer(transport)
    peer.namespace = namespace = new_main_module()
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
        except rpc.Disconnected:
            return
        sys.stdout.flush()


def start(payload, limits, identity, descriptors, own_processes):
    """Never returns."""
    try:
        redirect(descriptors)
        become(identity)
        os.chdir("/workspace")
        write_files(payload.get("files", {}))
        open_standard_streams()
        limit(limits, own_processes)
        prepare_interpreter(payload.get("args", []))
        gc.enable()
        if RPC_READ_FD in descriptors:
            serve_solution(payload, rpc.PipeTransport(RPC_READ_FD, RPC_WRITE_FD))
        else:
            run_program(payload)
    finally:
        os._exit(1)
