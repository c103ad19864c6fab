"""A reward model on scores: what is fitted, padded and measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from rlft_tui.jobs.reward_scoring import RewardModel
from rlft_tui.jobs.score_regression import collate, fit
from rlft_tui.runs.specs.adaptation import Lora
from tests.jobs.job_process import events, finish, start, training_folder, values, write_lines

WORDS = ("ash", "beech", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine")


def scored(word: str, number: int) -> dict[str, Any]:
    """Short answers are good, long ones are not."""
    good = number % 2 == 0
    return {
        "prompt": [{"role": "user", "content": f"Say {word}."}],
        "completion": [{"role": "assistant", "content": word if good else f"{word} {word} and {word} again"}],
        "score": 0.9 if good else 0.1,
        "example_id": word,
        "category": "",
    }


def test_scores_are_learnt_on_the_scale_they_were_given_on(tiny_model: Path, tmp_path: Path) -> None:
    folder = training_folder(
        tmp_path / "run",
        "reward",
        tiny_model,
        max_steps=30,
        checkpoint_every=15,
        lora=Lora(r=4, alpha=8, dropout=0.1),
    )
    rows = [scored(word, number) for number, word in enumerate(WORDS)]
    write_lines(folder.dataset / "train.jsonl", rows[:8])
    write_lines(folder.dataset / "heldout.jsonl", rows[8:])
    (folder.dataset / "dataset.json").write_text(json.dumps({"kind": "scored"}))
    code, errors = finish(start("reward", folder.root))
    assert code == 0, errors

    found = events(folder)
    before, after = (values(found, "heldout/squared_error")[step] for step in (0, 30))
    assert after < 0.3 * before
    # Better than saying the mean of the given scores.
    assert after < values(found, "heldout/given_variance")[30]
    assert values(found, "heldout/ordered")[30] == 1.0
    assert len(values(found, "loss")) == 30
    judge = RewardModel(folder.model, str(tiny_model), torch.float32, "cpu")
    good, bad = judge.score([rows[n]["prompt"] + rows[n]["completion"] for n in (8, 9)])
    assert good == pytest.approx(0.9, abs=0.25)
    assert bad == pytest.approx(0.1, abs=0.25)


def test_a_batch_is_padded_at_the_end() -> None:
    batch = collate([{"input_ids": [5, 6, 7], "labels": 0.25}, {"input_ids": [8], "labels": 1}], pad_id=0)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [0.25, 1.0]


def test_the_fit_in_figures() -> None:
    found = fit([0.5, 0.5, 0.9], [0.1, 0.5, 0.9])
    figures = {name.removeprefix("heldout/"): value for name, value in found.items()}
    assert figures["squared_error"] == pytest.approx(0.16 / 3)
    assert figures["given_variance"] == pytest.approx(2 * 0.16 / 3)
    assert figures["absolute_error"] == pytest.approx(0.4 / 3)
    assert figures["correlation"] == pytest.approx(0.8660254)
    # Of three pairs two come in order, and one is a tie.
    assert figures["ordered"] == pytest.approx(2.5 / 3)
    same = fit([0.2, 0.4], [0.5, 0.5])
    assert "heldout/correlation" not in same
    assert "heldout/ordered" not in same
