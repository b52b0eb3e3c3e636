"""TRL: GRPO steps with a KL to the reference and a cheap reward, every answer to its full length.

python grpo_step.py autocast|pure [repetitions] [prompts] [samples] [new tokens]
`autocast`: weights in f32, matrix products in bf16; `pure`: weights in bf16. Prints seconds of each step after one untimed, and the peak of
memory. `baselineBytes` is what the process held before the model was loaded: the libraries' own.
"""

import json
import os
import sys
import tempfile
import time

os.environ["HF_HUB_OFFLINE"] = "1"
from common import MODEL, WORKLOAD, keep_freed_memory, load_model, memory

keep_freed_memory()

import torch  # noqa: E402
from datasets import Dataset  # noqa: E402
from transformers import AutoTokenizer, TrainerCallback  # noqa: E402
from trl import GRPOConfig, GRPOTrainer  # noqa: E402

precision = sys.argv[1]
sizes = WORKLOAD["grpo"]
repetitions = int(sys.argv[2]) if len(sys.argv) > 2 else 3
prompt_count = int(sys.argv[3]) if len(sys.argv) > 3 else len(sizes["prompts"])
samples = int(sys.argv[4]) if len(sys.argv) > 4 else sizes["samples"]
new_tokens = int(sys.argv[5]) if len(sys.argv) > 5 else sizes["newTokens"]

baseline = memory("VmRSS")
tokenizer = AutoTokenizer.from_pretrained(MODEL)
model = load_model(torch.bfloat16 if precision == "pure" else torch.float32)
prompts = [{"prompt": [{"role": "user", "content": text}]} for text in sizes["prompts"][:prompt_count]]
lengths: list[int] = []


def share_of_e(completions, completion_ids, **_):
    """Share of the letter e."""
    lengths.extend(len(ids) for ids in completion_ids)
    texts = [completion[0]["content"] for completion in completions]
    return [(text.count("e") + 1) / max(1, len(text)) for text in texts]


class Clock(TrainerCallback):
    """Seconds of each step, generation and reward included."""

    def __init__(self):
        self.seconds: list[float] = []

    def on_step_begin(self, *_, **__):
        self.begun = time.perf_counter()

    def on_step_end(self, *_, **__):
        self.seconds.append(time.perf_counter() - self.begun)


clock = Clock()
with tempfile.TemporaryDirectory() as folder:
    config = GRPOConfig(
        output_dir=folder,
        use_cpu=True,
        bf16=precision == "autocast",
        per_device_train_batch_size=prompt_count * samples,
        num_generations=samples,
        max_completion_length=new_tokens,
        # No answer stops early, so that every side draws the same number of tokens.
        generation_kwargs={"min_new_tokens": new_tokens},
        temperature=1.0,
        top_p=1.0,
        top_k=0,
        beta=sizes["klCoefficient"],
        learning_rate=sizes["learningRate"],
        lr_scheduler_type="constant",
        max_steps=1 + repetitions,
        # What TRL turns on to save memory costs a third of the time; both sides keep their activations here.
        gradient_checkpointing=False,
        shuffle_dataset=False,
        logging_strategy="no",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        seed=0,
    )
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=share_of_e,
        args=config,
        train_dataset=Dataset.from_list(prompts * 64),
        processing_class=tokenizer,
        callbacks=[clock],
    )
    trainer.train()

expected = prompt_count * samples * (1 + repetitions)
assert len(lengths) == expected and set(lengths) == {new_tokens}, f"drew {len(lengths)} answers of {set(lengths)} tokens"
print(
    json.dumps(
        {
            "tokens": prompt_count * samples * new_tokens,
            "seconds": clock.seconds[1:],
            "peakBytes": memory("VmHWM"),
            "baselineBytes": baseline,
            "precision": precision,
        }
    )
)
