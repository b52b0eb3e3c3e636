"""transformers: `generate` with a batch of samples of one prompt in bf16, every sample to the full length.

python generate.py [repetitions] [samples]
"""

import sys

from common import WORKLOAD, keep_freed_memory, load_model, time_and_print

keep_freed_memory()

import torch  # noqa: E402

sampling = WORKLOAD["sampling"]
repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 3
samples = int(sys.argv[2]) if len(sys.argv) > 2 else sampling["samples"]
model = load_model(torch.bfloat16)
model.eval()
# Without an end token no sample stops early; with top_k 0 and top_p 1 no time goes into truncating the distribution.
model.generation_config.eos_token_id = None
prompt = torch.tensor([sampling["prompt"]])


def generate() -> None:
    out = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        do_sample=True,
        temperature=float(sampling["temperature"]),
        top_k=0,
        top_p=1.0,
        num_return_sequences=samples,
        max_new_tokens=sampling["newTokens"],
    )
    expected = (samples, prompt.shape[1] + sampling["newTokens"])
    assert tuple(out.shape) == expected, f"generate returned {tuple(out.shape)}, not {expected}"


time_and_print(generate, samples * sampling["newTokens"], 1, repetitions, precision="pure")
