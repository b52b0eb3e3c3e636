"""One run, in a process of its own: starts the program (and the judge), enforces deadline and output, reports."""
import json
import os
import select
import signal
import time

import confine
import frames
import judge
import outcome
import program
import workspace


def kill_all():
    """Kill and reap every process of the sandbox but this one and process 1."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        pass
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


# Exit statuses of a runner whose run was served.
PLAIN, TESTED = 80, 81

def fork_program(identity, rpc_ends):
    """The process of the program, waiting for its run: (pid, read ends by descriptor of the program, control)."""
    pipes = {number: os.pipe() for number in (1, 2, confine.STATUS_FD)}
    stdin = os.memfd_create("stdin")
    control_read, control_write = os.pipe()
    inner = {0: stdin, **{number: ends[1] for number, ends in pipes.items()}, **rpc_ends,
             confine.CONTROL_FD: control_read}
    pid = os.fork()
    if pid == 0:
        confine.start(identity, inner)
    for descriptor in inner.values():
        os.close(descriptor)
    return pid, {number: ends[0] for number, ends in pipes.items()}, control_write


def fork_judge(identity, to_judge, from_judge):
    """The process of the judge, waiting for its run: (read end of its report, control).

    It reads its part of standard input itself, so that no other process ever holds the tests.
    """
    report_read, report_write = os.pipe()
    control_read, control_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(control_write)
            job = frames.receive_frame(control_read)
            hidden = json.loads(frames.read_exactly(0, job["hidden"]))
            null = os.open("/dev/null", os.O_RDWR)
            confine.redirect({0: null, 1: null, 2: null, 3: report_write, 4: to_judge, 5: from_judge})
            os.write(3, b"r")
            confine.become(identity)
            program.open_standard_streams()
            confine.limit({**job["limits"], "processes": 1}, 64)
            answer = judge.judge(frames.PipeTransport(4, 5), hidden, outcome.report_test)
            frames.write_all(3, json.dumps(answer).encode())
        finally:
            os._exit(0)
    for descriptor in (report_write, control_read, to_judge, from_judge):
        os.close(descriptor)
    return report_read, control_write


def begin_judge(report, control, header):
    """Returns once the judge has taken the tests off standard input."""
    frames.send_frame(control, {"hidden": header["hidden"], "limits": header["limits"]})
    os.read(report, 1)


def watch(pid, pipes, deadline, limits, verdict_fd):
    """Collect output until the program or the judge ends, the deadline passes or a pipe overflows."""
    collected = {name: bytearray() for name in (*pipes, "verdict")}
    ended = os.pidfd_open(pid)
    by_descriptor = {descriptor: name for name, descriptor in pipes.items()}
    if verdict_fd is not None:
        by_descriptor[verdict_fd] = "verdict"
    poll = select.poll()
    for descriptor in (*by_descriptor, *([ended] if verdict_fd is None else [])):
        poll.register(descriptor, select.POLLIN)
    stopped = None
    finished = False
    while by_descriptor and not (finished and verdict_fd is not None):
        left = deadline - time.monotonic()
        if left <= 0 and stopped is None and not finished:
            stopped = "timeout"
            kill_all_but_report(pid)
        for descriptor, _ in poll.poll(max(0, left) * 1000 if stopped is None and not finished else None):
            if descriptor == ended:
                poll.unregister(ended)
                finished = True
                kill_all_but_report(pid)
                continue
            name = by_descriptor[descriptor]
            chunk = os.read(descriptor, 1 << 16)
            if not chunk:
                poll.unregister(descriptor)
                del by_descriptor[descriptor]
                finished = finished or name == "verdict"
                continue
            cap = limits["outputBytes"] if name in (1, 2) else frames.MAX_FRAME_BYTES
            room = cap - len(collected[name])
            collected[name] += chunk[:room]
            if len(chunk) > room and verdict_fd is None and stopped is None:
                stopped = "output"
                kill_all_but_report(pid)
        if stopped and verdict_fd is not None:
            break
    return stopped, collected


def kill_all_but_report(pid):
    """Kill everything without reaping, so that the program's own exit status can still be read."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        pass


def wait_status(pid, seconds):
    """(exit status, signal) of the program, or (None, None) when it still runs."""
    end = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return (os.WEXITSTATUS(status), None) if os.WIFEXITED(status) else (None, os.WTERMSIG(status))
        if time.monotonic() > end:
            return None, None
        time.sleep(0.001)


def run(identities, expects_tests, write_frame):
    """Serve one run. Never returns; exits with PLAIN or TESTED only when the result was written.

    The processes are forked before the run comes, so that it does not wait for them. A judge is forked ahead only where
    the run before had one too.
    """
    to_judge, from_solution = os.pipe()
    to_solution, from_judge = os.pipe()
    pid, pipes, control = fork_program(
        identities.get("solution"), {confine.RPC_READ_FD: to_solution, confine.RPC_WRITE_FD: from_solution})
    judging = fork_judge(identities.get("judge"), to_judge, from_judge) if expects_tests else None
    header = frames.receive_frame(0)
    limits, tested = header["limits"], header["hidden"] > 0
    verdict_fd = None
    if tested:
        judging = judging or fork_judge(identities.get("judge"), to_judge, from_judge)
        begin_judge(*judging, header)
        verdict_fd = judging[0]
    payload = json.loads(frames.read_exactly(0, header["payload"]))
    # With an identity of its own the program counts alone against its process cap; else beside these here.
    own_processes = 0 if "solution" in identities else (2 if judging is None else 3)
    started = time.monotonic()
    frames.send_frame(control, {"payload": payload, "limits": limits, "tested": tested, "ownProcesses": own_processes})
    stopped, collected = watch(pid, pipes, started + limits["milliseconds"] / 1000, limits, verdict_fd)
    milliseconds = (time.monotonic() - started) * 1000
    tests_passed, answer = outcome.read_report(collected["verdict"])
    grace = 1 if stopped is None and answer and answer["reason"] == "disconnected" else 0
    status, signal_number = wait_status(pid, grace if verdict_fd is not None else 10)
    stdout, stderr = (collected[number].decode("utf-8", "replace") for number in (1, 2))
    facts = (stopped, status, signal_number, bool(collected[confine.STATUS_FD]), stderr, limits)
    result = {"stdout": stdout, "stderr": stderr, "milliseconds": milliseconds}
    if verdict_fd is not None:
        result["verdict"] = outcome.judged(answer, *facts)
        result["verdict"]["testsPassed"] = 0 if result["verdict"]["reason"] == "tampered" else tests_passed
    else:
        result["exit"] = status if stopped is None else None
        result["stopped"], result["reason"] = outcome.explain(*facts)
        if payload.get("collectFiles"):
            kill_all()
            result["files"], result["leftOut"] = workspace.collect_files(identities.get("solution"), limits["fileBytes"])
    write_frame({"result": result})
    os._exit(TESTED if tested else PLAIN)


def parse(data):
    try:
        return json.loads(data)
    except ValueError:
        return None
