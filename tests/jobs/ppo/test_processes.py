"""One run in two processes: the same updates as in one, and neither outlives the other."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from rlft_tui.runs.run_folder import RunFolder
from tests.conftest import wait_for
from tests.jobs.job_process import JOB_SECONDS, events, finish, of_kind, start, training_folder

EXACT = ("completions/", "reward", "missing_rewards", "kl_coef", "learning_rate", "optimizer_steps")
"""What rounding leaves alone; the rest agrees to a thousandth."""


def folder_of(root: Path, model: Path, **settings: Any) -> RunFolder:
    """Steps of three answers and a last one of one, for which a process has no pass."""
    return training_folder(
        root,
        "ppo",
        model,
        max_steps=6,
        batch_size=4,
        mini_batch_size=3,
        ppo_epochs=2,
        learning_rate=1e-3,
        checkpoint_every=1,
        max_new_tokens=8,
        rewards="length:1:minimum=1:maximum=5",
        evaluate=False,
        sample_every=0,
        **settings,
    )


def updates(folder: RunFolder) -> dict[int, dict[str, float]]:
    """The metrics of each update; a later row of a step counts."""
    clock = ("seconds/", "tokens_per_second/", "step_time")
    return {
        row["step"]: {key: value for key, value in row["values"].items() if not key.startswith(clock)}
        for row in of_kind(events(folder), "metrics")
    }


def two_at_work(folder: RunFolder, checkpoints: int) -> tuple[subprocess.Popen[str], psutil.Process]:
    """The run started in two processes, once it has saved that many checkpoints."""
    first = start("ppo", folder.root, cold=True)
    assert isinstance(first, subprocess.Popen)
    wait_for(
        lambda: len(of_kind(events(folder), "checkpoint")) >= checkpoints or first.poll() is not None,
        "a checkpoint",
        JOB_SECONDS,
    )
    (other,) = psutil.Process(first.pid).children()
    return first, other


def test_two_processes_stopped_killed_and_resumed_make_the_updates_of_one(
    tiny_model: Path, tmp_path: Path
) -> None:
    one = folder_of(tmp_path / "one", tiny_model)
    code, errors = finish(start("ppo", one.root))
    assert code == 0, errors

    two = folder_of(tmp_path / "two", tiny_model, processes=2)
    first, other = two_at_work(two, 1)
    for asked in (other, first):  # as Slurm asks, which tells all of them
        asked.send_signal(signal.SIGTERM)
    code, errors = finish(first)
    assert code == 0, errors
    assert not other.is_running()
    (saved,) = (row for row in of_kind(events(two), "control") if row["asked"] == "SIGTERM")
    assert "saved and verified" in saved["done"]

    first, other = two_at_work(two, len(of_kind(events(two), "checkpoint")) + 1)
    first.kill()
    first.communicate(timeout=JOB_SECONDS)
    other.wait(JOB_SECONDS)

    again = start("ppo", two.root, cold=True)
    code, errors = finish(again)
    assert code == 0, errors
    assert [row["attempt"] for row in of_kind(events(two), "start")] == [1, 2, 3]
    resumed = [row for row in of_kind(events(two), "control") if "resuming from step" in row["done"]]
    assert len(resumed) == 2
    expected, found = updates(one), updates(two)
    assert list(found) == list(expected) == [1, 2, 3, 4, 5, 6]
    for step, row in expected.items():
        for name, value in row.items():
            near = 0.0 if name.startswith(EXACT) else 1e-3
            assert found[step][name] == pytest.approx(value, rel=near, abs=near / 100), (step, name)
    ours, theirs = (load_file(folder.model / "adapter_model.safetensors") for folder in (two, one))
    for name, weight in theirs.items():
        torch.testing.assert_close(ours[name], weight, rtol=1e-2, atol=1e-4)


def test_without_the_second_process_the_run_fails_and_says_why(tiny_model: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "lost", tiny_model, processes=2)
    first, other = two_at_work(folder, 1)
    other.kill()
    code, errors = finish(first)
    assert code == 1
    assert "another process of this run has ended" in errors
