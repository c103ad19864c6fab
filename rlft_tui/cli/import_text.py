"""An import report as lines for a person."""

from __future__ import annotations

from rlft_tui.cli.session import Session
from rlft_tui.prompts.import_report import ImportReport

_SHOWN = 20
"""Bad lines printed one by one; --json has them all."""


def show_report(session: Session, report: ImportReport, what: str) -> None:
    """Counts on stdout; refused and doubtful lines with their reasons on stderr."""
    for title, lines in (("refused", report.rejected), ("warning", report.warnings)):
        for entry in lines[:_SHOWN]:
            session.say(f"line {entry.line}: {title}: {entry.reason}")
        if len(lines) > _SHOWN:
            session.say(f"and {len(lines) - _SHOWN} more like these; --json lists them all")
    counts = f"{report.imported} {what} imported of {report.read} read"
    counts += f", {report.duplicates} were there already" if report.duplicates else ""
    counts += f", {len(report.rejected)} refused" if report.rejected else ""
    session.show(report, counts)
