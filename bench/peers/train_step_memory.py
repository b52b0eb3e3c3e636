"""PyTorch: peak resident memory of a fresh process that takes AdamW training steps on the training rows.

python train_step_memory.py autocast|pure|f32
`baselineBytes` is what the process held before the model was loaded: PyTorch's own libraries. glibc's allocator runs with
its defaults here, which give the lower peak.
"""

import json
import sys

from common import load_model, memory, training_rows

import torch
import torch.nn.functional as F
import transformers.models.llama.modeling_llama  # noqa: F401  the model's code belongs to the baseline

precision = sys.argv[1]
baseline = memory("VmRSS")
model = load_model(torch.bfloat16 if precision == "pure" else torch.float32)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
model.train()
inputs, targets = training_rows()
# Two steps: from the second on, gradients, moments and activations exist together.
for _ in range(2):
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "autocast"):
        logits = model(inputs, use_cache=False).logits
    loss = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
    del logits
    loss.backward()
    optimizer.step()
print(json.dumps({"peakBytes": memory("VmHWM"), "baselineBytes": baseline, "precision": precision}))
