"""PyTorch: forward and backward of every parameter over the training rows, gradients fresh each time.

python forward_backward.py autocast|pure|f32 [repetitions]
`autocast` keeps f32 weights and multiplies in bf16; `pure` holds the weights themselves in bf16.
"""

import sys

from common import keep_freed_memory, load_model, time_and_print, training_rows

keep_freed_memory()

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

precision = sys.argv[1]
repetitions = int(sys.argv[2]) if len(sys.argv) > 2 else 7
model = load_model(torch.bfloat16 if precision == "pure" else torch.float32)
model.train()
inputs, targets = training_rows()


def step() -> None:
    model.zero_grad(set_to_none=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "autocast"):
        logits = model(inputs, use_cache=False).logits
    F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten()).backward()


time_and_print(step, inputs.numel(), 2, repetitions, precision=precision)
