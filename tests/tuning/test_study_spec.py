"""A study's file: what is searched, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from rlft_tui.errors import RlftError
from rlft_tui.tuning.study_spec import parse_study, spaces, trial_values

BASE: dict[str, Any] = {
    "method": "dpo",
    "metric": "heldout/loss",
    "search": {"learning_rate": {"low": 1e-6, "high": 1e-3, "log": True}, "beta": [0.05, 0.1]},
}


def test_settings_are_searched_by_path_however_they_are_written() -> None:
    written = parse_study(
        {**BASE, "search": {"lora": {"r": {"low": 4, "high": 16, "step": 4}}}}, where="a.toml"
    )
    dotted = parse_study({**BASE, "search": {"lora.r": {"low": 4, "high": 16, "step": 4}}}, where="a.toml")
    assert [path for path, _ in spaces(written)] == [path for path, _ in spaces(dotted)] == [("lora", "r")]
    assert (written.name, written.towards) == ("a", "minimize")
    assert parse_study({**BASE, "metric": "heldout/accuracy"}, where="a.toml").towards == "maximize"


def test_a_trial_lays_its_settings_over_those_of_all_and_makes_no_pairs() -> None:
    spec = parse_study({**BASE, "run": {"max_steps": 5, "lora": {"alpha": 8}}}, where="a.toml")
    values = trial_values(spec, {"beta": 0.1, "lora.r": 4})
    assert values == {
        "method": "dpo",
        "max_steps": 5,
        "lora": {"alpha": 8, "r": 4},
        "beta": 0.1,
        "round": {"pairs": 0},
        "dataset": "latest",
    }
    assert spec.run == {"max_steps": 5, "lora": {"alpha": 8}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"search": {}}, "nothing is searched"),
        ({"search": {"bta": [1]}}, "Did you mean beta"),
        ({"search": {"beta": []}}, "empty list"),
        ({"search": {"beta": {"low": 2, "high": 1}}}, "low is not below high"),
        ({"search": {"beta": {"low": 0, "high": 1, "log": True}}}, "log needs low above 0"),
        ({"search": {"optimizer": {"low": 0, "high": 1}}}, "is no number"),
        ({"search": {"model": ["a", "b"]}}, "cannot be searched"),
        ({"method": "generate"}, "trains nothing"),
        ({"run": {"max_stepz": 3}}, "Did you mean max_steps"),
        ({"trials": 0}, "trials"),
        ({"name": "../up"}, "cannot be a study's"),
        ({"metrik": "x"}, "metrik"),
    ],
)
def test_a_mistake_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(RlftError, match=said):
        parse_study({**BASE, **change}, where="a.toml")
