"""The peer of the inference worker: plain transformers, ``model.generate`` on a batch of two.

Reads a line a task (``base N`` or ``mixed N``: N tokens for two rows, both the base, or one base and
one adapter as PEFT mixes them) and answers with JSON. Started by ``benchmarks.streaming``.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def say(**values: Any) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def resident_mb() -> float:
    return psutil.Process().memory_info().rss / 1e6


def make_adapter(path: str, folder: Path) -> None:
    """A LoRA adapter of rank 16 on every linear layer, with small random weights."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    base = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    config = LoraConfig(r=16, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(base, config)
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.002)
    model.save_pretrained(folder)


def main() -> None:
    path, adapter, prompt = sys.argv[1:4]
    if not (Path(adapter) / "adapter_config.json").is_file():
        make_adapter(path, Path(adapter))
        say(adapter=adapter)
        return
    flags = Path("/proc/cpuinfo").read_text(errors="replace")
    dtype = torch.bfloat16 if "avx512_bf16" in flags or "amx_bf16" in flags else torch.float32
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype).eval()
    turn = [{"role": "user", "content": prompt}]
    ids = tokenizer.apply_chat_template(turn, add_generation_prompt=True, return_dict=True)["input_ids"]
    batch = torch.tensor([ids, ids])

    def generate(count: int, **more: Any) -> dict[str, float]:
        """Tokens a second of both rows together, by the clock and of processor time."""
        began, used = time.perf_counter(), time.process_time()
        model.generate(
            batch,
            attention_mask=torch.ones_like(batch),
            max_new_tokens=count,
            min_new_tokens=count,
            do_sample=True,
            temperature=0.7,
            top_k=0,
            pad_token_id=tokenizer.eos_token_id,
            **more,
        )
        wall, processor = time.perf_counter() - began, time.process_time() - used
        return {"rate": 2 * count / wall, "processor_rate": 2 * count / processor}

    generate(8)
    say(ready=True, memory_mb=resident_mb(), dtype=str(dtype).removeprefix("torch."))
    mixed: dict[str, Any] = {}
    for line in sys.stdin:
        kind, count = line.split()
        if kind == "mixed" and not mixed:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, adapter, adapter_name="tuned").eval()
            mixed = {"adapter_names": ["__base__", "tuned"]}
            generate(8, **mixed)
        say(**generate(int(count), **mixed), memory_mb=resident_mb())


if __name__ == "__main__":
    main()
