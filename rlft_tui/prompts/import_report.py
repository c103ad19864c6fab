"""What became of an imported file."""

from __future__ import annotations

from rlft_tui.record import Record


class LineReport(Record, frozen=True):
    """One line of an imported file, and why it was refused or doubted."""

    line: int
    reason: str


class ImportReport(Record, frozen=True):
    """What became of an imported file. The good rows are stored in one transaction."""

    read: int
    imported: int
    duplicates: int
    rejected: tuple[LineReport, ...] = ()
    warnings: tuple[LineReport, ...] = ()
    unlisted: int = 0
    """Refused lines beyond those in ``rejected``."""
    format: str = ""
    """The format or formats of pairs that were recognised, separated by commas."""
    verdicts: int = 0
    """Labels that came with the pairs and were new."""

    @property
    def refused(self) -> int:
        """How many lines were refused."""
        return len(self.rejected) + self.unlisted
