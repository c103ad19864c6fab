"""Many texts in slots are the texts that each row gets alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from rlft_tui.jobs.batch_decoding import SlotDecoding, takes_slots, write_rows
from rlft_tui.jobs.decoding import Decoding, Row, end_ids, prompt_ids
from rlft_tui.jobs.model_loading import AdapterBase
from rlft_tui.jobs.packed_linear import pack_linears
from rlft_tui.jobs.slot_attention import use_slot_attention
from rlft_tui.jobs.slot_count import choose_slots
from rlft_tui.runs.run_spec import Sampling

PROMPTS = ("a", "a much longer prompt than the first one is", "ü🙂", "four")


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Any:
    torch.set_num_threads(1)
    return AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_model)


def rows_for(tokenizer: Any, *, temperature: float = 1.0, top_p: float = 1.0, times: int = 4) -> list[Row]:
    """``times`` rows of each prompt, each cut at a length of its own."""
    return [
        Row(
            prompt_ids(tokenizer, [{"role": "user", "content": text}]),
            Sampling(temperature=temperature, top_p=top_p, max_new_tokens=1 + (7 * n + 3 * p) % 20),
            seed=100 * p + n,
        )
        for p, text in enumerate(PROMPTS)
        for n in range(times)
    ]


def alone(model: Any, tokenizer: Any, rows: list[Row]) -> list[Row]:
    """The same rows, each written by itself with transformers' own cache."""
    fresh = [Row(row.prompt, row.sampling, row.seed) for row in rows]
    with torch.inference_mode():
        for row in fresh:
            decoding = Decoding(model, [row], end_ids(model, tokenizer), tokenizer.pad_token_id)
            while decoding.open:
                decoding.step()
    return fresh


def write(model: Any, tokenizer: Any, rows: list[Row], slots: int) -> tuple[int, list[Row]]:
    """Tokens drawn, and the rows in the order in which they ended."""
    drawn, ended = 0, []
    with torch.inference_mode():
        ends, pad = end_ids(model, tokenizer), tokenizer.pad_token_id
        for tokens, finished in write_rows(model, rows, ends, pad, slots=slots):
            drawn += tokens
            ended += finished
    return drawn, ended


@pytest.mark.parametrize("slots", [1, 6, 64])
@pytest.mark.parametrize(("temperature", "top_p"), [(0.0, 1.0), (1.0, 1.0), (1.3, 0.8)])
def test_a_text_is_the_one_written_alone(
    model: Any, tokenizer: Any, slots: int, temperature: float, top_p: float
) -> None:
    assert takes_slots(model)
    rows = rows_for(tokenizer, temperature=temperature, top_p=top_p)
    drawn, ended = write(model, tokenizer, rows, slots)
    expected = alone(model, tokenizer, rows)
    assert [(row.tokens, row.ended, row.end) for row in rows] == [
        (row.tokens, row.ended, row.end) for row in expected
    ]
    assert sorted(map(id, ended)) == sorted(map(id, rows))
    assert drawn == sum(len(row.tokens) + (row.ended == "eos") for row in rows)


def test_a_slot_is_taken_again_while_others_are_still_written(model: Any, tokenizer: Any) -> None:
    rows = rows_for(tokenizer)
    longest = max(row.sampling.max_new_tokens for row in rows)
    steps = 0
    with torch.inference_mode():
        decoding = SlotDecoding(model, rows, frozenset(), tokenizer.pad_token_id, slots=8)
        for _ in decoding.run():
            steps += 1
    # Batches of 8 would take as many steps as the longest row of each.
    batches = sum(max(row.sampling.max_new_tokens for row in rows[at : at + 8]) for at in (0, 8))
    assert longest <= steps < batches


def test_attention_that_shares_keys_writes_the_same(tiny_model: Path, tokenizer: Any, model: Any) -> None:
    quick = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()
    use_slot_attention(quick)
    assert quick.config._attn_implementation == "rlft_slots"
    rows = rows_for(tokenizer, temperature=0.0, times=2)
    write(quick, tokenizer, rows, 5)
    assert [row.tokens for row in rows] == [row.tokens for row in alone(model, tokenizer, rows)]


def test_a_model_that_forgets_is_written_in_plain_batches(tiny_model: Path, tokenizer: Any) -> None:
    sliding = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()
    sliding.config.layer_types = ["full_attention", "sliding_attention"]
    assert not takes_slots(sliding)
    rows = rows_for(tokenizer, times=2)
    _, ended = write(sliding, tokenizer, rows, 3)
    assert len(ended) == len(rows)
    assert [row.tokens for row in rows] == [row.tokens for row in alone(sliding, tokenizer, rows)]


def test_packed_weights_give_the_same_bits(tiny_model: Path) -> None:
    plain = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.bfloat16).eval()
    packed = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.bfloat16).eval()
    ids = torch.arange(3, 40)[None]
    if not pack_linears(packed):
        pytest.skip("this torch or machine has no kernels for packed weights")
    with torch.inference_mode():
        assert torch.equal(plain(ids).logits, packed(ids).logits)


def test_an_adapter_is_heard_through_packed_weights(tiny_model: Path, tmp_path: Path) -> None:
    plain = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.bfloat16)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        lora = LoraConfig(r=4, target_modules=["q_proj", "up_proj"], init_lora_weights=False)
        get_peft_model(plain, lora).save_pretrained(tmp_path)
    base = AdapterBase(str(tiny_model), torch.bfloat16, "cpu")
    base.load(str(tmp_path))
    ids = torch.arange(3, 40)[None]
    logits = {}
    with torch.inference_mode():
        for when in ("plain", "packed"):
            for adapter in ("", str(tmp_path)):
                base.select(adapter)
                logits[when, adapter] = base.model(ids).logits
            pack_linears(base.model)
    assert torch.equal(logits["plain", ""], logits["packed", ""])
    assert torch.equal(logits["plain", str(tmp_path)], logits["packed", str(tmp_path)])
    assert not torch.equal(logits["packed", ""], logits["packed", str(tmp_path)])


def test_nothing_is_packed_in_other_types(model: Any) -> None:
    assert pack_linears(model) == 0


def test_slots_go_by_memory_rows_and_what_was_asked(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_slots(model, tokens=64, most=5, rows=100) == 5
    assert choose_slots(model, tokens=64, most=0, rows=3) == 3
    assert choose_slots(model, tokens=64, most=0, rows=1000) == 64

    class Small:
        available = 300_000

    monkeypatch.setattr("psutil.virtual_memory", lambda: Small)
    few = choose_slots(model, tokens=1024, most=0, rows=1000)
    assert 1 <= few < 64
