"""Pairs from a file: one transaction, every refused line with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

import duckdb

from rlft_tui.errors import RlftError
from rlft_tui.pairs.native_pairs import is_native, parse_native
from rlft_tui.pairs.pair_row import PairRow
from rlft_tui.pairs.pairs_table import store_pairs
from rlft_tui.pairs.trl_pairs import is_trl, parse_trl
from rlft_tui.prompts.batches import batches
from rlft_tui.prompts.import_report import ImportReport, LineReport
from rlft_tui.prompts.messages import RowError
from rlft_tui.prompts.row_reader import SourceRow, file_format, read_rows


@dataclass(frozen=True, slots=True)
class ImportedVerdict:
    """A verdict that came with a preference row."""

    example_id: str
    choice: Literal["a", "b"]
    line: int


@dataclass(frozen=True, slots=True)
class PairImport:
    """An import's report and the verdicts to be stored with it.

    Verdicts of pairs that were there before are among them: store each under an id
    derived from labeller, pair and choice, and a repeated import adds none.
    """

    report: ImportReport
    verdicts: tuple[ImportedVerdict, ...]


def import_pairs(connection: duckdb.DuckDBPyConnection, name: str, path: Path, *, now: float) -> PairImport:
    """Store every good row of a file; call it inside one write transaction.

    Raises RlftError when the file as a whole cannot be read: roll back then.
    """
    read = imported = 0
    rejected: list[LineReport] = []
    warnings: list[LineReport] = []
    verdicts: list[ImportedVerdict] = []
    for batch in batches(read_pairs(name, path, now=now), _size):
        read += len(batch)
        rejected += [row for row in batch if isinstance(row, LineReport)]
        good = [row for row in batch if isinstance(row, PairRow)]
        warnings += [LineReport(row.line, reason) for row in good for reason in row.warnings]
        stored = store_pairs(connection, [row.pair for row in good], digests=[row.pair.id for row in good])
        imported += stored.added
        verdicts += [
            ImportedVerdict(identity, row.chosen, row.line)
            for row, identity in zip(good, stored.ids, strict=True)
            if row.chosen is not None
        ]
    warnings += _contradictions(verdicts)
    report = ImportReport(
        read=read,
        imported=imported,
        duplicates=read - len(rejected) - imported,
        rejected=tuple(rejected),
        warnings=tuple(sorted(warnings, key=lambda warning: warning.line)),
    )
    return PairImport(report, tuple(verdicts))


def _size(row: PairRow | LineReport) -> int:
    """Characters a row keeps in memory, about."""
    if isinstance(row, LineReport):
        return 100
    pair = row.pair
    turns = sum(len(turn.content) for turn in pair.context)
    return 400 + len(pair.prompt) + len(pair.response_a) + len(pair.response_b) + turns


def _contradictions(verdicts: list[ImportedVerdict]) -> list[LineReport]:
    """Verdicts of one file that prefer the answer an earlier line rejected."""
    first: dict[str, ImportedVerdict] = {}
    found = []
    for verdict in verdicts:
        earlier = first.setdefault(verdict.example_id, verdict)
        if earlier.choice != verdict.choice:
            found.append(LineReport(verdict.line, f"contradicts line {earlier.line}: the later one counts"))
    return found


def read_pairs(name: str, path: Path, *, now: float) -> Iterator[PairRow | LineReport]:
    """Each pair of a file (JSON lines, CSV, Parquet), or why its line was refused; bounded memory."""
    source = PurePath(name).name
    if file_format(name) == "txt":
        raise RlftError(
            "a text file holds no pairs", where=source, remedy="Import it as prompts: rlft prompts import"
        )
    for row in read_rows(name, path):
        yield row if isinstance(row, LineReport) else _parse(row, source, now)


def _parse(row: SourceRow, source: str, now: float) -> PairRow | LineReport:
    try:
        if is_native(row.values):
            return parse_native(row.line, row.values, source=source, now=now)
        if is_trl(row.values):
            return parse_trl(row.line, row.values, source=source, now=now)
    except RowError as error:
        return LineReport(row.line, str(error))
    return LineReport(row.line, "has neither response_a and response_b nor chosen and rejected")
