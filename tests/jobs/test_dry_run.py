"""What a run will take: from a few real steps of it, whatever becomes of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlft_tui.errors import RlftError
from rlft_tui.jobs.dry_run import STEPS, dry_run, read_length, shortened, smaller, spaced
from rlft_tui.runs.estimate import folder_bytes
from rlft_tui.runs.extrapolate import estimate_path, extrapolate, measured
from rlft_tui.runs.run_spec import TrainingSpec, parse_spec, read_spec
from rlft_tui.runs.specs.ppo import PpoSpec
from tests.jobs.conftest import Ended
from tests.jobs.job_process import environment, training_folder

FORGETFUL_JOB = """\
import sys, tomllib
from pathlib import Path
from rlft_tui.runs.run_event import EventWriter
root = Path(sys.argv[1])
spec = tomllib.loads((root / "run.toml").read_text())
log = EventWriter(root / "events.jsonl")
if spec["batch_size"] > int(sys.argv[2] if len(sys.argv) > 2 else 2):
    log.write("error", type="OutOfMemory", message="out of memory", traceback="")
    sys.exit(1)
log.write("stage", name="starting", progress=None, detail="")
log.write("start", device="a script", steps=spec["max_steps"])
log.write("stage", name="training", progress=0.0, detail="")
for step in range(1, spec["max_steps"] + 1):
    log.metrics(step, {"loss": 1.0, "learning_rate": 0.1}, {}, steps=spec["max_steps"], memory_mb=100.0)
log.write("end", status="finished")
"""


def spec_of(**more: Any) -> TrainingSpec:
    values = {"id": "x", "method": "sft", "model": {"name": "m", "path": "/m"}, "dataset": "d", **more}
    spec = parse_spec(values)
    assert isinstance(spec, TrainingSpec)
    return spec


@pytest.fixture
def forgetful(tmp_path: Path) -> list[str]:
    """A job that is out of memory with more than two rows in a batch."""
    script = tmp_path / "job.py"
    script.write_text(FORGETFUL_JOB)
    return [sys.executable, str(script)]


def test_a_run_is_told_from_its_own_parts(runs: dict[str, Ended]) -> None:
    run = runs["whole"]
    spec = read_spec(run.folder.spec)
    assert isinstance(spec, TrainingSpec)
    checkpoint = run.folder.checkpoints / "checkpoint-24"
    short = measured(run.events, checkpoint, run.folder.model)
    assert (len(short.steps), short.planned) == (24, 24)
    whole = extrapolate(
        short, spec, rows=(8, 8), heldout_rows=(2, 2), dataset_bytes=0, base_bytes=0, made=0.0
    )
    took = run.events[-1].t - run.events[0].t
    assert whole.seconds == pytest.approx(took, rel=0.1)
    assert whole.parts["loading"] > 0.2 * took
    assert whole.memory_mb == short.memory_mb > 50
    assert whole.checkpoint_mb == folder_bytes(checkpoint) / 1e6
    # Twice the steps: twice the training, and nothing else but checkpoints and samples.
    longer = spec.model_copy(update={"max_steps": 48})
    twice = extrapolate(
        short, longer, rows=(8, 8), heldout_rows=(2, 2), dataset_bytes=0, base_bytes=0, made=0.0
    )
    assert twice.parts["training"] > 1.8 * whole.parts["training"]
    assert twice.parts["loading"] == whole.parts["loading"]


def test_a_few_real_steps_leave_an_estimate_and_nothing_else(tiny_model: Path, tmp_path: Path) -> None:
    plan = {"max_steps": 0, "epochs": 30.0, "sample_every": 100, "checkpoint_every": 50}
    folder = training_folder(tmp_path / "run", "sft", tiny_model, **plan)
    before = sorted(path.name for path in folder.root.iterdir())
    command = [sys.executable, "-m", "rlft_tui.jobs.dry_run", str(folder.root)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["stage"] for line in lines[:2]] == ["starting", "loading"]
    estimate = lines[-1]["estimate"]
    assert estimate["steps"] == 30 * 4
    assert estimate["measured_steps"] == 4
    assert estimate["low_seconds"] < estimate["seconds"] < estimate["high_seconds"]
    assert estimate["seconds"] == pytest.approx(sum(estimate["parts"].values()))
    assert min(estimate["parts"].values()) >= 0
    assert estimate["memory_mb"] > 50
    assert estimate["disk_mb"] > 2 * estimate["checkpoint_mb"] > 0
    assert (estimate["notes"], estimate["instead"]) == ([], {})
    assert sorted(path.name for path in folder.root.iterdir()) == before


def test_what_would_fit_is_tried_when_memory_runs_out(
    tiny_model: Path, tmp_path: Path, forgetful: list[str]
) -> None:
    folder = training_folder(tmp_path / "run", "sft", tiny_model, batch_size=8, max_steps=100)
    said: list[dict[str, Any]] = []
    estimate = dry_run(folder, said.append, forgetful)
    assert estimate.instead == {"batch_size": 2, "gradient_accumulation": 4}
    assert estimate.notes == (
        "batch_size 8, gradient_accumulation 1 does not fit into memory; "
        "batch_size 2, gradient_accumulation 4 does, and is what was measured",
    )
    again = [line["detail"] for line in said if line["stage"] == "again"]
    assert again[0] == "not enough memory; trying batch_size 4, gradient_accumulation 2"
    assert (estimate.steps, estimate.measured_steps, estimate.memory_mb) == (100, STEPS, 100.0)


def test_nothing_fits(tiny_model: Path, tmp_path: Path, forgetful: list[str]) -> None:
    Path(forgetful[1]).write_text(FORGETFUL_JOB.replace("else 2", "else 0"))
    folder = training_folder(tmp_path / "run", "sft", tiny_model, max_steps=100)
    with pytest.raises(RlftError, match="even the smallest settings need more memory than there is"):
        dry_run(folder, lambda line: None, forgetful)


def test_a_job_that_fails_says_why(tiny_model: Path, tmp_path: Path) -> None:
    folder = training_folder(tmp_path / "run", "sft", tiny_model, precision="fp16")
    with pytest.raises(RlftError, match="precision fp16 needs a GPU"):
        dry_run(folder, lambda line: None)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=50), st.integers(1, 60))
def test_rows_at_even_distances_in_length(lengths: list[int], count: int) -> None:
    lines = [f"{at:03}".encode() + b"x" * length + b"\n" for at, length in enumerate(lengths)]
    some = spaced(lines, count)
    assert len(some) == min(count, len(lines))
    assert some == sorted(some)
    assert max(map(len, lines)) == max(map(len, some))


def test_a_row_is_as_long_as_what_its_method_reads() -> None:
    row = {
        "prompt": [{"role": "system", "content": "ab"}, {"role": "user", "content": "cde"}],
        "chosen": [{"role": "assistant", "content": "four"}],
        "rejected": [{"role": "assistant", "content": "a longer one"}],
    }
    line = json.dumps(row).encode()
    assert [read_length(line, method) for method in ("dpo", "sft", "grpo")] == [17, 9, 5]


def test_the_short_run_computes_the_reference_when_the_whole_would() -> None:
    often = spec_of(method="dpo", max_steps=100, batch_size=4)
    assert shortened(often, 20).model_dump()["precompute_reference"] == "on"
    assert shortened(often, 1000).model_dump()["precompute_reference"] == "off"
    short = shortened(often, 20)
    assert (short.max_steps, short.keep_best, short.trackers) == (STEPS, "", ())


def test_smaller_settings_keep_the_rows_of_a_step() -> None:
    spec = spec_of(batch_size=8, gradient_accumulation=2)
    changes = [spec.model_copy(update=change) for change in smaller(spec)]
    assert {each.rows_a_step() for each in changes} == {16}
    assert [each.batch_size for each in changes[:3]] == [4, 2, 1]
    assert changes[-1].gradient_checkpointing
    assert (changes[-1].quantization, changes[-1].max_length) == ("nf4", spec.max_length // 2)
    whole = spec_of(adaptation="full", gradient_checkpointing=True, batch_size=1)
    assert list(smaller(whole)) == [{"max_length": 256}]


def test_smaller_passes_leave_ppo_the_answers_it_draws_and_steps_on() -> None:
    spec = spec_of(method="ppo", batch_size=32, mini_batch_size=8, gradient_accumulation=2)
    assert isinstance(spec, PpoSpec)
    changes = [spec.model_copy(update=change) for change in smaller(spec)]
    assert [each.mini_batch_size for each in changes[:3]] == [4, 2, 1]
    assert {(each.batch_size, each.step_answers) for each in changes} == {(32, 16)}


def test_an_estimate_belongs_to_what_it_depends_on(tmp_path: Path) -> None:
    here = estimate_path(tmp_path, spec_of(seed=1))
    assert estimate_path(tmp_path, spec_of(id="y", seed=2, output_name="z")) == here
    assert estimate_path(tmp_path, spec_of(batch_size=2)) != here
