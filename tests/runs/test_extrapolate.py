"""What belongs to which part of a short run, told by its events."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlft_tui.runs.extrapolate import measured
from rlft_tui.runs.run_event import RunEvent

LEARNED = {"loss": 0.5, "learning_rate": 1e-4}


def metrics(t: float, step: int, **values: float) -> RunEvent:
    return RunEvent("metrics", t, {"step": step, "steps": 2, "values": values, "memory_mb": 100.0 + step})


def test_answers_logged_before_a_step_belong_to_it_and_others_to_the_samples(tmp_path: Path) -> None:
    short = measured(
        [
            RunEvent("start", 0.0, {"device": "cpu"}),
            RunEvent("sample", 10.0, {}),
            RunEvent("sample", 11.0, {}),
            metrics(12.0, 0, repetition=0.1),
            metrics(15.0, 0, **{"heldout/reward": 0.2}),
            RunEvent("stage", 16.0, {"name": "training"}),
            RunEvent("sample", 19.0, {}),
            RunEvent("sample", 20.0, {}),
            metrics(21.0, 1, **LEARNED),
            metrics(24.0, 2, **LEARNED),
            RunEvent("checkpoint", 26.0, {}),
            RunEvent("end", 27.0, {}),
        ],
        tmp_path,
        tmp_path,
    )
    assert short.steps == pytest.approx((5.0, 3.0))
    assert (short.sampling, short.evaluating, short.saving, short.ending) == (12.0, 3.0, 2.0, 1.0)
    assert (short.memory_mb, short.planned) == (102.0, 2)
