"""Real runs made to go wrong: their alarms, what these do, and what is written beside the event log."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoTokenizer

from rlft_tui.jobs.metrics_csv import COLUMNS
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import Sampling
from tests.jobs.conftest import Ended
from tests.jobs.job_process import dpo_folder, events, finish, of_kind, start, values
from tests.tiny_model import make_tiny_model


@dataclass(frozen=True)
class Wrong:
    """A row that no model can learn from, and a pull to the reference that is far too weak."""

    poisoned: Ended
    far: Ended
    far_csv: str
    gone_on: Ended


def ended(folder: RunFolder, process: object) -> Ended:
    code, errors = finish(process)  # type: ignore[arg-type]
    return Ended(folder, code, errors, events(folder))


def poison(model: Path) -> Path:
    """The letter z gets an embedding whose square is no float32: one row of the data has a z."""
    weights = load_file(model / "model.safetensors")
    (key,) = (name for name in weights if "embed_tokens" in name)
    (letter,) = AutoTokenizer.from_pretrained(model)("z", add_special_tokens=False).input_ids
    weights[key][letter] = 1e30
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    return model


@pytest.fixture(scope="module")
def wrong(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Wrong:
    root = tmp_path_factory.mktemp("wrong")
    bad = dpo_folder(
        root / "poisoned",
        poison(make_tiny_model(root / "poison")),
        max_steps=12,
        checkpoint_every=1,
        sample_every=0,
        evaluate=False,
        alarms={"nonfinite": "stop"},
    )
    far = dpo_folder(
        root / "far",
        tiny_model,
        adaptation="full",
        beta=0.001,
        learning_rate=0.05,
        precompute_reference="off",
        checkpoint_every=8,
        sample_every=4,
        evaluate=False,
        sampling=Sampling(temperature=1.0, max_new_tokens=32),
        alarms={"kl": "pause", "kl_warning": 3.0, "kl_critical": 8.0},
        trackers=("tensorboard",),
    )
    first, second = start("dpo", bad.root), start("dpo", far.root)
    poisoned, paused = ended(bad, first), ended(far, second)
    before = far.metrics_csv.read_text()
    return Wrong(poisoned, paused, before, ended(far, start("dpo", far.root)))


def alerts(run: Ended) -> list[tuple[str, str]]:
    return [(alert["name"], alert["action"]) for alert in of_kind(run.events, "alert")]


def test_a_healthy_run_raises_none(runs: dict[str, Ended]) -> None:
    assert alerts(runs["whole"]) == []


def test_nan_stops_the_run_and_the_last_sound_checkpoint_stands(wrong: Wrong) -> None:
    run = wrong.poisoned
    assert run.code == 0, run.errors
    assert ("gradient not finite", "stop") in alerts(run)
    assert of_kind(run.events, "end") == [{"status": "stopped"}]
    (control,) = of_kind(run.events, "control")
    assert control["asked"] == "alarm: gradient not finite"
    good = [c["step"] for c in of_kind(run.events, "checkpoint") if c["verified"]]
    assert control["done"] == f"nothing sound is there to save; the checkpoint of step {good[-1]} stands"


def test_kl_warns_then_pauses_and_a_resume_goes_on_past_it(wrong: Wrong) -> None:
    assert wrong.far.code == 0, wrong.far.errors
    found = of_kind(wrong.far.events, "alert")
    kl = [(alert["name"], alert["severity"], alert["action"]) for alert in found if "kl" in alert["name"]]
    assert kl == [("kl high", "warning", "notify"), ("kl critical", "critical", "pause")]
    assert "over 8" in next(alert["message"] for alert in found if alert["name"] == "kl critical")
    assert of_kind(wrong.far.events, "end") == [{"status": "paused"}]
    step = of_kind(wrong.far.events, "control")[0]["done"].rsplit(" ", 1)[-1]
    assert 8 <= int(step) < 24
    assert wrong.gone_on.code == 0, wrong.gone_on.errors
    assert of_kind(wrong.gone_on.events, "end")[-1]["status"] == "finished"
    assert len(of_kind(wrong.gone_on.events, "alert")) == len(found), "none is raised twice"


def test_chosen_answers_become_less_likely(wrong: Wrong) -> None:
    assert ("chosen falling", "notify") in alerts(wrong.far)


def test_the_table_of_metrics_has_each_step_once_over_a_resume(wrong: Wrong) -> None:
    run = wrong.gone_on
    rows = list(csv.DictReader(run.folder.metrics_csv.open()))
    assert tuple(rows[0]) == COLUMNS
    assert [int(row["step"]) for row in rows] == list(range(25))
    assert run.folder.metrics_csv.read_text().startswith(wrong.far_csv), "what was there stays as it was"
    for key, column in (("loss", "loss"), ("grad_norm", "grad_norm"), ("kl/sequence", "kl")):
        logged = values(run.events, key)
        assert {int(r["step"]): float(r[column]) for r in rows if r[column]} == logged
    assert {row["kl_unit"] for row in rows if row["kl"]} == {"nats/sequence"}
    times = [float(row["time"]) for row in rows]
    assert times == sorted(times)


def test_tensorboard_shows_the_same_numbers(wrong: Wrong) -> None:
    run = wrong.gone_on
    shown = EventAccumulator(str(run.folder.root / "tensorboard"))
    shown.Reload()
    for key in ("loss", "rewards/margins", "kl/sequence"):
        scalars = {event.step: event.value for event in shown.Scalars(key)}
        assert scalars == pytest.approx(values(run.events, key), rel=1e-6), key


def test_a_run_without_trackers_writes_for_none(runs: dict[str, Ended]) -> None:
    root = runs["whole"].folder.root
    assert not {path.name for path in root.iterdir()} & {"tensorboard", "wandb", "trackio"}


def test_a_value_that_is_no_number_is_named_in_the_table(wrong: Wrong) -> None:
    rows = list(csv.DictReader(wrong.poisoned.folder.metrics_csv.open()))
    norms = [float(row["grad_norm"]) for row in rows]
    assert any(not math.isfinite(norm) for norm in norms)
    assert {row["grad_norm"] for row in rows} & {"NaN", "Infinity"}
