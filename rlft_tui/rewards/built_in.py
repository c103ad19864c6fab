"""The rewards that come with the program, by name, and how options become one of them."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.rewards.exact_answer import ExactAnswerReward
from rlft_tui.rewards.format import FormatReward
from rlft_tui.rewards.length import LengthReward
from rlft_tui.rewards.occupational import Occupational
from rlft_tui.rewards.regex import RegexReward
from rlft_tui.rewards.repetition import RepetitionReward
from rlft_tui.rewards.reward_function import RewardFunction
from rlft_tui.rewards.variety import VarietyReward

BUILT_IN: dict[str, type] = {
    "length": LengthReward,
    "regex": RegexReward,
    "format": FormatReward,
    "repetition": RepetitionReward,
    "variety": VarietyReward,
    "exact-answer": ExactAnswerReward,
    "occupational": Occupational,
}


@dataclass(frozen=True, slots=True)
class RewardOption:
    """A setting of a built-in reward."""

    name: str
    default: Any


def describe(name: str) -> str:
    """What a built-in rewards, in one line."""
    text = inspect.getdoc(_kind(name)) or ""
    return " ".join(text.partition("\n\n")[0].split())


def options_of(name: str) -> tuple[RewardOption, ...]:
    """The settings of a built-in, each with its default."""
    return tuple(RewardOption(field.name, field.default) for field in fields(_kind(name)) if field.init)


def check_options(name: str, options: Mapping[str, Any]) -> Any:
    """The options as the built-in's own type; RlftError names the one that is wrong."""
    kind = _kind(name)
    known = [option.name for option in options_of(name)]
    for key in options:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            remedy = f"Did you mean {near[0]}?" if near else f"Options: {', '.join(known)}"
            raise RlftError(f"unknown option {key!r}", where=f"reward {name}", remedy=remedy)
    try:
        return msgspec.convert(dict(options), kind, strict=False)
    except msgspec.ValidationError as error:
        raise RlftError(f"{error}".lower(), where=f"reward {name}") from None
    except RlftError as error:
        raise RlftError(error.what, where=f"reward {name}", remedy=error.remedy) from None


def build(name: str, options: Mapping[str, Any], folder: Path | None = None) -> RewardFunction:
    """The built-in with these options; files named in them are looked for in ``folder``."""
    made = check_options(name, options)
    return made.load(folder) if isinstance(made, Occupational) else made


def _kind(name: str) -> type:
    if name in BUILT_IN:
        return BUILT_IN[name]
    near = difflib.get_close_matches(name, list(BUILT_IN), n=1)
    raise NotFoundError(
        f"no built-in reward {name!r}",
        remedy=f"Did you mean {near[0]}?" if near else f"There are: {', '.join(BUILT_IN)}",
    )
