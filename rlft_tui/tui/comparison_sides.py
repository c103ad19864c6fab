"""Which models answer, and how each is to draw: read from a form or a command, put into words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import asdict, replace

from rlft_tui.errors import RlftError
from rlft_tui.record import Record
from rlft_tui.server.answers import MOST_SIDES, AskedSide, GenerateRequest

FEWEST_SIDES = 2
SETTINGS = ("temperature", "top_p", "max_new_tokens", "seed")
"""What can be set for each side."""
DEFAULTS = {"temperature": "0.7", "top_p": "1", "max_new_tokens": "256", "seed": "1"}
WORDS = {"temperature": "temperature", "top_p": "top p", "max_new_tokens": "max tokens", "seed": "seed"}
_USUAL = {"top_k": 0, "repetition_penalty": 1.0, "system": None}


class SideText(Record, frozen=True):
    """One side as it was typed; an empty setting is the first side's."""

    model: str
    settings: Mapping[str, str]
    """By name, as in SETTINGS."""


def asked_sides(rows: Sequence[SideText]) -> tuple[AskedSide, ...]:
    """The sides with every setting filled in. RlftError names the setting that cannot be.

    The first side's seed is the one given; where the others have none, theirs are made from it, so
    that one model asked twice gives two answers.
    """
    first = _checked(rows[0], DEFAULTS)
    inherited = {name: str(getattr(first, name)) for name in SETTINGS[:-1]}
    others = [_checked(row, inherited) for row in rows[1:]]
    return GenerateRequest("", sides=(first, *others), seed=first.seed or 0).asked()


def _checked(row: SideText, usual: Mapping[str, str]) -> AskedSide:
    from pydantic import ValidationError

    from rlft_tui.runs.run_spec import Sampling

    values = {name: row.settings.get(name, "").strip() or usual.get(name, "") for name in SETTINGS}
    seed: int | None = None
    if values["seed"]:
        try:
            seed = int(values["seed"])
        except ValueError:
            raise RlftError("seed: must be a whole number") from None
        if abs(seed) >= 2**63:
            raise RlftError("seed: must be below 2^63")
    try:
        drawn = Sampling.model_validate({name: values[name] for name in SETTINGS[:-1]})
    except ValidationError as error:
        problem = error.errors()[0]
        name = WORDS.get(str(problem["loc"][0]), str(problem["loc"][0]))
        raise RlftError(f"{name}: {problem['msg'].replace('Input should be', 'must be')}") from None
    return AskedSide(row.model, drawn.temperature, drawn.top_p, drawn.max_new_tokens, seed)


def side_from(text: str) -> SideText:
    """``MODEL`` or ``MODEL@temperature=0.2,top_p=0.9``, as a command takes it."""
    model, mark, tail = text.rpartition("@")
    if not mark or "=" not in tail:
        return SideText(text, {})
    settings: dict[str, str] = {}
    for part in tail.split(","):
        name, _, value = part.partition("=")
        name = name.strip().replace("-", "_")
        if name not in SETTINGS or not value.strip():
            raise RlftError(
                f"{part!r} is no setting of a side", where=text, remedy=f"Settings: {', '.join(SETTINGS)}"
            )
        settings[name] = value
    return SideText(model, settings)


def check_count(count: int) -> None:
    """RlftError unless so many sides can be compared."""
    if not FEWEST_SIDES <= count <= MOST_SIDES:
        raise RlftError(f"{FEWEST_SIDES} to {MOST_SIDES} models are compared, not {count}")


def with_new_seeds(sides: tuple[AskedSide, ...]) -> tuple[AskedSide, ...]:
    """The same sides, each with the seed after its own."""
    return tuple(replace(side, seed=(side.seed or 0) + 1) for side in sides)


def stored_settings(side: AskedSide) -> dict[str, Any]:
    """What is kept with a pair: everything that made the answer, but the model's name."""
    values = asdict(side)
    return {
        name: value
        for name, value in values.items()
        if name in SETTINGS or (name in _USUAL and value not in (_USUAL[name], ""))
    }


def side_labels(sides: Sequence[AskedSide]) -> tuple[str, ...]:
    """The models' names; of one that comes twice also the settings that tell its sides apart."""
    return tuple(f"{side.model}{own}" for side, own in zip(sides, side_settings(sides), strict=True))


def side_settings(sides: Sequence[AskedSide]) -> tuple[str, ...]:
    """What stands behind each model's name: `` · temperature 0.2``, empty where the name is enough.

    The seed is named where nothing else tells two sides apart.
    """
    found = []
    for side in sides:
        twins = [each for each in sides if each.model == side.model]
        names = [name for name in SETTINGS[:-1] if len({getattr(each, name) for each in twins}) > 1]
        alike = [each for each in twins if all(getattr(each, name) == getattr(side, name) for name in names)]
        if len({each.seed for each in alike}) > 1:
            names.append("seed")
        own = ", ".join(f"{WORDS[name]} {_figure(getattr(side, name))}" for name in names)
        found.append(f" · {own}" if own else "")
    return tuple(found)


def _figure(value: float | int) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def settings_line(sides: Sequence[AskedSide]) -> str:
    """The settings that all sides share, and how many differ."""
    shared = [name for name in SETTINGS[:-1] if len({getattr(side, name) for side in sides}) == 1]
    parts = [f"{WORDS[name]} {_figure(getattr(sides[0], name))}" for name in shared]
    return ", ".join([*parts, f"seed {sides[0].seed}"])
