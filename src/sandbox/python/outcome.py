"""Why a run stopped, and what the judge reported, in the words of the contract."""
import json
import os
import signal

TEST_PASSED, TEST_FAILED = b"+", b"-"


def report_test(passed):
    os.write(3, TEST_PASSED if passed else TEST_FAILED)


def read_report(data):
    """(tests passed, verdict or None) of what the judge wrote: a mark for each test, then the verdict as JSON."""
    answer = data.lstrip(TEST_PASSED + TEST_FAILED)
    return data[:len(data) - len(answer)].count(TEST_PASSED), parse(answer)


def parse(data):
    try:
        return json.loads(data)
    except ValueError:
        return None


def last_line(text):
    lines = text.strip().splitlines()
    return lines[-1][:500] if lines else ""


def explain(stopped, exit_status, signal_number, out_of_memory, stderr, limits):
    """(stopped, reason) in the words of the contract."""
    if stopped == "timeout" or signal_number == signal.SIGXCPU:
        return "timeout", "still running after %d ms" % limits["milliseconds"]
    if stopped == "output":
        return "output", "more than %d bytes of output" % limits["outputBytes"]
    if out_of_memory:
        return "memory", "out of memory: the cap is %d bytes" % limits["memoryBytes"]
    if signal_number is not None:
        return "killed", "killed by %s" % signal.Signals(signal_number).name
    if exit_status:
        return "exception", last_line(stderr) or "exit status %d" % exit_status
    return "ok", ""


def judged(answer, stopped, exit_status, signal_number, out_of_memory, stderr, limits):
    """The verdict of a test run. A solution that ended before the judge did was no honest one if it ended with 0."""
    if stopped is None and answer and answer["reason"] != "disconnected":
        return answer
    reason, message = explain(stopped, exit_status, signal_number, out_of_memory, stderr, limits)
    if reason == "ok":
        reason, message = "tampered", "the solution ended its process before the tests were done"
    return {"passed": False, "reason": reason, "message": message}
