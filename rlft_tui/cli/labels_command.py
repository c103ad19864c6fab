"""rlft labels add|better|list|export|stats|undo|queue|gold|reliability|arms"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.options import Labeler, Offset
from rlft_tui.cli.queue_commands import add_queue_commands
from rlft_tui.cli.session import Session, duration, moment, table
from rlft_tui.counted import plural
from rlft_tui.errors import NotFoundError, RlftError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rlft_tui.labels.preference import BetterAnswer, HistoryEntry, Preference

app = noun("labels")


class ChoiceName(StrEnum):
    """The sides as stored, and a tie."""

    A = "a"
    B = "b"
    TIE = "tie"


class QualityName(StrEnum):
    """What a tie may say."""

    BOTH_GOOD = "both_good"
    BOTH_BAD = "both_bad"


class ExportFormat(StrEnum):
    """How labels are written out."""

    TRL = "trl"
    REWARD = "reward"
    KTO = "kto"
    SFT = "sft"
    CSV = "csv"
    HF = "hf"
    ARCHIVE = "archive"


PairId = Annotated[str, typer.Argument(metavar="PAIR_ID", help="Id, as rlft pairs list shows it.")]
Anyone = Annotated[str, typer.Option("--as", metavar="NAME", help="Only this labeller's [default: all]")]


@command(
    app,
    "rlft labels add 0197c8f2-6b7a-7d51-9b43-0a6c1f2e3d4c --choice a",
    "rlft labels add PAIR_ID --choice a --strength 4",
    "rlft labels add PAIR_ID --quality both_bad --confidence 2 --as anna --json",
)
def add(
    session: Session,
    pair_id: PairId,
    choice: Annotated[
        ChoiceName | None, typer.Option("--choice", help="Better answer, as stored (not as shown).")
    ] = None,
    strength: Annotated[
        int | None,
        typer.Option("--strength", min=1, max=4, help="1 negligibly, 2 slightly, 3 better, 4 significantly."),
    ] = None,
    quality: Annotated[
        QualityName | None, typer.Option("--quality", help="A tie in which both are good, or both bad.")
    ] = None,
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

    if choice is None and quality is None:
        raise RlftError("a verdict needs --choice", remedy="Give --choice a, b or tie, or --quality")
    name = session.labeler(labeler)
    with session.connect() as client:
        verdict = Preference(
            id=new_id(),
            example_id=client.pair(pair_id).id,
            labeler_id=name,
            choice=choice.value if choice is not None else "tie",
            confidence=confidence,
            reasoning=note,
            created_at=time.time(),
            strength=strength,
            quality=quality.value if quality is not None else "",
        )
        client.add_label(verdict)
    session.show({"id": verdict.id}, verdict.id)


@command(
    app,
    'rlft labels better PAIR_ID --text "The answer both should have given."',
    "rlft labels better PAIR_ID --file answer.md --as anna",
)
def better(
    session: Session,
    pair_id: PairId,
    text: Annotated[str | None, typer.Option("--text", metavar="TEXT", help="The answer.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="File with the answer, or - for stdin.")
    ] = None,
    labeler: Labeler = None,
) -> None:
    """Store an answer better than both of a pair and print its id.

    It is chosen over the one you judged better, and a row to imitate (SFT). A later one of the
    same labeller replaces it; rlft labels undo ID takes it back.
    """
    import time

    from rlft_tui.cli.options import read_input
    from rlft_tui.ids import new_id
    from rlft_tui.labels.preference import BetterAnswer

    if (text is None) == (file is None):
        raise RlftError("a better answer needs its text", remedy="Give either --text or --file")
    if text is None and file is not None:
        try:
            text = read_input(file)[1].decode("utf-8-sig")
        except UnicodeDecodeError:
            raise RlftError("not UTF-8 text", where=str(file)) from None
    name = session.labeler(labeler)
    with session.connect() as client:
        example = client.pair(pair_id).id
        answer = BetterAnswer(new_id(), example, name, (text or "").strip(), time.time())
        client.add_label(answer)
    session.show({"id": answer.id}, answer.id)


@command(
    app,
    "rlft labels list",
    "rlft labels list --as anna --ids",
    "rlft labels list --written --json",
    name="list",
)
def list_(
    session: Session,
    labeler: Anyone = "",
    ids: Annotated[bool, typer.Option("--ids", help="Print ids only, one a line.")] = False,
    offset: Offset = 0,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, metavar="N", help="Rows at most; 0 for all.")
    ] = 0,
    written: Annotated[
        bool, typer.Option("--written", help="The better answers that were written instead.")
    ] = False,
) -> None:
    """List the current verdicts, oldest first."""
    from rlft_tui.cli.label_export import all_labels, all_written

    labels: list[Preference] | list[BetterAnswer]
    with session.connect() as client:
        if written:
            labels = list(all_written(client, labeler=labeler, offset=offset, limit=limit or None))
        else:
            labels = list(all_labels(client, labeler=labeler, offset=offset, limit=limit or None))
    if ids:
        session.show([label.id for label in labels], "\n".join(label.id for label in labels))
    else:
        session.show(labels, lambda: _listed(labels))


def _listed(labels: Sequence[Preference | BetterAnswer]) -> str:
    from rlft_tui.labels.preference import STRENGTHS, Preference

    start = [(label.id, label.example_id, label.labeler_id) for label in labels]
    verdicts = [label for label in labels if isinstance(label, Preference)]
    if len(verdicts) < len(labels):
        ends = [(moment(one.created_at), one.text) for one in labels if not isinstance(one, Preference)]
        return table(("id", "pair", "labeller", "time", "text"), _glued(start, ends))
    rows = [
        (
            *(one.choice, STRENGTHS.get(one.strength or 0, "") or one.quality.replace("_", " ")),
            *(one.confidence, moment(one.created_at), one.reasoning),
        )
        for one in verdicts
    ]
    head = ("id", "pair", "labeller", "choice", "how much", "confidence", "time", "note")
    return table(head, _glued(start, rows))


def _glued(
    starts: Sequence[tuple[object, ...]], ends: Sequence[tuple[object, ...]]
) -> list[tuple[object, ...]]:
    return [start + end for start, end in zip(starts, ends, strict=True)]


@command(
    app,
    "rlft labels stats",
    "rlft labels stats --as anna --json",
    "rlft labels stats --full",
)
def stats(
    session: Session,
    labeler: Anyone = "",
    full: Annotated[
        bool,
        typer.Option("--full", help="Also pace and fatigue, biases, agreement, and the stopping rule."),
    ] = False,
) -> None:
    """Count the current verdicts by choice, labeller and day, with signs of bias.

    With --full also: time a verdict (idle time left out) and how it drifts over a session;
    agreement with other labellers, a judge and, by hidden repeats, oneself; the pull of side and
    length; and about how many verdicts still separate each two models. Intervals are 95 %.
    """
    from rlft_tui.cli.statistics import full_statistics

    with session.connect() as client:
        counted = client.label_stats(labeler=labeler)
        more = full_statistics(client, labeler) if full else None

    def text() -> str:
        return counts() + (more.text() if more else "")

    def counts() -> str:
        rows: list[tuple[str, object, object]] = [("verdicts", "", counted.total)]
        rows += [("choice", key, count) for key, count in counted.by_choice.items()]
        rows += [("strength", key, count) for key, count in counted.by_strength.items()]
        rows += [("tie", key.replace("_", " "), count) for key, count in counted.by_quality.items()]
        rows += [("better answers", "", counted.written)] if counted.written else []
        rows += [("labeller", key, count) for key, count in counted.by_labeler.items()]
        rows += [("day", key, count) for key, count in counted.by_day.items()]
        rows += [("skipped", "", counted.skipped), ("flagged", "", counted.flagged)]
        rows += [("taken back", "", counted.revoked)]
        rows += [("left side chosen", "", _percent(counted.left_rate))]
        rows += [("longer answer chosen", "", _percent(counted.longer_rate))]
        rows += [("median time", "", duration(counted.median_seconds) or "-")]
        return table(("", "", "n"), rows)

    session.show(more.added_to(counted) if more else counted, text)


@command(
    app,
    "rlft labels export preferences.jsonl",
    "rlft labels export all.csv --format csv --as anna",
    "rlft labels export ./shared/ --format archive",
)
def export(
    session: Session,
    target: Annotated[
        str,
        typer.Argument(
            metavar="FILE|DIR/", help="File to write, - for standard output, or a folder for file and card."
        ),
    ],
    form: Annotated[
        ExportFormat,
        typer.Option("--format", help="What the rows are for; archive loses nothing."),
    ] = ExportFormat.TRL,
    labeler: Anyone = "",
) -> None:
    """Write labels for TRL, a spreadsheet, or another workspace.

    trl: preference rows, with a margin once verdicts have a strength; reward: a margin in every row;
    kto: good and bad answers; sft: answers to imitate; csv: every verdict; hf: a saved data set of
    trl rows; archive: every pair and label with ids and times, which rlft pairs import takes back.
    What a format cannot say is left out and counted. A folder gets a card, README.md, that says how
    the pairs were sampled and labelled and how far labellers agreed. Each file appears whole or not at all.
    """
    from rlft_tui.cli.export_files import export_labels

    done = export_labels(session, target, form.value, labeler)
    ties = done.left_out.get("tie", 0)
    if target != "-":
        value = {"path": done.path, "rows": done.rows, "ties": ties, "left_out": done.left_out}
        session.show({**value, "files": done.files}, "\n".join(done.files))
    left = ", ".join(f"{count} {reason}" for reason, count in sorted(done.left_out.items()))
    session.say(f"{done.rows} {plural(done.rows, 'row')} written" + (f", left out: {left}" if left else ""))


@command(app, "rlft labels undo", "rlft labels undo --as anna")
def undo(
    session: Session,
    label_id: Annotated[
        str, typer.Argument(metavar="[LABEL_ID]", help="What to take back [default: the newest]")
    ] = "",
    labeler: Labeler = None,
) -> None:
    """Take back a verdict, skip, flag or better answer: the labeller's newest, or the one named."""
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


add_queue_commands(app)
