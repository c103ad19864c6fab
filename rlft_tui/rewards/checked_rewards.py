"""What a reward function gave back, checked: a number or None for every text."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.rewards.reward_function import Reward


@dataclass(frozen=True, slots=True)
class Scores:
    """The rewards of a batch, and which of them were no finite numbers."""

    rewards: tuple[Reward, ...]
    """None where the function judged nothing, and in place of NaN and infinities."""
    nonfinite: tuple[int, ...] = ()
    """Places of NaN and infinities."""


def check_rewards(given: Any, expected: int) -> Scores:
    """Raises RlftError unless ``given`` holds one number or None for each of ``expected`` texts.

    Arrays and tensors are taken as lists; so are tuples.
    """
    if hasattr(given, "tolist"):
        given = given.tolist()
    if isinstance(given, str | bytes | dict | set | frozenset) or not isinstance(given, Iterable):
        raise RlftError(
            f"returned {_kind(given)} where a list with one number a text is wanted",
            remedy=_missing_return(given),
        )
    values = list(given) if hasattr(given, "__len__") else None
    if values is None:
        raise RlftError(f"returned {_kind(given)} where a list is wanted", remedy="Wrap it: list(…)")
    if len(values) != expected:
        raise RlftError(f"returned {len(values)} rewards for {expected} texts")
    rewards: list[Reward] = []
    nonfinite = []
    for place, value in enumerate(values):
        number = _number(value, place)
        if number is not None and not math.isfinite(number):
            nonfinite.append(place)
            number = None
        rewards.append(number)
    return Scores(tuple(rewards), tuple(nonfinite))


def _number(value: Any, place: int) -> Reward:
    if value is None:
        return None
    if isinstance(value, str | bytes) or not hasattr(value, "__float__"):
        raise RlftError(f"reward {place + 1} is {_kind(value)} where a number or None is wanted")
    try:
        return float(value)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError, RuntimeError):
        raise RlftError(f"reward {place + 1} is {_kind(value)}, which is no single number") from None


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _missing_return(given: Any) -> str:
    return "Is its return statement missing?" if given is None else ""
