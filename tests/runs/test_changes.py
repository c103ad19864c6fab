"""What may change while a run runs: what is refused, what is written, and a real job that goes by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rlft_tui.errors import ConflictError, RlftError
from rlft_tui.metrics.alarms.watch import Alarms, alarms_of
from rlft_tui.runs.changes import change, changeable, changed_spec, read_changes, settings
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import ModelSource, TrainingSpec, parse_spec, write_spec
from rlft_tui.runs.specs.dpo import DpoSpec
from tests.conftest import wait_for
from tests.jobs.job_process import dpo_folder, events, finish, of_kind, start
from tests.tiny_model import make_tiny_model

MODEL = ModelSource(name="tiny", path="/models/tiny")


@pytest.fixture
def spec(tmp_path: Path) -> DpoSpec:
    return DpoSpec(id="dpo-1", model=MODEL, dataset="abc", sample_every=10)


@pytest.fixture
def folder(tmp_path: Path, spec: DpoSpec) -> RunFolder:
    made = RunFolder(tmp_path / "dpo-1")
    made.root.mkdir()
    write_spec(spec, made.spec)
    return made


def test_a_change_is_written_down_and_told_in_words(folder: RunFolder, spec: DpoSpec) -> None:
    said = change(folder, spec, {"kl_warning": "15", "alarms.kl": "pause", "sample_every": 20})
    assert set(said.split(", ")) == {"kl_warning 10 → 15", "kl notify → pause", "sample_every 10 → 20"}
    assert read_changes(folder) == {"alarms.kl_warning": 15.0, "alarms.kl": "pause", "sample_every": 20}
    assert change(folder, spec, {"kl_warning": 15}) == ""
    assert change(folder, spec, {"kl_warning": 10}) == "kl_warning 15 → 10"
    shown = {one.name: (one.value, one.launched) for one in settings(folder, spec)}
    assert (shown["kl_warning"], shown["sample_every"]) == (("10", "10"), ("20", "10"))
    assert [path.name for path in folder.root.iterdir() if "partial" in path.name] == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"kl_warn": 15}, "no setting 'kl_warn'. Did you mean kl_warning?"),
        ({"learning_rate": 1e-4}, "learning_rate cannot be changed while a run runs"),
        ({"kl_warning": -1}, "alarms.kl_warning: input should be greater than 0"),
        ({"kl_warning": "much"}, "alarms.kl_warning"),
        ({"kl": "explode"}, "alarms.kl"),
        ({"sample_every": 20, "kl_critical": "inf"}, "alarms.kl_critical: is not a finite number"),
    ],
)
def test_what_no_run_can_use_is_refused_and_nothing_is_written(
    folder: RunFolder, spec: DpoSpec, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(RlftError) as refused:
        change(folder, spec, asked)
    assert said in str(refused.value)
    assert not folder.changes.exists()


def test_a_run_that_does_not_train_or_measure_says_so(folder: RunFolder, spec: DpoSpec) -> None:
    values = {"method": "generate", "id": "g", "model_a": MODEL, "model_b": MODEL}
    with pytest.raises(ConflictError, match="nothing of a generate run"):
        change(folder, parse_spec(values), {"sample_every": 1})
    with pytest.raises(ConflictError, match="evaluate off"):
        change(folder, spec.model_copy(update={"evaluate": False}), {"evaluate_every": 5})


def test_every_alarm_setting_belongs_to_an_alarm(spec: DpoSpec) -> None:
    methods: list[dict[str, Any]] = [
        {"method": "dpo"},
        {"method": "kto"},
        {"method": "grpo", "rewards": [{"source": "length"}]},
    ]
    for values in methods:
        training = parse_spec({"id": "r", "model": MODEL, "dataset": "abc", **values})
        names = [field.path[-1] for field in changeable(training) if field.path[0] == "alarms"]
        assert [name for name in names if not alarms_of(name)] == []


def test_an_alarm_is_raised_again_at_its_new_limit_and_others_are_not(spec: DpoSpec) -> None:
    alarms = Alarms(spec, steps=100)
    rows = [(1, {"kl/sequence": 12.0, "loss": 0.5}), (2, {"kl/sequence": 12.0, "loss": float("nan")})]
    raised = [alarm.name for step, row in rows for alarm in alarms.observe(step, row)]
    assert raised == ["kl high", "loss not finite"]
    higher = changed_spec(spec, {"alarms.kl_warning": 15.0})
    assert isinstance(higher, TrainingSpec)
    alarms.change(higher, rows)
    assert alarms.observe(3, {"kl/sequence": 14.0, "loss": float("nan")}) == []
    assert [alarm.name for alarm in alarms.observe(4, {"kl/sequence": 16.0})] == ["kl high"]
    # Three rows without a finite loss by now: what was counted before the change still counts.
    assert alarms.nonfinite == 2


def test_a_running_job_goes_by_what_was_changed_from_its_next_step_on(tmp_path: Path) -> None:
    folder = dpo_folder(
        tmp_path / "run", make_tiny_model(tmp_path / "tiny"),
        max_steps=1_000_000, checkpoint_every=1_000_000, sample_every=0, evaluate=False,
    )  # fmt: skip
    process = start("dpo", folder.root)
    try:
        wait_for(lambda: len(of_kind(events(folder), "metrics")) > 2, "the first steps", 240)
        assert of_kind(events(folder), "sample") == []
        launched = parse_spec_of(folder)
        change(
            folder,
            launched,
            {"sample_every": "1", "kl": "pause", "kl_warning": "1e-9", "kl_critical": "1e-8"},
        )
        code, errors = finish(process)
    finally:
        process.kill()
        process.wait()
    found = events(folder)
    (told,) = [event for event in of_kind(found, "control") if event["asked"] == "change"]
    assert "sample_every 0 → 1" in told["done"]
    assert told["done"].startswith("from step ")
    assert "kl_critical 20 → 1e-08" in told["done"]
    assert f"changed {told['done']}" in errors
    changed_at = int(told["done"].split()[2])
    assert min(event["step"] for event in of_kind(found, "sample")) == changed_at
    assert "kl critical" in {event["name"] for event in of_kind(found, "alert")}
    assert (code, of_kind(found, "end")[-1]["status"]) == (0, "paused")


def parse_spec_of(folder: RunFolder) -> TrainingSpec:
    from rlft_tui.runs.run_spec import read_spec

    spec = read_spec(folder.spec)
    assert isinstance(spec, TrainingSpec)
    return spec
