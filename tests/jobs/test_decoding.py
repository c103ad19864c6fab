"""Sampling and scoring, checked against the plain way of doing them."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from rlft_tui.jobs.decoding import Decoding, Row, derived_seed, draw, end_ids, prompt_ids
from rlft_tui.jobs.heldout import share_won
from rlft_tui.jobs.scoring import Scored, answer_logps
from rlft_tui.runs.run_spec import Sampling

GREEDY = Sampling(temperature=0.0, max_new_tokens=12)


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Any:
    torch.set_num_threads(1)
    return AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_model)


def answer(model: Any, tokenizer: Any, rows: list[Row]) -> list[list[int]]:
    with torch.inference_mode():
        decoding = Decoding(model, rows, end_ids(model, tokenizer), tokenizer.pad_token_id)
        while decoding.open:
            decoding.step()
    return [row.tokens for row in rows]


def row(tokenizer: Any, text: str, sampling: Sampling, seed: int = 0) -> Row:
    return Row(prompt_ids(tokenizer, [{"role": "user", "content": text}]), sampling, seed)


def test_greedy_answers_are_those_of_generate(model: Any, tokenizer: Any) -> None:
    rows = [row(tokenizer, text, GREEDY) for text in ("a", "a much longer prompt than the first", "ü🙂")]
    answers = answer(model, tokenizer, rows)
    for each, tokens in zip(rows, answers, strict=True):
        ids = torch.tensor([each.prompt])
        plain = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12)
        expected = plain[0, len(each.prompt) :].tolist()
        assert tokens == [token for token in expected if token != tokenizer.eos_token_id]


def test_a_row_does_not_depend_on_its_batch(model: Any, tokenizer: Any) -> None:
    sampling = Sampling(temperature=1.0, top_p=0.9, max_new_tokens=20)

    def fresh() -> Row:
        return row(tokenizer, "the same", sampling, seed=7)

    other = row(tokenizer, "something a good deal longer", sampling, seed=8)
    alone = answer(model, tokenizer, [fresh()])[0]
    assert answer(model, tokenizer, [fresh()])[0] == alone
    assert answer(model, tokenizer, [other, fresh()])[1] == alone


def test_torch_random_state_is_untouched(model: Any, tokenizer: Any) -> None:
    before = torch.get_rng_state()
    answer(model, tokenizer, [row(tokenizer, "x", Sampling(temperature=1.0, max_new_tokens=5))])
    assert torch.equal(before, torch.get_rng_state())


def test_rows_end_at_their_own_length(model: Any, tokenizer: Any) -> None:
    rows = [row(tokenizer, "x", Sampling(temperature=0.0, max_new_tokens=n)) for n in (1, 6, 3)]
    answer(model, tokenizer, rows)
    assert [(len(each.tokens), each.ended) for each in rows] == [(1, "length"), (6, "length"), (3, "length")]


def test_draws_follow_the_distribution() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]]))
    counts = {
        top_p: Counter(
            draw(logits, [Row([], Sampling(temperature=1.0, top_p=top_p), 0)], [generator])[0]
            for generator in [random.Random(1)]
            for _ in range(2000)
        )
        for top_p in (1.0, 0.7)
    }
    assert [counts[1.0][token] / 2000 for token in range(4)] == pytest.approx(
        [0.5, 0.3, 0.15, 0.05], abs=0.04
    )
    assert set(counts[0.7]) == {0, 1}
    assert counts[0.7][0] / 2000 == pytest.approx(0.625, abs=0.04)


def test_logits_that_are_nan_do_not_break_the_draw() -> None:
    token = draw(torch.full((1, 4), torch.nan), [Row([], Sampling(temperature=1.0), 0)], [random.Random(0)])
    assert 0 <= token[0] < 4


def test_scores_are_sums_of_log_probabilities(model: Any) -> None:
    items = [Scored([3, 4, 5], [6, 7]), Scored([9] * 11, [10, 11, 12, 13]), Scored([3], [8])]
    for item, found in zip(items, answer_logps(model, items, batch_size=2), strict=True):
        ids = torch.tensor([item.prompt + item.answer])
        logps = model(ids).logits[0].detach().log_softmax(-1)
        places = range(len(item.prompt) - 1, item.length - 1)
        expected = sum(float(logps[place, token]) for place, token in zip(places, item.answer, strict=True))
        assert found == pytest.approx(expected, abs=1e-4)


def test_seeds_differ_by_every_part() -> None:
    seeds = {derived_seed(s, p, side) for s in (0, 1) for p in ("a", "b") for side in ("a", "b")}
    assert len(seeds) == 8
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_tie_counts_half_and_nan_is_lost() -> None:
    assert share_won([1.0, 2.0, 0.0, float("nan")], [0.0, 2.0, 1.0, 0.0]) == (1 + 0.5) / 4
