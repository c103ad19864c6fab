"""Pairs of a file, whatever its format, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator, KeysView
from pathlib import Path, PurePath
from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.pairs.formats.registry import (
    AUTO,
    FORMATS,
    PairFormat,
    Parsed,
    format_by_name,
    recognise,
)
from rlft_tui.pairs.pair_row import Origin
from rlft_tui.prompts.import_report import LineReport
from rlft_tui.prompts.messages import RowError
from rlft_tui.prompts.row_reader import file_format, read_rows

UNKNOWN = (
    "has neither response_a and response_b nor chosen and rejected, nor the columns of another known format"
)


class PairReader:
    """Each pair, verdict or refused line of a file (JSON lines or array, CSV, Parquet); bounded memory.

    Raises RlftError when the file as a whole cannot be read.
    """

    def __init__(self, name: str, path: Path, *, now: float, form: str = AUTO) -> None:
        self.read = 0
        """Rows read so far."""
        self.formats: list[str] = []
        """Names of the formats met so far."""
        self._forced = format_by_name(form)
        self._name, self._path = name, path
        self._origin = Origin(PurePath(name).name, now)
        self._last: tuple[KeysView[str], PairFormat] | None = None
        if file_format(name) == "txt":
            raise RlftError(
                "a text file holds no pairs",
                where=self._origin.source,
                remedy="Import it as prompts: rlft prompts import",
            )

    def __iter__(self) -> Iterator[Parsed]:
        for row in read_rows(self._name, self._path):
            self.read += 1
            if isinstance(row, LineReport):
                yield row
                continue
            form = self._forced or self._format_of(row.values)
            if form is None:
                yield LineReport(row.line, UNKNOWN)
                continue
            if form.name not in self.formats:
                self.formats.append(form.name)
            try:
                yield from form.parse(row.line, row.values, self._origin)
            except RowError as error:
                yield LineReport(row.line, str(error))
        for known in FORMATS:
            if known.name in self.formats:
                yield from known.finish(self._origin)

    def _format_of(self, values: dict[str, Any]) -> PairFormat | None:
        # Rows of one file mostly have the same columns.
        if self._last is not None and self._last[0] == values.keys() and self._last[1].matches(values):
            return self._last[1]
        form = recognise(values)
        self._last = None if form is None else (values.keys(), form)
        return form


def read_pairs(name: str, path: Path, *, now: float, form: str = AUTO) -> Iterator[Parsed]:
    """What ``PairReader`` finds in a file."""
    return iter(PairReader(name, path, now=now, form=form))
