"""Pairs from a file: one transaction, every refused line with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import duckdb

from rlft_tui.pairs.formats.registry import AUTO, Parsed
from rlft_tui.pairs.imported_choices import ImportedChoices
from rlft_tui.pairs.pair_row import Choice, OperationRow, PairRow, RowVerdict
from rlft_tui.pairs.pairs_table import add_pairs, store_pairs
from rlft_tui.pairs.read_pairs import PairReader, read_pairs
from rlft_tui.prompts.batches import batches
from rlft_tui.prompts.import_report import ImportReport, LineReport
from rlft_tui.record import Record

__all__ = ["ImportedVerdict", "LabelSink", "PairImport", "import_pairs", "read_pairs"]

MOST_REPORTS = 10_000
"""Lines of each sort that a report lists; the others are counted."""


class ImportedVerdict(Record, frozen=True):
    """A verdict that came with a row, and the pair it is about."""

    example_id: str
    line: int
    said: RowVerdict

    @property
    def choice(self) -> Choice:
        return self.said.choice


class LabelSink(Protocol):
    """Takes the labels of an import as they are read, so that they need not all be held."""

    def add_verdicts(self, verdicts: Sequence[ImportedVerdict]) -> int:
        """Store verdicts; how many were new.

        Verdicts of pairs that were there before are among them: an id derived from
        labeller, pair and choice makes a repeated import add none.
        """

    def add_operations(self, operations: Sequence[OperationRow]) -> tuple[int, list[LineReport]]:
        """Store label operations of an archive: how many were new, and which were refused."""


class _Kept:
    """Keeps verdicts instead of storing them."""

    def __init__(self) -> None:
        self.verdicts: list[ImportedVerdict] = []

    def add_verdicts(self, verdicts: Sequence[ImportedVerdict]) -> int:
        self.verdicts += verdicts
        return len(verdicts)

    def add_operations(self, operations: Sequence[OperationRow]) -> tuple[int, list[LineReport]]:
        return 0, [LineReport(operation.line, "labels are not taken here") for operation in operations]


class PairImport(Record, frozen=True):
    """An import's report, and the verdicts if no sink took them."""

    report: ImportReport
    verdicts: tuple[ImportedVerdict, ...]


def import_pairs(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    path: Path,
    *,
    now: float,
    form: str = AUTO,
    sink: LabelSink | None = None,
) -> PairImport:
    """Store every good row of a file; call it inside one write transaction.

    Raises RlftError when the file as a whole cannot be read: roll back then.
    """
    kept = _Kept()
    reader = PairReader(name, path, now=now, form=form)
    counts = _Counts()
    choices = ImportedChoices()
    for batch in batches(reader, _size):
        _store(connection, batch, kept if sink is None else sink, counts, choices)
    for line, first in choices.contradictions(MOST_REPORTS):
        counts.warn(line, f"contradicts line {first}: the later one counts")
    report = ImportReport(
        read=reader.read,
        imported=counts.imported,
        duplicates=counts.duplicates,
        rejected=tuple(sorted(counts.rejected, key=lambda entry: entry.line)),
        warnings=tuple(sorted(counts.warnings, key=lambda entry: entry.line)),
        unlisted=counts.unlisted,
        format=", ".join(reader.formats),
        verdicts=counts.verdicts,
    )
    return PairImport(report, tuple(kept.verdicts))


class _Counts:
    """What became of the rows so far."""

    def __init__(self) -> None:
        self.imported = self.duplicates = self.verdicts = self.unlisted = 0
        self.rejected: list[LineReport] = []
        self.warnings: list[LineReport] = []

    def reject(self, entries: Sequence[LineReport]) -> None:
        room = MOST_REPORTS - len(self.rejected)
        self.rejected += entries[:room]
        self.unlisted += max(0, len(entries) - room)

    def warn(self, line: int, reason: str) -> None:
        if len(self.warnings) < MOST_REPORTS:
            self.warnings.append(LineReport(line, reason))


def _store(
    connection: duckdb.DuckDBPyConnection,
    batch: Sequence[Parsed],
    sink: LabelSink,
    counts: _Counts,
    choices: ImportedChoices,
) -> None:
    counts.reject([row for row in batch if isinstance(row, LineReport)])
    good = [row for row in batch if isinstance(row, PairRow)]
    for row in good:
        for reason in row.warnings:
            counts.warn(row.line, reason)
    found = [row for row in good if not row.own_id]
    stored = store_pairs(connection, [row.pair for row in found], digests=[row.pair.id for row in found])
    added = stored.added
    if archived := [row.pair for row in good if row.own_id]:
        added += add_pairs(connection, archived)
    counts.imported += added
    counts.duplicates += len(good) - added
    verdicts: list[ImportedVerdict] = []
    for row, identity, added_now in zip(found, stored.ids, stored.new, strict=True):
        for said in row.verdicts:
            verdicts.append(ImportedVerdict(identity, row.line, said))
            choices.add(identity, said, row.line, repeated=not added_now)
    if verdicts:
        counts.verdicts += sink.add_verdicts(verdicts)
    if operations := [row for row in batch if isinstance(row, OperationRow)]:
        new, refused = sink.add_operations(operations)
        counts.verdicts += new
        counts.reject(refused)


def _size(row: Parsed) -> int:
    """Characters a row keeps in memory, about."""
    if isinstance(row, LineReport):
        return 100
    if isinstance(row, OperationRow):
        return 400 + sum(len(value) for value in row.values.values() if isinstance(value, str))
    pair = row.pair
    turns = sum(len(turn.content) for turn in pair.context)
    return 400 + len(pair.prompt) + len(pair.response_a) + len(pair.response_b) + turns
