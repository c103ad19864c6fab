"""Every format of pairs, in the order in which a row is held against them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rlft_tui.errors import NotFoundError
from rlft_tui.pairs.formats import (
    alpaca_eval,
    archive,
    argilla,
    argilla_flat,
    hh_rlhf,
    kto,
    label_studio,
    lmarena,
    lmarena_55k,
    native,
    trl,
    ultrafeedback,
)
from rlft_tui.pairs.pair_row import OperationRow, Origin, PairRow
from rlft_tui.prompts.import_report import LineReport
from rlft_tui.record import Record

Parsed = PairRow | OperationRow | LineReport
AUTO = "auto"


def _nothing_left(origin: Origin) -> Iterator[Parsed]:
    return iter(())


class PairFormat(Record, frozen=True):
    """One way to write pairs down."""

    name: str
    says: str
    """What it is, for people."""
    matches: Callable[[dict[str, Any]], bool]
    """Whether a row has its keys; never raises."""
    parse: Callable[[int, dict[str, Any], Origin], Iterable[Parsed]]
    """Line number and values to rows; raises RowError."""
    finish: Callable[[Origin], Iterator[Parsed]] = _nothing_left
    """What is left when the file ends."""


FORMATS: tuple[PairFormat, ...] = (
    PairFormat("archive", archive.SAYS, archive.matches, archive.parse, archive.finish),
    PairFormat("lmarena-55k", lmarena_55k.SAYS, lmarena_55k.matches, lmarena_55k.parse),
    PairFormat("argilla", argilla.SAYS, argilla.matches, argilla.parse),
    PairFormat("argilla-flat", argilla_flat.SAYS, argilla_flat.matches, argilla_flat.parse),
    PairFormat("label-studio", label_studio.SAYS, label_studio.matches, label_studio.parse),
    PairFormat("plain", native.SAYS, native.matches, native.parse),
    PairFormat("hh-rlhf", hh_rlhf.SAYS, hh_rlhf.matches, hh_rlhf.parse),
    PairFormat("ultrafeedback", ultrafeedback.SAYS, ultrafeedback.matches, ultrafeedback.parse),
    PairFormat("trl", trl.SAYS, trl.matches, trl.parse),
    PairFormat("alpaca-eval", alpaca_eval.SAYS, alpaca_eval.matches, alpaca_eval.parse),
    PairFormat("lmarena", lmarena.SAYS, lmarena.matches, lmarena.parse),
    PairFormat("kto", kto.SAYS, kto.matches, kto.parse, kto.finish),
)
NAMES = (AUTO, *(one.name for one in FORMATS))


def recognise(values: dict[str, Any]) -> PairFormat | None:
    """The format whose keys a row has."""
    return next((one for one in FORMATS if one.matches(values)), None)


def format_by_name(name: str) -> PairFormat | None:
    """None for ``auto``; NotFoundError for a name that is none."""
    if name == AUTO:
        return None
    for one in FORMATS:
        if one.name == name:
            return one
    raise NotFoundError(f"no format called {name!r}", where="--format", remedy=f"One of: {', '.join(NAMES)}")
