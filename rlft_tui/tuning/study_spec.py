"""A search over the settings of a run, as its TOML file says it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from rlft_tui.errors import RlftError
from rlft_tui.runs.launch_values import require_settings
from rlft_tui.runs.methods import TRAINING_METHODS
from rlft_tui.runs.run_spec import SPECS
from rlft_tui.runs.spec_fields import SpecField, set_value, spec_fields
from rlft_tui.runs.specs.base import Spec

Direction = Literal["minimize", "maximize"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
_LOWER = ("loss", "perplexity", "kl", "norm", "nll")


class Pruning(Spec):
    """When a trial is ended early."""

    pruner: Literal["median", "none"] = "median"
    """median: a trial whose best value so far is worse than the median of the others at the same step."""
    startup_trials: int = Field(default=4, ge=0)
    """Trials that run to their end before any is ended early."""
    warmup_steps: int = Field(default=0, ge=0)
    """Steps of a trial before it can be ended early."""


class StudySpec(Spec):
    """What is searched, and by which measure."""

    name: str = ""
    method: str = "dpo"
    """Of the runs: sft, dpo, ppo …"""
    metric: str
    """Key of the run's metrics that is optimised, such as heldout/loss; its last value counts."""
    direction: Direction | None = None
    """Left out: minimize where the metric's name says loss, perplexity, kl or norm."""
    trials: int = Field(default=20, ge=1, le=10_000)
    """Runs in all; those that fail are not counted."""
    parallel: int = Field(default=1, ge=1, le=64)
    """Trials in the line at once; how many run together is parallel_runs of rlft.toml."""
    sampler: Literal["tpe", "random"] = "tpe"
    """tpe: tree-structured Parzen estimator (Bergstra et al. 2011)."""
    seed: int = Field(default=0, ge=0, le=2**31)
    pruning: Pruning = Pruning()
    run: dict[str, Any] = Field(default_factory=dict)
    """Settings of every trial, as in rlft train --spec."""
    search: dict[str, Any] = Field(default_factory=dict)
    """Setting → a list of values, or a table with low, high and, if wanted, log or step."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.method not in TRAINING_METHODS:
            raise ValueError(f"method: {self.method} trains nothing; one of {', '.join(TRAINING_METHODS)}")
        if not self.search:
            raise ValueError("search: nothing is searched; write [search] with a setting in it")
        return self

    @property
    def towards(self) -> Direction:
        """The direction, also where none was given."""
        if self.direction is not None:
            return self.direction
        words = re.split(r"[/_.]", self.metric.lower())
        return "minimize" if any(word in words for word in _LOWER) else "maximize"


class Range(Spec):
    """Numbers between two ends."""

    low: float
    high: float
    log: bool = False
    step: float | None = None


class Choice:
    """One of several values."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values


def parse_study(values: Mapping[str, Any], *, where: str) -> StudySpec:
    """A checked spec; RlftError names the first thing that is wrong."""
    try:
        spec = StudySpec.model_validate({"name": Path(where).stem, **values})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        said = str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"].lower()
        raise RlftError(
            f"{place}: {said}" if place else said, where=where, remedy="See docs/guide/tune.md"
        ) from None
    if not _NAME.fullmatch(spec.name):
        raise RlftError(
            f"name: {spec.name[:60]!r} cannot be a study's",
            where=where,
            remedy="Letters, digits, . _ and -; at most 60",
        )
    require_settings(spec.method, spec.run, where=f"{where} [run]")
    for path, space in spaces(spec, where=where):
        if "model" in path or path == ("dataset",):
            raise RlftError(f"{'.'.join(path)} cannot be searched", where=where, remedy="Set it in [run]")
        if isinstance(space, Range) and not space.low < space.high:
            raise RlftError(f"search: {'.'.join(path)}: low is not below high", where=where)
    return spec


def spaces(spec: StudySpec, *, where: str = "study") -> Iterator[tuple[tuple[str, ...], Range | Choice]]:
    """Each setting that is searched, by its path in the spec."""
    known = {field.path: field for field in spec_fields(SPECS[spec.method])}
    for path, value in _flat(spec.search, ()):
        if path not in known:
            require_settings(spec.method, _nested(path, 0), where=f"{where} [search]")
        name = ".".join(path)
        if isinstance(value, list):
            if not value:
                raise RlftError(f"search: {name}: an empty list", where=where)
            yield path, Choice(value)
            continue
        try:
            found = Range.model_validate(value)
        except ValidationError as error:
            said = error.errors()[0]["msg"].lower()
            raise RlftError(
                f"search: {name}: {said}", where=where, remedy="Give a list, or low and high"
            ) from None
        if known[path].kind not in ("integer", "number"):
            raise RlftError(f"search: {name} is no number", where=where, remedy="Give a list of values")
        if found.log and (found.low <= 0 or found.step is not None):
            raise RlftError(f"search: {name}: log needs low above 0, and no step", where=where)
        yield path, found


def is_whole(spec: StudySpec, path: tuple[str, ...]) -> bool:
    """Whether a setting takes whole numbers only."""
    return _field(spec, path).kind == "integer"


def trial_values(spec: StudySpec, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The values of one trial's run: those of every run with the chosen ones laid over."""
    values: dict[str, Any] = {"method": spec.method, **_copied(spec.run)}
    for name, value in chosen.items():
        set_value(values, name.split("."), value)
    if "round" in SPECS[spec.method].model_fields:
        # A trial is not judged by people: it makes no pairs.
        values["round"] = {**(values.get("round") or {}), "pairs": 0}
    values.setdefault("dataset", "latest")
    return values


def usable(value: object) -> float | None:
    """A metric's value as a number that can be compared; None for anything else."""
    return value if isinstance(value, float) and math.isfinite(value) else None


def _field(spec: StudySpec, path: tuple[str, ...]) -> SpecField:
    return next(field for field in spec_fields(SPECS[spec.method]) if field.path == path)


def _flat(values: Mapping[str, Any], outer: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Settings by path: ``"lora.r" = …`` and ``lora.r = …`` are the same."""
    for name, value in values.items():
        path = (*outer, *name.split("."))
        if isinstance(value, Mapping) and not {"low", "high"} & value.keys():
            yield from _flat(value, path)
        else:
            yield path, value


def _nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    set_value(made, path, value)
    return made


def _copied(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _copied(value) if isinstance(value, Mapping) else value for name, value in values.items()}
