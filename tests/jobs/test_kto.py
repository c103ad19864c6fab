"""KTO as its folder tells it: trained as bare TRL does, resumed exactly, both labels in every batch."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlft_tui.datasets.mixed_order import mixed_order, one_sided_batches
from rlft_tui.datasets.rows import JudgedRow
from rlft_tui.errors import RlftError
from rlft_tui.jobs.judged_heldout import area_under_curve
from rlft_tui.jobs.kto import trained_rows
from rlft_tui.jobs.tokenizer_loading import load_tokenizer
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import ModelSource
from rlft_tui.runs.specs.adaptation import Lora
from rlft_tui.runs.specs.kto import KtoSpec
from tests.jobs import bare_trl
from tests.jobs.conftest import Ended, stopped_and_resumed
from tests.jobs.job_process import (
    ROWS,
    of_kind,
    training_folder,
    values,
    write_lines,
)

PLAN: dict[str, Any] = {
    "max_steps": 12,
    "checkpoint_every": 3,
    "sample_every": 0,
    "batch_size": 4,
    "precompute_reference": "off",
    "lora": Lora(r=4, dropout=0.0),
}
JUDGED = [
    {"prompt": row["prompt"], "completion": row[side], "label": side == "chosen"}
    for row in ROWS
    for side in ("chosen", "rejected")
]


def kto_folder(root: Path, model: Path, **settings: Any) -> RunFolder:
    folder = training_folder(root, "kto", model, **(PLAN | settings))
    write_lines(folder.dataset / "train.jsonl", JUDGED[:16])
    write_lines(folder.dataset / "heldout.jsonl", JUDGED[16:])
    (folder.dataset / "dataset.json").write_text('{"kind": "unpaired"}')
    return folder


@pytest.fixture(scope="module")
def whole(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Stopped at step 4 or later and resumed: its numbers are held against a run that never stopped."""
    root = tmp_path_factory.mktemp("kto")
    return stopped_and_resumed("kto", lambda name: kto_folder(root / name, tiny_model))


def test_it_learns_and_every_batch_holds_both_labels(whole: Ended) -> None:
    assert whole.code == 0, whole.errors
    accuracy = values(whole.events, "heldout/reward_accuracy")
    assert accuracy[0] == 0.5
    assert accuracy[12] > 0.7
    assert values(whole.events, "heldout/margin")[12] > 0
    steps = set(range(1, 13))
    # TRL logs a side only where the batch has one.
    assert set(values(whole.events, "rewards/chosen")) == steps
    assert set(values(whole.events, "rewards/rejected")) == steps
    assert of_kind(whole.events, "metrics")[-1]["units"]["heldout/wanted_reward"] == "nats"


def test_stopped_and_resumed_its_losses_are_those_of_a_bare_trl_script(whole: Ended) -> None:
    assert [end["status"] for end in of_kind(whole.events, "end")] == ["stopped", "finished"]
    expected = bare_trl.bare_losses(whole.folder, bare_trl.kto)
    assert list(values(whole.events, "loss").values()) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        (JUDGED[:16:2], {}, "every answer is wanted, so nothing is told apart"),
        (JUDGED[:16], {"batch_size": 1}, "batch_size 1 has no other answers to estimate the KL from"),
        (JUDGED[:16], {"max_length": 16}, "every prompt fills max_length (16 tokens)"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(
    tiny_model: Path, rows: list[dict[str, Any]], settings: dict[str, Any], message: str
) -> None:
    spec = KtoSpec(id="k", model=ModelSource(name="t", path="t"), dataset="d", **settings)
    rows_read = [JudgedRow(row["prompt"], row["completion"], row["label"]) for row in rows]
    setup = SimpleNamespace(tokenizer=load_tokenizer(str(tiny_model)), rows=rows_read, spec=spec)
    with pytest.raises(RlftError, match=re.escape(message)):
        trained_rows(setup)


def judged(number: int, label: bool) -> JudgedRow:
    return JudgedRow([{"role": "user", "content": str(number)}], [], label, str(number))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(2, 8), st.integers(0, 3))
def test_the_rarer_label_is_spread_over_the_batches(good: int, bad: int, size: int, seed: int) -> None:
    rows = [judged(n, True) for n in range(good)] + [judged(100 + n, False) for n in range(bad)]
    ordered = mixed_order(rows, size, seed)
    left_out = len(rows) - len(ordered)
    assert left_out == (len(rows) % size == 1)
    assert {row.example_id for row in ordered} <= {row.example_id for row in rows}
    assert ordered == mixed_order(rows, size, seed)
    batches = -(-len(ordered) // size)
    # Every batch holds both when there are at least as many of each label as it takes.
    if min(good, bad) >= batches + 1 and len(ordered) % size == 0:
        assert one_sided_batches(ordered, size) == 0


def test_no_prompt_comes_twice_in_a_batch_where_that_can_be_helped() -> None:
    rows = [judged(number, label) for number in range(12) for label in (True, False)]
    ordered = mixed_order(rows, 4, 0)
    for start_of_batch in range(0, 24, 4):
        batch = ordered[start_of_batch : start_of_batch + 4]
        assert [row.label for row in batch].count(True) == 2
        assert len({row.example_id for row in batch}) == 4


def test_the_area_under_the_curve_counts_pairs() -> None:
    assert area_under_curve([3.0, 1.0], [2.0, 1.0]) == pytest.approx((1 + 1 + 0 + 0.5) / 4)
