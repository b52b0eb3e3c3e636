"""What the PyTorch peers share: the workload, the model, and a timer that prints one JSON line."""

import json
import os
import statistics
import sys
import time
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
WORKLOAD = json.loads((BENCH / "workload.json").read_text())
MODEL = BENCH / ".peers" / "weights" / "smollm2-135m"


def keep_freed_memory() -> None:
    """Restarts this script with glibc told never to give freed memory back: trimming costs PyTorch a fifth of its speed."""
    if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        os.environ["MALLOC_TRIM_THRESHOLD_"] = os.environ["MALLOC_MMAP_THRESHOLD_"] = str(1 << 36)
        os.execv(sys.executable, [sys.executable, *sys.argv])


def load_model(dtype):
    import torch
    from transformers import AutoModelForCausalLM, logging

    torch.manual_seed(0)
    logging.disable_progress_bar()
    return AutoModelForCausalLM.from_pretrained(MODEL, dtype=dtype)


def training_rows():
    """(rows, tokens) inputs and targets; token i of row r is (7919 r + 104729 i + 17) mod the vocabulary."""
    import torch

    rows, length = WORKLOAD["training"]["rows"], WORKLOAD["training"]["tokensPerRow"]
    row, position = torch.arange(rows)[:, None], torch.arange(length + 1)[None, :]
    tokens = (7919 * row + 104729 * position + 17) % WORKLOAD["vocabulary"]
    return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()


def time_and_print(work, tokens: int, warm_ups: int, repetitions: int, **extra) -> None:
    """Times `work` after `warm_ups` untimed calls; prints {tokens, seconds: [one per call], ...}."""
    seconds = []
    for repetition in range(warm_ups + repetitions):
        begun = time.perf_counter()
        work()
        if repetition >= warm_ups:
            seconds.append(time.perf_counter() - begun)
    rate = tokens / statistics.median(seconds)
    print(json.dumps({"tokens": tokens, "seconds": seconds, "tokensPerSecond": rate, **extra}))


def memory(field: str) -> int:
    """Bytes of a field of /proc/self/status, such as VmHWM (peak resident memory) or VmRSS (resident now)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}; peak memory is measured on Linux only")
