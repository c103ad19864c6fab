"""A PPO run as its folder tells it: numbers, samples, a kill at its worst moment, and what comes after."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from rlft_tui.jobs.checkpoints import verify
from rlft_tui.runs.run_event import RunEvent
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.specs.base import ModelSource
from tests.conftest import wait_for
from tests.jobs.job_here import stopped_and_resumed_here
from tests.jobs.job_process import (
    JOB_SECONDS,
    events,
    finish,
    of_kind,
    seen,
    start,
    training_folder,
    values,
)

TIMING = ("seconds/", "tokens_per_second/", "step_time")


@dataclass(frozen=True)
class Ended:
    folder: RunFolder
    code: int
    errors: str
    events: list[RunEvent]


def ppo_folder(root: Path, model: Path | ModelSource, **settings: Any) -> RunFolder:
    defaults: dict[str, Any] = {
        "max_steps": 5,
        "batch_size": 4,
        "mini_batch_size": 2,
        "checkpoint_every": 2,
        "max_new_tokens": 8,
        "rewards": "length:1:minimum=1:maximum=5",
        "sample_every": 5,
    }
    return training_folder(root, "ppo", model, **(defaults | settings))


@pytest.fixture(scope="module")
def whole(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """A run left alone."""
    folder = ppo_folder(tmp_path_factory.mktemp("ppo") / "whole", tiny_model)
    code, errors = finish(start("ppo", folder.root, cold=True))
    return Ended(folder, code, errors, events(folder))


@pytest.fixture(scope="module")
def killed(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """The same run, killed once its first checkpoint stands, and started again."""
    folder = ppo_folder(tmp_path_factory.mktemp("ppo") / "killed", tiny_model)
    process = start("ppo", folder.root)
    reached = seen(folder, lambda event: event.kind == "checkpoint")
    wait_for(lambda: reached() or process.poll() is not None, "a checkpoint", JOB_SECONDS)
    process.kill()
    process.communicate(timeout=JOB_SECONDS)
    code, errors = finish(start("ppo", folder.root))
    return Ended(folder, code, errors, events(folder))


def numbers(found: list[RunEvent]) -> dict[int, dict[str, float]]:
    """Each update's metrics, what depends on the clock left out; a later row of a step counts."""
    rows = [row for row in of_kind(found, "metrics") if "reward" in row["values"]]
    return {
        row["step"]: {key: value for key, value in row["values"].items() if not key.startswith(TIMING)}
        for row in rows
    }


def test_a_run_ends_well_with_an_adapter_that_verifies(whole: Ended) -> None:
    assert whole.code == 0, whole.errors
    assert of_kind(whole.events, "end") == [{"status": "finished", "model": str(whole.folder.model)}]
    assert verify(whole.folder.model).step == 5
    weights = load_file(whole.folder.model / "adapter_model.safetensors")
    assert all(bool(tensor.isfinite().all()) for tensor in weights.values())
    assert not any("value" in name for name in weights)


def test_every_update_is_logged_with_units_and_measured_before_and_after(whole: Ended) -> None:
    assert list(numbers(whole.events)) == [1, 2, 3, 4, 5]
    rows = [row for row in of_kind(whole.events, "metrics") if "reward" in row["values"]]
    assert all(row["units"]["kl/sequence"] == "nats/sequence (k1)" for row in rows)
    assert all(row["steps"] == 5 and row["memory_mb"] > 50 for row in rows)
    assert [row["epoch"] for row in rows] == [0.5, 1.0, 1.5, 2.0, 2.5]
    assert set(values(whole.events, "heldout/reward")) == {0, 5}
    assert set(values(whole.events, "samples/reward")) == {0, 5}


def test_before_each_first_step_the_policy_is_the_one_that_answered(whole: Ended) -> None:
    assert max(values(whole.events, "policy/first_ratio_error").values()) < 1e-5


def test_the_best_and_the_worst_answer_of_each_update_are_written_down(whole: Ended) -> None:
    samples = [event for event in of_kind(whole.events, "sample") if "of" in event]
    assert [(one["step"], one["of"]) for one in samples] == [
        (step, of) for step in range(1, 6) for of in ("best", "worst")
    ]
    for best, worst in zip(samples[::2], samples[1::2], strict=True):
        assert best["reward"] >= worst["reward"]
        assert best["rewards"] == {"length": best["reward"]}
        assert isinstance(best["kl"], float)
        assert best["prompt"].startswith("Say ")
        assert 0 < best["tokens"] <= 8


def test_killed_and_resumed_it_goes_on_bit_for_bit(whole: Ended, killed: Ended) -> None:
    assert killed.code == 0, killed.errors
    assert [row["attempt"] for row in of_kind(killed.events, "start")] == [1, 2]
    assert any("resuming from step" in row["done"] for row in of_kind(killed.events, "control"))
    assert numbers(killed.events) == numbers(whole.events)
    ours = load_file(killed.folder.model / "adapter_model.safetensors")
    theirs = load_file(whole.folder.model / "adapter_model.safetensors")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_stopped_and_resumed_it_goes_on_bit_for_bit(whole: Ended, tiny_model: Path, tmp_path: Path) -> None:
    stopped = stopped_and_resumed_here(ppo_folder(tmp_path / "stopped", tiny_model), "ppo", 3)
    assert stopped.code == 0
    assert [row["done"] for row in of_kind(stopped.events, "control")] == [
        "saved and verified the checkpoint of step 3",
        "resuming from step 3",
    ]
    assert numbers(stopped.events) == numbers(whole.events)


def test_bad_settings_are_refused_in_one_line(tiny_model: Path, tmp_path: Path) -> None:
    folder = ppo_folder(tmp_path / "bad", tiny_model, max_length=16, max_new_tokens=12)
    code, errors = finish(start("ppo", folder.root))
    assert code == 1
    assert "no prompt leaves room for 12 tokens of answer in max_length (16)" in errors
    assert of_kind(events(folder), "end") == [{"status": "failed"}]
    assert not folder.model.exists()


def test_a_faulty_reward_ends_the_run_before_anything_is_loaded(tiny_model: Path, tmp_path: Path) -> None:
    folder = ppo_folder(tmp_path / "faulty", tiny_model, rewards=["rewards/faulty.py"])
    folder.rewards.mkdir(exist_ok=True)
    (folder.rewards / "faulty.py").write_text("def f(prompts, completions, **more):\n    return 1 / 0\n")
    code, errors = finish(start("ppo", folder.root))
    assert code == 1
    assert "faulty.py:2" in errors
    assert not of_kind(events(folder), "stage")


def test_an_adapter_that_is_continued_is_also_the_reference(whole: Ended, tmp_path: Path) -> None:
    spec = whole.folder.spec.read_text(encoding="utf-8")
    base = next(line for line in spec.splitlines() if line.startswith("path = ")).removeprefix("path = ")
    source = ModelSource(name="more", path=json.loads(base), adapter=str(whole.folder.model))
    folder = ppo_folder(tmp_path / "more", source, max_steps=1, evaluate=False, sample_every=0)
    code, errors = finish(start("ppo", folder.root))
    assert code == 0, errors
    (row,) = numbers(events(folder)).values()
    assert row["kl/sequence"] == pytest.approx(0.0, abs=1e-4)
    assert row["policy/first_ratio_error"] < 1e-5
