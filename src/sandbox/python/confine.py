"""Turns a forked process into the one that runs untrusted code: drops every right, sets its limits."""
import gc
import math
import os
import resource

import program
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


def start(payload, limits, identity, descriptors, own_processes):
    """Never returns."""
    status = 1
    try:
        redirect(descriptors)
        become(identity)
        program.prepare_interpreter(payload)
        program.open_standard_streams()
        limit(limits, own_processes)
        gc.enable()
        if RPC_READ_FD in descriptors:
            program.serve_solution(payload, rpc.PipeTransport(RPC_READ_FD, RPC_WRITE_FD))
        else:
            status = program.run_program(payload, lambda: os.write(STATUS_FD, OUT_OF_MEMORY))
    finally:
        os._exit(status)
