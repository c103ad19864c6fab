"""Flags, TOML file and spec are one thing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlft_tui.cli.generate_form import of_both_sides
from rlft_tui.cli.main import load_noun
from rlft_tui.cli.run_text import points, progress_line
from rlft_tui.cli.spec_flags import given_values
from rlft_tui.paths import Workspace
from rlft_tui.runs.launch_values import complete, layered
from rlft_tui.runs.presets.read_presets import PRESETS
from rlft_tui.runs.run_spec import METHODS, SPECS, TRAINING_METHODS
from rlft_tui.runs.run_status import RunSummary, Series
from rlft_tui.runs.spec_fields import SpecField, get_value, set_value, spec_fields
from rlft_tui.runs.spec_toml import parse_toml, write_toml
from tests.cli.run_rlft import Rlft

_PLAIN = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), max_size=12)
_WORDS = st.text("abcxyz:/._-", min_size=1, max_size=12).map(str.strip)


def value_of(field: SpecField) -> st.SearchStrategy[Any]:
    """Any value that the setting could have been given."""
    edges = dict(re.findall(r"([≥>≤<]) ([\d.e+-]+)", field.bounds))
    low = float(edges.get("≥", edges.get(">", -1e6)))
    high = float(edges.get("≤", edges.get("<", 1e6)))
    names = st.sampled_from(field.choices) if field.choices else _WORDS
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "integer": st.integers(int(low), int(high)),
        "number": st.floats(low, high, exclude_min=">" in edges, exclude_max="<" in edges),
        "switch": st.booleans(),
        "choice": st.sampled_from(field.choices or ("",)),
        "names": st.lists(names, min_size=1, max_size=3),
        "numbers": st.lists(st.floats(-10, 10), min_size=1, max_size=3),
    }
    return kinds.get(field.kind, _PLAIN)


@st.composite
def some_values(draw: st.DrawFn, method: str) -> dict[str, Any]:
    """Values for some of the method's settings."""
    values: dict[str, Any] = {"method": method}
    for field in draw(
        st.lists(st.sampled_from(spec_fields(SPECS[method])), unique_by=lambda each: each.name)
    ):
        set_value(values, field.path, draw(value_of(field)))
    return values


def as_words(method: str, values: dict[str, Any]) -> list[str]:
    """The command line that gives all these values."""
    words: list[str] = []
    for field in spec_fields(SPECS[method]):
        value = get_value(values, field.path)
        if value is not None and value != []:
            words += field.words(value)
    return words


def understood(method: str, words: list[str]) -> dict[str, Any]:
    """What the command of the method takes these words to mean."""
    noun, verb = ("pairs", "generate") if method == "generate" else ("train", method)
    context = load_noun(noun).commands[verb].make_context(verb, list(words))
    return layered(method, flags=given_values(method, context.params))


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_flags_spec_and_toml_say_the_same_in_every_direction(method: str, data: st.DataObject) -> None:
    values = data.draw(some_values(method))
    by_flags = understood(method, as_words(method, values))
    assert by_flags == values
    from_file = layered(method, file=parse_toml(write_toml(method, by_flags), where="file"))
    assert complete(method, from_file) == complete(method, values)
    again = understood(method, as_words(method, from_file))
    assert complete(method, again) == complete(method, values)


@pytest.mark.parametrize("method", METHODS)
def test_every_setting_has_its_own_flag_and_a_meaning(method: str) -> None:
    fields = spec_fields(SPECS[method])
    assert len({field.flag for field in fields}) == len(fields)
    assert [field.name for field in fields if not field.help] == []


@pytest.mark.parametrize("method", METHODS)
def test_the_help_shows_every_setting_under_a_heading(rlft: Rlft, method: str) -> None:
    words = ("pairs", "generate") if method == "generate" else ("train", method)
    shown = rlft.well(*words, "--help").out
    themes = [field.theme for field in spec_fields(SPECS[method])]
    places = [shown.index(f"\n{theme}:\n") for theme in dict.fromkeys(themes)]
    assert places == sorted(places)
    for field in spec_fields(SPECS[method]):
        assert f"  {field.flag} " in shown
    assert f"rlft {' '.join(words)} " in shown.partition("Examples:")[2]


def test_defaults_and_bounds_stand_in_the_help(rlft: Rlft) -> None:
    shown = " ".join(rlft.well("train", "dpo", "--help").out.split())
    assert "[> 0, < 1; default: 5e-05]" in shown
    assert f"default: {SPECS['dpo'].model_fields['max_steps'].default}" in shown


def test_flags_go_before_the_file_and_the_file_before_the_preset(
    rlft: Rlft, here: Workspace, tmp_path: Path
) -> None:
    file = tmp_path / "dpo.toml"
    file.write_text("beta = 0.5\nmax_steps = 7\n[lora]\nr = 4\nalpha = 8\n[sampling]\ntemperature = 0.0\n")
    arguments = ["train", "dpo", "--preset", "quick", "--spec", file, "--max-steps", "9", "--lora-r", "2"]
    spec = rlft.well(*arguments, "--no-evaluate", "--toml", "--json").value
    assert (spec["beta"], spec["max_steps"], spec["batch_size"]) == (0.5, 9, 4)
    assert spec["learning_rate"] == 1e-4
    assert (spec["lora"]["r"], spec["lora"]["alpha"], spec["evaluate"]) == (2, 8, False)
    assert (spec["sampling"]["temperature"], spec["sampling"]["max_new_tokens"]) == (0.0, 48)
    assert (spec["model"], spec["dataset"]) == ("smollm2-135m", "latest")

    printed = tmp_path / "again.toml"
    printed.write_text(rlft.well(*arguments, "--no-evaluate", "--toml").out)
    assert rlft.well("train", "dpo", "--spec", printed, "--toml", "--json").value == spec
    assert list(here.runs.iterdir()) == []


def test_both_sides_of_a_pair_are_set_at_once_and_one_of_them_apart() -> None:
    words = ["--max-new-tokens", "60", "--temperature", "0", "--temperature-b", "1.2"]
    context = load_noun("pairs").commands["generate"].make_context("generate", list(words))
    given = {name: value for name, value in context.params.items() if "__" in name}
    common = {name: context.params[name] for name in ("max_new_tokens", "temperature")}
    values = given_values("generate", of_both_sides(given, **common))
    assert values["sampling_a"] == {"max_new_tokens": 60, "temperature": 0.0}
    assert values["sampling_b"] == {"max_new_tokens": 60, "temperature": 1.2}
    assert of_both_sides(given, max_new_tokens=None, temperature=None) == {"sampling_b__temperature": 1.2}


def test_a_spec_file_of_another_method_is_refused(rlft: Rlft, here: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text(tomli_w.dumps({"method": "generate", "model_a": "smollm2-135m"}))
    outcome = rlft("train", "dpo", "--spec", file, "--toml")
    assert outcome.code == 2
    assert "a spec for generate, not for dpo" in outcome.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--preset", "quik"), "no preset called 'quik'. Did you mean quick?"),
        (("--lora-r", "0"), "lora.r: input should be greater than or equal to 1"),
        (("--learning-rate", "fast"), "--learning-rate"),
        (("--quantization", "nf5"), "quantization: input should be 'none', 'nf4' or 'int8'"),
        (("--spec", "nowhere.toml"), "no such spec file"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_remedy(
    rlft: Rlft, here: Workspace, words: tuple[str, ...], says: str
) -> None:
    outcome = rlft("train", "sft", *words, "--toml")
    assert (outcome.code, outcome.out) == (2, "")
    assert says in outcome.err
    assert outcome.err.count("\n") == 1


def test_presets_are_shown_as_a_table_and_as_json(rlft: Rlft) -> None:
    shown = rlft.well("train", "presets", "sft").out
    heading, *rows = shown.splitlines()
    assert heading.split() == ["sft", "default", *PRESETS]
    assert next(row for row in rows if row.startswith("max_steps")).split()[2:] == ["50", "5000"]
    value = rlft.well("train", "presets", "--json").value
    assert set(value) == set(TRAINING_METHODS)
    assert json.dumps(value["sft"]["quick"]) in json.dumps(value)
    assert "no training method 'sfd'" in rlft("train", "presets", "sfd").err


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


def test_progress_of_ppo_names_its_reward_and_its_kl() -> None:
    metrics = {"score_with_kl": 0.1, "kl_coef": 0.05, "reward": 0.4, "kl/sequence": 6.0, "loss": 0.2}
    assert (
        progress_line(summary(metrics=metrics))
        == "dpo-1  running  step 3/40  reward 0.4  loss 0.2  kl/sequence 6"
    )


@pytest.mark.parametrize(
    ("mean", "nonfinite", "expected"),
    [([0.5, 0.25], [0, 0], [(0, 0.5), (1, 0.25)]), ([0.5, None], [0, 1], [(0, 0.5), (1, "NaN")])],
)
def test_points_of_a_series_keep_what_was_not_a_number(
    mean: list[float | None], nonfinite: list[int], expected: list[tuple[int, object]]
) -> None:
    series = Series("loss", "", 1, [0, 1], mean, mean, mean, nonfinite, 2)
    assert points(series) == expected
