"""How a reward is written down: as one text, as a table, and back."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlft_tui.errors import RlftError
from rlft_tui.rewards.source import parse_source, unique_names
from rlft_tui.runs.run_spec import SPECS, parse_spec, read_spec, write_spec
from rlft_tui.runs.specs.rewards import RewardPart, reward_names

SPEC = {"id": "r", "method": "grpo", "model": {"name": "m", "path": "/m"}, "dataset": "d"}


def rewards_of(value: Any) -> tuple[RewardPart, ...]:
    found: tuple[RewardPart, ...] = parse_spec({**SPEC, "rewards": value}).rewards  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize(
    ("text", "source", "weight", "options"),
    [
        ("length", "length", 1.0, {}),
        ("builtin:length:0.5", "length", 0.5, {}),
        ("length:0.5:minimum=8:unit=words", "length", 0.5, {"minimum": 8, "unit": "words"}),
        ("regex:pattern=^a=b$:absent=true", "regex", 1.0, {"pattern": "^a=b$", "absent": True}),
        ("mine.py", "mine.py", 1.0, {}),
        ("file:rewards/mine.py:polite:-2", "rewards/mine.py:polite", -2.0, {}),
        ("model:nan", "model:nan", 1.0, {}),
        ("mine.py:inf", "mine.py:inf", 1.0, {}),
        ("model:first-reward:1e-1", "model:first-reward", 0.1, {}),
    ],
)
def test_a_text_says_source_weight_and_options(
    text: str, source: str, weight: float, options: dict[str, Any]
) -> None:
    (part,) = rewards_of(text)
    assert (part.source, part.weight, part.options) == (source, weight, options)
    (again,) = rewards_of([part.model_dump(mode="json")])
    assert again == part


def test_several_are_a_list_or_one_text() -> None:
    texts = ["length:0.5", "repetition", "rewards/mine.py:score"]
    assert rewards_of(texts) == rewards_of(", ".join(texts))
    assert rewards_of([{"source": "length", "weight": 0.5}, *texts[1:]]) == rewards_of(texts)


def test_the_spec_file_gives_them_back(tmp_path: Path) -> None:
    parts = [
        "length:0.5:maximum=30",
        {"source": "regex", "options": {"pattern": "a:b=c, d"}},
        {"source": "model:rm", "model": {"name": "rm", "path": "/base", "adapter": "/rm"}},
    ]
    spec = parse_spec({**SPEC, "rewards": parts})
    write_spec(spec, tmp_path / "run.toml")
    assert "length:0.5:maximum=30" in (tmp_path / "run.toml").read_text()
    assert read_spec(tmp_path / "run.toml") == spec


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("lenght", "no built-in reward 'lenght'. did you mean length?"),
        ("mine.pyx", "not a python file"),
        ("file:mine", "not a python file"),
        ("hub:x", "write builtin:name, file:path[:function] or model:name"),
        ("length:least=3", "unknown option 'least'"),
        ("length:nan", "the weight 'nan' is not a finite number"),
        ("length:-inf:minimum=3", "the weight '-inf' is not a finite number"),
        ("mine.py:1:least=3", "mine.py takes no options"),
        ([], "at least 1 item"),
        ([{"source": "length", "weight": float("nan")}], "finite number"),
        ([{"weight": 1}], "field required"),
        (3, "valid tuple"),
    ],
)
def test_a_wrong_one_is_named_in_one_line(value: Any, said: str) -> None:
    with pytest.raises(RlftError) as caught:
        rewards_of(value)
    assert said in str(caught.value).lower()
    assert "rewards" in str(caught.value)


@given(st.sampled_from(["length", "mine.py", "rewards/a b.py:f", "model:x/y"]), st.floats(-1e9, 1e9))
def test_any_weight_survives_being_written(source: str, weight: float) -> None:
    part = RewardPart(source=source, weight=weight)
    written = part.model_dump(mode="json")
    assert RewardPart.model_validate(written) == part


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    with suppress(RlftError):
        parse_source(text)


def test_names_are_short_readable_and_unique() -> None:
    parts = rewards_of(["length", "length:2", "rewards/mine.py:polite", "model:tuned/one"])
    assert reward_names(parts) == ("length", "length-2", "mine.polite", "tuned-one")
    assert unique_names([parse_source("a/x.py"), parse_source("b/x.py")]) == ("x", "x-2")


def test_answers_of_a_step_are_whole_groups() -> None:
    with pytest.raises(RlftError, match="no multiple of generations"):
        parse_spec({**SPEC, "batch_size": 6, "generations": 4})
    assert {"grpo", "rloo"} <= set(SPECS)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"loss_type": "cispo"}, "set it above 1"),
        ({"loss_type": "luspo"}, 'needs importance = "sequence"'),
    ],
)
def test_a_loss_that_would_do_nothing_sensible_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(RlftError, match=said):
        parse_spec({**SPEC, **settings})
