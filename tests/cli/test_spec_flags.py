"""Flags, TOML file and spec are one thing."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli_w

from rlft_tui.cli.run_text import points, progress_line
from rlft_tui.cli.spec_flags import spec_flags
from rlft_tui.paths import Workspace
from rlft_tui.runs.run_spec import ModelSource
from rlft_tui.runs.run_status import RunSummary, Series
from rlft_tui.runs.specs.dpo import DpoSpec
from rlft_tui.runs.specs.generate import GenerateSpec
from tests.cli.run_rlft import Rlft


def leaves(values: dict[str, object], outer: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """The path of every plain value, a model counting as one."""
    found: set[tuple[str, ...]] = set()
    for name, value in values.items():
        if isinstance(value, dict) and "path" not in value:
            found |= leaves(value, (*outer, name))
        else:
            found.add((*outer, name))
    return found


def test_every_setting_of_a_spec_has_a_flag_with_its_meaning() -> None:
    model = ModelSource(name="m", path="/m")
    dpo = DpoSpec(id="r", model=model, dataset="d")
    generate = GenerateSpec(id="r", model_a=model, model_b=model)
    for spec in (dpo, generate):
        flags = spec_flags(type(spec))
        names = [flag.name for flag in flags]
        assert {flag.path for flag in flags} == leaves(spec.model_dump()) - {("id",), ("method",)}
        assert len(set(names)) == len(names)
    assert "--lora-r" in {flag.name for flag in spec_flags(DpoSpec)}
    assert "--temperature-a" in {flag.name for flag in spec_flags(GenerateSpec)}


def test_defaults_stand_in_the_help(rlft: Rlft) -> None:
    shown = " ".join(rlft.well("train", "dpo", "--help").out.split())
    assert "default: 5e-05" in shown
    assert f"default: {DpoSpec.model_fields['max_steps'].default}" in shown


def test_flags_override_the_file_and_the_rest_keeps_its_default(
    rlft: Rlft, here: Workspace, tmp_path: Path
) -> None:
    file = tmp_path / "dpo.toml"
    file.write_text("beta = 0.5\nmax_steps = 7\n[lora]\nr = 4\nalpha = 8\n[sampling]\ntemperature = 0.0\n")
    arguments = ["train", "dpo", "--spec", file, "--max-steps", "9", "--lora-r", "2", "--no-evaluate"]
    spec = rlft.well(*arguments, "--dry-run", "--json").value
    assert (spec["beta"], spec["max_steps"], spec["lora"]) == (0.5, 9, {"r": 2, "alpha": 8})
    assert spec["evaluate"] is False
    assert spec["sampling"] == {"temperature": 0.0}
    assert spec["model"] == "smollm2-135m"
    assert spec["dataset"] == "latest"
    assert spec["id"].startswith("dpo-")

    printed = tmp_path / "again.toml"
    printed.write_text(rlft.well(*arguments, "--dry-run").out)
    again = rlft.well("train", "dpo", "--spec", printed, "--dry-run", "--json").value
    assert {**again, "id": ""} == {**spec, "id": ""}
    assert list(here.runs.iterdir()) == []


def test_a_spec_file_of_another_method_is_refused(rlft: Rlft, here: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text(tomli_w.dumps({"method": "generate", "model_a": "smollm2-135m"}))
    outcome = rlft("train", "dpo", "--spec", file, "--dry-run")
    assert outcome.code == 2
    assert "a spec for generate, not for dpo" in outcome.err


def summary(**changes: object) -> RunSummary:
    values: dict[str, object] = {
        "id": "dpo-1",
        "method": "dpo",
        "status": "running",
        "step": 3,
        "steps": 40,
        "model": "m",
        "dataset": "d",
        "path": "/runs/dpo-1",
        "created": 1.0,
    }
    return RunSummary(**{**values, **changes})  # type: ignore[arg-type]


def test_progress_names_the_stage_the_step_and_a_loss_that_is_nan() -> None:
    assert progress_line(summary(stage="training", metrics={"loss": 0.5})) == (
        "dpo-1  training  step 3/40  loss 0.5"
    )
    assert "loss NaN" in progress_line(summary(metrics={"loss": "NaN"}))
    assert progress_line(summary(status="failed")) == "dpo-1  failed  step 3/40"


@pytest.mark.parametrize(
    ("mean", "nonfinite", "expected"),
    [([0.5, 0.25], [0, 0], [(0, 0.5), (1, 0.25)]), ([0.5, None], [0, 1], [(0, 0.5), (1, "NaN")])],
)
def test_points_of_a_series_keep_what_was_not_a_number(
    mean: list[float | None], nonfinite: list[int], expected: list[tuple[int, object]]
) -> None:
    series = Series("loss", "", 1, [0, 1], mean, mean, mean, nonfinite, 2)
    assert points(series) == expected
