"""What became of an imported file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LineReport:
    """One line of an imported file, and why it was refused or doubted."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of an imported file. The good rows are stored in one transaction."""

    read: int
    imported: int
    duplicates: int
    rejected: tuple[LineReport, ...] = ()
    warnings: tuple[LineReport, ...] = ()
