"""Completions a second on the real small model: batch-1 generate, transformers' best batch, and rlft's slots.

SmolLM2-135M, sentences about 20 occupations, the same prompts, sampling (temperature 0.8, no nucleus) and
limit of new tokens for all, in one process and one precision, one after another, twice (RLFT_BENCH_ROUNDS);
the better of each. A token counts when it was drawn for an answer, its end of sequence too, never when a row
that had ended was computed on. Loading is not counted. Tokens a CPU second say the same on a machine that
others use too. llama.cpp stands beside them where llama-cpp-python is installed, with the files named in
RLFT_BENCH_GGUF (f16 is the same number of bits as bf16).

python -m benchmarks.generation [COMPLETIONS_OF_EACH_PROMPT] [NEW_TOKENS] [PRECISION …]
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from transformers.utils import logging

from benchmarks._small_model_runs import small_model
from rlft_tui.jobs.batch_decoding import write_rows
from rlft_tui.jobs.decoding import Row, derived_seed, end_ids, prompt_ids
from rlft_tui.jobs.model_loading import load_base
from rlft_tui.jobs.packed_linear import pack_linears
from rlft_tui.jobs.slot_attention import use_slot_attention
from rlft_tui.jobs.tokenizer_loading import load_tokenizer
from rlft_tui.paths import shipped
from rlft_tui.runs.run_spec import Sampling

if TYPE_CHECKING:
    from benchmarks._llama_slots import LlamaSlots

TYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
BATCHES = (8, 16, 32, 64, 128)
SLOTS = (16, 32, 64, 128)
SECONDS_FOR_ONE = 20.0
"""The batch-1 loop stops after this: its rate does not change."""
ROUNDS = int(os.environ.get("RLFT_BENCH_ROUNDS", "2"))
HEAD = (
    "| how | tokens/s | completions/s | tokens/CPU s | × batch 1 | × best batch |\n|---|---|---|---|---|---|"
)
Write = Callable[[], tuple[int, int]]
"""Writes; tokens and texts."""
Found = tuple[float, float, float]
"""Tokens a second, texts a second and tokens a CPU second."""


class Prompts:
    """The rows of the occupations, each prompt's behind one another."""

    def __init__(self, tokenizer: Any, times: int, new_tokens: int) -> None:
        import json

        file = shipped("examples") / "occupations" / "occupations.jsonl"
        asked = [json.loads(line)["prompt"] for line in file.read_text().splitlines()]
        ids = [prompt_ids(tokenizer, [{"role": "user", "content": text}]) for text in asked]
        self.ids = [one for one in ids for _ in range(times)]
        self.new_tokens = new_tokens

    def rows(self) -> list[Row]:
        sampling = Sampling(temperature=0.8, max_new_tokens=self.new_tokens)
        return [Row(ids, sampling, derived_seed(0, str(at))) for at, ids in enumerate(self.ids)]


def plain(model: Any, tokenizer: Any, prompts: Prompts, batch: int) -> Write:
    """``model.generate`` as transformers' documentation shows it: left padding, sampling, its own cache."""
    ends = sorted(end_ids(model, tokenizer))

    def write() -> tuple[int, int]:
        began, tokens, texts = time.perf_counter(), 0, 0
        for start in range(0, len(prompts.ids), batch):
            group = prompts.ids[start : start + batch]
            width = max(map(len, group))
            ids = torch.tensor([[tokenizer.pad_token_id] * (width - len(one)) + one for one in group])
            mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in group])
            out = model.generate(
                ids,
                attention_mask=mask,
                do_sample=True,
                temperature=0.8,
                top_k=0,
                top_p=1.0,
                max_new_tokens=prompts.new_tokens,
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=ends,
            )
            for row in out[:, width:].tolist():
                end = next((at for at, token in enumerate(row) if token in ends), len(row) - 1)
                tokens += end + 1
            texts += len(group)
            if batch == 1 and time.perf_counter() - began > SECONDS_FOR_ONE:
                break
        return tokens, texts

    return write


def slots(model: Any, tokenizer: Any, prompts: Prompts, count: int) -> Write:
    def write() -> tuple[int, int]:
        rows = prompts.rows()
        for _ in write_rows(model, rows, end_ids(model, tokenizer), tokenizer.pad_token_id, slots=count):
            pass
        return sum(len(row.tokens) + (row.ended == "eos") for row in rows), len(rows)

    return write


def best(write: Write, rounds: int = ROUNDS) -> Found:
    """Each figure at its best."""
    found = []
    for _ in range(rounds):
        torch.manual_seed(0)
        began, cpu = time.perf_counter(), time.process_time()
        with torch.inference_mode():
            tokens, texts = write()
        wall, used = time.perf_counter() - began, time.process_time() - cpu
        found.append((tokens / wall, texts / wall, tokens / used))
    return tuple(max(one) for one in zip(*found, strict=True))  # type: ignore[return-value]


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    new_tokens = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    logging.set_verbosity_error()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    path = str(small_model())
    tokenizer = load_tokenizer(path)
    prompts = Prompts(tokenizer, times, new_tokens)
    print(
        f"SmolLM2-135M, {len(prompts.ids)} completions of 20 prompts of {min(map(len, prompts.ids))} to "
        f"{max(map(len, prompts.ids))} tokens, at most {new_tokens} new tokens, temperature 0.8, "
        f"{torch.get_num_threads()} threads.\n"
    )
    for name in sys.argv[3:] or TYPES:
        compare(path, tokenizer, prompts, name)
    llama_cpp(prompts)


def compare(path: str, tokenizer: Any, prompts: Prompts, name: str) -> None:
    print(f"{name}:\n\n{HEAD}")
    model = load_base(path, TYPES[name], "cpu").eval()
    one = best(plain(model, tokenizer, prompts, 1), rounds=1)
    line("transformers generate, batch 1", one, one, None)
    batched = {
        size: best(plain(model, tokenizer, prompts, size)) for size in BATCHES if size <= len(prompts.ids)
    }
    top = max(batched.values())
    for size, found in batched.items():
        line(f"transformers generate, batch {size}", found, one, top)
    use_slot_attention(model)
    pack_linears(model)
    for count in SLOTS:
        if count <= len(prompts.ids):
            line(f"rlft, {count} slots", best(slots(model, tokenizer, prompts, count)), one, top)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"\nPeak memory of the process so far: {peak:.0f} MB.\n", flush=True)


def line(what: str, found: Found, one: Found, top: Found | None) -> None:
    beside = f"{found[0] / top[0]:.2f}" if top else ""
    print(
        f"| {what} | {found[0]:.0f} | {found[1]:.1f} | {found[2]:.0f} | {found[0] / one[0]:.1f} | {beside} |",
        flush=True,
    )


def llama_cpp(prompts: Prompts) -> None:
    """What llama.cpp does with the same prompts, each of RLFT_BENCH_GGUF's files in turn."""
    if find_spec("llama_cpp") is None:
        print("llama.cpp: llama-cpp-python is not installed here, so there is no figure beside these.")
        return
    files = os.environ.get("RLFT_BENCH_GGUF", "").split()
    if not files:
        print("llama.cpp: name GGUF files of the same model in RLFT_BENCH_GGUF.")
        return
    from benchmarks._llama_slots import LlamaSlots

    for file in files:
        model = LlamaSlots(file, torch.get_num_threads())
        print(f"llama.cpp, {os.path.basename(file)}:\n\n{HEAD}")
        one: Found | None = None
        for count in (1, *SLOTS):
            if count > len(prompts.ids):
                continue
            # As far as the batch-1 loop of transformers comes, more or less: its rate does not change.
            asked = prompts.ids[:: len(prompts.ids) // 10] if count == 1 else prompts.ids
            found = best(
                llama_slots(model, asked, count, prompts.new_tokens), rounds=1 if count == 1 else ROUNDS
            )
            one = one or found
            line(f"llama.cpp, {count} slot{'s' * (count > 1)}", found, one, None)
        print(flush=True)


def llama_slots(model: LlamaSlots, asked: list[list[int]], count: int, new_tokens: int) -> Write:
    return lambda: (model.write(asked, count, new_tokens), len(asked))


if __name__ == "__main__":
    main()
