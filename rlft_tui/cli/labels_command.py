"""rlft labels add|list|export|stats|undo"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.options import Labeler, Offset
from rlft_tui.cli.session import Session, duration, moment, table
from rlft_tui.errors import NotFoundError

if TYPE_CHECKING:
    from rlft_tui.labels.preference import HistoryEntry

app = noun("labels")


class ChoiceName(StrEnum):
    """The sides as stored, and a tie."""

    A = "a"
    B = "b"
    TIE = "tie"


class ExportFormat(StrEnum):
    """How labels are written out."""

    TRL = "trl"
    CSV = "csv"


Anyone = Annotated[str, typer.Option("--as", metavar="NAME", help="Only this labeller's [default: all]")]


@command(
    app,
    "rlft labels add 0197c8f2-6b7a-7d51-9b43-0a6c1f2e3d4c --choice a",
    "rlft labels add PAIR_ID --choice tie --confidence 2 --as anna --json",
)
def add(
    session: Session,
    pair_id: Annotated[str, typer.Argument(metavar="PAIR_ID", help="Id, as rlft pairs list shows it.")],
    choice: Annotated[ChoiceName, typer.Option("--choice", help="Better answer, as stored (not as shown).")],
    confidence: Annotated[
        int | None, typer.Option("--confidence", min=1, max=5, metavar="N", help="1, a guess, to 5, certain.")
    ] = None,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Why.")] = "",
    labeler: Labeler = None,
) -> None:
    """Store a verdict on a pair and print its id."""
    import time

    from rlft_tui.ids import new_id
    from rlft_tui.labels.preference import Preference

    name = session.labeler(labeler)
    with session.connect() as client:
        verdict = Preference(
            id=new_id(),
            example_id=client.pair(pair_id).id,
            labeler_id=name,
            choice=choice.value,
            confidence=confidence,
            reasoning=note,
            created_at=time.time(),
        )
        client.add_label(verdict)
    session.show({"id": verdict.id}, verdict.id)


@command(app, "rlft labels list", "rlft labels list --as anna --ids", name="list")
def list_(
    session: Session,
    labeler: Anyone = "",
    ids: Annotated[bool, typer.Option("--ids", help="Print ids only, one a line.")] = False,
    offset: Offset = 0,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, metavar="N", help="Rows at most; 0 for all.")
    ] = 0,
) -> None:
    """List the current verdicts, oldest first."""
    from rlft_tui.cli.label_export import all_labels

    with session.connect() as client:
        labels = list(all_labels(client, labeler=labeler, offset=offset, limit=limit or None))
    if ids:
        session.show([label.id for label in labels], "\n".join(label.id for label in labels))
        return
    session.show(
        labels,
        lambda: table(
            ("id", "pair", "labeller", "choice", "confidence", "time", "note"),
            [
                (
                    label.id,
                    label.example_id,
                    label.labeler_id,
                    label.choice,
                    label.confidence,
                    moment(label.created_at),
                    label.reasoning,
                )
                for label in labels
            ],
        ),
    )


@command(app, "rlft labels stats", "rlft labels stats --as anna --json")
def stats(session: Session, labeler: Anyone = "") -> None:
    """Count the current verdicts by choice, labeller and day, with signs of bias."""
    with session.connect() as client:
        counted = client.label_stats(labeler=labeler)

    def text() -> str:
        rows: list[tuple[str, object, object]] = [("verdicts", "", counted.total)]
        rows += [("choice", key, count) for key, count in counted.by_choice.items()]
        rows += [("labeller", key, count) for key, count in counted.by_labeler.items()]
        rows += [("day", key, count) for key, count in counted.by_day.items()]
        rows += [("skipped", "", counted.skipped), ("flagged", "", counted.flagged)]
        rows += [("taken back", "", counted.revoked)]
        rows += [("left side chosen", "", _percent(counted.left_rate))]
        rows += [("longer answer chosen", "", _percent(counted.longer_rate))]
        rows += [("median time", "", duration(counted.median_seconds) or "-")]
        return table(("", "", "n"), rows)

    session.show(counted, text)


@command(
    app,
    "rlft labels export preferences.jsonl",
    "rlft labels export all.csv --format csv --as anna",
)
def export(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write, or - for standard output.")],
    form: Annotated[
        ExportFormat,
        typer.Option("--format", help="trl: conversational preference rows; csv: every verdict."),
    ] = ExportFormat.TRL,
    labeler: Anyone = "",
) -> None:
    """Write the current verdicts to a file that TRL, or a spreadsheet, reads.

    trl leaves out ties, which a preference row cannot say. The file appears whole or not at all.
    """
    from rlft_tui.cli.label_export import encode_csv, encode_trl, judged_pairs, refuse_own_files
    from rlft_tui.cli.options import write_file
    from rlft_tui.cli.session import write_data

    refuse_own_files(session.workspace(), file)
    with session.connect() as client:
        rows = list(judged_pairs(client, labeler=labeler))
    written, content = encode_trl(rows) if form is ExportFormat.TRL else encode_csv(rows)
    if str(file) == "-":
        write_data(content.decode())
    else:
        write_file(file, content)
        session.show({"path": str(file), "rows": written, "ties": len(rows) - written}, str(file))
    left = len(rows) - written
    session.say(f"{written} verdicts written" + (f", {left} ties left out" if left else ""))


@command(app, "rlft labels undo", "rlft labels undo --as anna")
def undo(
    session: Session,
    label_id: Annotated[
        str, typer.Argument(metavar="[LABEL_ID]", help="What to take back [default: the newest]")
    ] = "",
    labeler: Labeler = None,
) -> None:
    """Take back a verdict, skip or flag: the newest one of the labeller, or the one named."""
    import time

    from rlft_tui.ids import new_id
    from rlft_tui.labels.preference import Revocation

    name = session.labeler(labeler)
    with session.connect() as client:
        target = label_id or _newest(client.history(name, limit=1000), name)
        client.add_label(Revocation(new_id(), target, name, time.time()))
    session.show({"id": target}, target)


def _newest(history: tuple[HistoryEntry, ...], name: str) -> str:
    for entry in history:
        if not entry.revoked:
            return entry.operation.id
    raise NotFoundError("nothing to take back", where=name, remedy="Name another labeller: --as NAME")


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.1%}"
