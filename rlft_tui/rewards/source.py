"""Where a reward comes from, as one word: ``builtin:NAME``, ``file:PATH[:FUNCTION]`` or ``model:NAME``."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from rlft_tui.errors import RlftError
from rlft_tui.rewards.built_in import BUILT_IN

SourceKind = Literal["builtin", "file", "model"]
_FORMS = "builtin:NAME, file:PATH[:FUNCTION] or model:NAME"
_UNNAMED = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class RewardSource:
    """A source taken apart."""

    kind: SourceKind
    name: str
    """Name of the built-in or of the registered reward model, or path of the file."""
    function: str = ""
    """Function in the file; empty for the only one, or the one called ``reward``."""

    @property
    def title(self) -> str:
        """A short name for people and for metric keys."""
        if self.kind != "file":
            return _UNNAMED.sub("-", self.name)
        stem = PurePath(self.name).stem
        return _UNNAMED.sub("-", f"{stem}.{self.function}" if self.function else stem)


def parse_source(text: str) -> RewardSource:
    """A source taken apart; a bare name is a built-in, a bare ``….py`` is a file."""
    kind, colon, rest = text.partition(":")
    if kind == "builtin":
        return RewardSource("builtin", _known(rest, text))
    if kind == "model" and rest:
        return RewardSource("model", rest)
    whole = rest if kind == "file" else text
    path, _, function = whole.partition(".py")
    if path and (kind == "file" or ".py" in whole):
        if ".py" not in whole or (function and not re.fullmatch(r":[A-Za-z_]\w*", function)):
            raise RlftError(f"not a Python file: {whole!r}", where=text, remedy="file:rewards/mine.py:score")
        return RewardSource("file", f"{path}.py", function.removeprefix(":"))
    if not colon and text:
        return RewardSource("builtin", _known(text, text))
    raise RlftError("not a reward source", where=text or "reward", remedy=f"Write {_FORMS}")


def _known(name: str, text: str) -> str:
    if name in BUILT_IN:
        return name
    near = difflib.get_close_matches(name, list(BUILT_IN), n=1)
    remedy = f"Did you mean {near[0]}?" if near else f"Built in: {', '.join(BUILT_IN)}; else {_FORMS}"
    raise RlftError(f"no built-in reward {name!r}", where=text or "reward", remedy=remedy)


def parse_reward(text: str) -> dict[str, Any]:
    """``SOURCE[:WEIGHT][:KEY=VALUE]…`` as source, weight and options.

    An option whose value holds a colon (or, on the command line, a comma) needs a TOML file.
    """
    head, *options = re.split(r":(?=[A-Za-z_]\w*=)", text)
    before, colon, last = head.rpartition(":")
    weight = _number(last) if colon else None
    if weight is not None and not math.isfinite(weight):
        # A function or a model may be called so.
        if before != "model" and not before.endswith(".py"):
            raise RlftError(f"the weight {last!r} is not a finite number", where=text)
        weight = None
    if weight is not None:
        head = before
    values: dict[str, Any] = {"source": shortest(parse_source(head.strip()))}
    if weight is not None:
        values["weight"] = weight
    if options:
        values["options"] = dict(option.split("=", 1) for option in options)
    return values


def reward_text(source: str, weight: float, options: Mapping[str, Any]) -> str:
    """The text that ``parse_reward`` takes apart again."""
    plain = {key: str(value).lower() if isinstance(value, bool) else value for key, value in options.items()}
    shown = "" if weight == 1 else f":{weight:g}" if float(f"{weight:g}") == weight else f":{weight!r}"
    return f"{source}{shown}{''.join(f':{key}={value}' for key, value in plain.items())}"


def shortest(source: RewardSource) -> str:
    """The source as one word, without a kind that its name tells."""
    kind = "model:" if source.kind == "model" else ""
    return f"{kind}{source.name}{f':{source.function}' if source.function else ''}"


def unique_names(sources: Sequence[RewardSource]) -> tuple[str, ...]:
    """A readable name for each, told apart by a number where two would be the same."""
    names: list[str] = []
    for source in sources:
        name, number = source.title, 1
        while name in names:
            number += 1
            name = f"{source.title}-{number}"
        names.append(name)
    return tuple(names)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
