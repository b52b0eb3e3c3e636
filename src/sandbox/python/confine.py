"""Turns a forked process into the one that runs untrusted code: drops every right, sets its limits."""
import gc
import math
import os
import resource

import program
import frames

STATUS_FD, RPC_READ_FD, RPC_WRITE_FD, CONTROL_FD = 3, 4, 5, 6
# Above every descriptor that the supervisor and the runner ever hold.
HIGH = 100
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
    statm = os.open("/proc/self/statm", os.O_RDONLY)
    used = int(os.read(statm, 100).split()[0]) * page
    os.close(statm)
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
    high = {number: os.dup2(descriptor, HIGH + number) for number, descriptor in descriptors.items()}
    for number in descriptors:
        os.dup2(high[number], number)
    top = max(descriptors) + 1
    for number in set(range(top)) - set(descriptors):
        try:
            os.close(number)
        except OSError:
            pass
    os.closerange(top, HIGH + top)


def start(identity, descriptors):
    """Do what needs no knowledge of the run, wait for the run, and run it. Never returns."""
    status = 1
    try:
        redirect(descriptors)
        become(identity)
        program.prepare_interpreter()
        program.open_standard_streams()
        job = frames.receive_frame(CONTROL_FD)
        os.close(CONTROL_FD)
        program.prepare_run(job["payload"])
        if not job["tested"]:
            os.closerange(RPC_READ_FD, RPC_WRITE_FD + 1)
        limit(job["limits"], job["ownProcesses"])
        gc.enable()
        if job["tested"]:
            program.serve_solution(job["payload"], frames.PipeTransport(RPC_READ_FD, RPC_WRITE_FD))
        else:
            status = program.run_program(job["payload"], lambda: os.write(STATUS_FD, OUT_OF_MEMORY))
    finally:
        os._exit(status)
