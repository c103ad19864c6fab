"""An import report as lines for a person."""

from __future__ import annotations

from rlft_tui.cli.session import Session
from rlft_tui.counted import plural
from rlft_tui.errors import RlftError
from rlft_tui.prompts.import_report import ImportReport

_SHOWN = 20
"""Bad lines printed one by one; --json has ten thousand."""


def show_report(session: Session, report: ImportReport, noun: str, one: str, many: str = "") -> None:
    """Counts of ``one`` or ``many`` on stdout; refused and doubtful lines with their reasons on stderr.

    RlftError after that when every row was refused, and in place of it when there was none.
    """
    if not report.read:
        raise RlftError("there are no rows in it: nothing was imported")
    say_refused(session, report)
    counts = f"{report.imported} {plural(report.imported, one, many)} imported of {report.read} read"
    counts += f", {report.duplicates} were there already" if report.duplicates else ""
    counts += f", {report.refused} refused" if report.refused else ""
    if report.verdicts:
        counts += f", {report.verdicts} {plural(report.verdicts, 'label')} came with them"
    if report.format:
        session.say(f"format: {report.format}")
    session.show(report, counts)
    if report.refused and not report.imported and not report.duplicates:
        every = "the one row was" if report.refused == 1 else f"all {report.refused} rows were"
        raise RlftError(
            f"nothing was imported: {every} refused",
            remedy=f"The lines above say why; rlft {noun} import --help names the formats",
        )


def say_refused(session: Session, report: ImportReport) -> None:
    """The first refused and doubtful lines with their reasons, on stderr."""
    for title, lines in (("refused", report.rejected), ("warning", report.warnings)):
        for entry in lines[:_SHOWN]:
            session.say(f"line {entry.line}: {title}: {entry.reason}")
        more = len(lines) - _SHOWN + (report.unlisted if title == "refused" else 0)
        if len(lines) > _SHOWN:
            session.say(f"and {more} more like these; --json lists the first ten thousand")
