"""PyTorch: log-probabilities of the targets of the training rows, without gradients.

python forward.py autocast|pure|f32 [repetitions]
"""

import sys

from common import keep_freed_memory, load_model, time_and_print, training_rows

keep_freed_memory()

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

precision = sys.argv[1]
repetitions = int(sys.argv[2]) if len(sys.argv) > 2 else 9
model = load_model(torch.bfloat16 if precision == "pure" else torch.float32)
model.eval()
inputs, targets = training_rows()


@torch.inference_mode()
def forward() -> None:
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "autocast"):
        logits = model(inputs, use_cache=False).logits
    F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="none")


time_and_print(forward, inputs.numel(), 2, repetitions, precision=precision)
