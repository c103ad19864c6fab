"""A job that is asked to stop while it measures saves what it has trained, and measures when it goes on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from rlft_tui.jobs.checkpoints import verify
from rlft_tui.jobs.dpo import Dpo
from rlft_tui.jobs.heldout import HeldOut
from rlft_tui.jobs.job import Job, run_job
from rlft_tui.jobs.stopping import StopAsked, StopRequest
from rlft_tui.jobs.training import train
from rlft_tui.runs.run_folder import RunFolder
from tests.jobs.job_process import dpo_folder, events, of_kind


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """A job takes over the process's signals."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_pass_through_the_model_is_given_up_only_inside_and_once_a_stop_is_asked_for() -> None:
    stop, model, given = StopRequest(), torch.nn.Linear(2, 2), torch.zeros(1, 2)
    with stop.given_up_for(model):
        model(given)
        stop.ask("SIGTERM")
        with pytest.raises(StopAsked, match="SIGTERM"):
            model(given)
    model(given)


def train_until(folder: RunFolder, monkeypatch: pytest.MonkeyPatch, measure: int) -> int:
    """The job's exit code; a stop is asked for when this measure has begun, 0 for none."""
    begun = 0

    def work(job: Job, spec: Any) -> int:
        real = HeldOut.rewards

        def look(heldout: HeldOut, model: Any, **more: Any) -> Any:
            nonlocal begun
            begun += 1
            if begun == measure:
                job.stop.ask("SIGTERM")
            return real(heldout, model, **more)

        with monkeypatch.context() as patched:
            patched.setattr(HeldOut, "rewards", look)
            return train(job, spec, Dpo())

    return run_job([str(folder.root)], Dpo.spec, work)


def test_a_stop_during_the_evaluation_saves_and_the_evaluation_comes_after_the_resume(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = dpo_folder(tmp_path / "stopped", tiny_model, max_steps=6, evaluate_every=2, sample_every=0)
    # Measured at steps 0, 2 and 4.
    code = train_until(folder, monkeypatch, 3)

    found = events(folder)
    assert (code, of_kind(found, "end")[-1]["status"]) == (0, "stopped")
    assert of_kind(found, "control")[-2]["done"] == "the evaluation of step 4 was given up"
    assert verify(folder.checkpoints / "checkpoint-4").step == 4

    code = train_until(folder, monkeypatch, 0)

    found = events(folder)
    assert (code, of_kind(found, "end")[-1]["status"]) == (0, "finished")
    rows = of_kind(found, "metrics")
    assert [row["step"] for row in rows if "heldout/loss" in row["values"]] == [0, 2, 4, 6]
