"""rlft feedback add|list|export|undo"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.options import Labeler, Offset
from rlft_tui.cli.session import Session, moment, table
from rlft_tui.errors import NotFoundError

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient
    from rlft_tui.labels.feedback import Feedback

app = noun("feedback")

Anyone = Annotated[str, typer.Option("--as", metavar="NAME", help="Only this labeller's [default: all]")]


class KindName(StrEnum):
    """How a score is given."""

    SCORE = "score"
    THUMB = "thumb"
    LIKERT = "likert"


class ExportFormat(StrEnum):
    """How scores are written out."""

    JSONL = "jsonl"
    CSV = "csv"


@command(
    app,
    'rlft feedback add "What is 2 + 2?" "4" --score 1',
    'rlft feedback add PROMPT RESPONSE --score 0.75 --kind likert --model tuned --notes "a little long"',
)
def add(
    session: Session,
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What was asked.")],
    response: Annotated[str, typer.Argument(metavar="RESPONSE", help="The answer that is scored.")],
    score: Annotated[float, typer.Option("--score", min=0.0, max=1.0, help="0, very poor, to 1, excellent.")],
    kind: Annotated[KindName, typer.Option("--kind", help="thumb: 0 or 1; likert: steps of 0.25.")] = (
        KindName.SCORE
    ),
    model: Annotated[str, typer.Option("--model", metavar="NAME", help="Model that answered.")] = "",
    run: Annotated[str, typer.Option("--run", metavar="RUN", help="Run that made the answer.")] = "",
    notes: Annotated[str, typer.Option("--notes", metavar="TEXT", help="Why.")] = "",
    agent: Annotated[str, typer.Option("--agent", metavar="NAME", help="Policy that it is for.")] = "",
    labeler: Labeler = None,
) -> None:
    """Store a score of one answer and print its id.

    0.9 to 1 excellent, 0.7 to 0.9 good, 0.5 to 0.7 mediocre, 0.3 to 0.5 poor, below very poor.
    """
    import time

    from rlft_tui.ids import new_id
    from rlft_tui.labels.feedback import Feedback

    one = Feedback(
        id=new_id(),
        prompt=prompt,
        response=response,
        score=score,
        kind=kind.value,
        labeler_id=session.labeler(labeler),
        model=model,
        run_id=run,
        notes=notes,
        created_at=time.time(),
        agent=agent,
    )
    with session.connect() as client:
        progress = client.add_feedback(one)
    session.show({"id": one.id}, one.id)
    if progress.warning:
        session.say(progress.warning)


@command(app, "rlft feedback list", "rlft feedback list --as anna --json", name="list")
def list_(
    session: Session,
    labeler: Anyone = "",
    offset: Offset = 0,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="Rows at most; 0 for all.")] = 0,
) -> None:
    """List the standing scores, oldest first."""
    with session.connect() as client:
        found = list(_all(client, labeler, offset, limit))
    session.show(
        found,
        lambda: table(
            ("id", "labeller", "score", "kind", "model", "time", "prompt"),
            [
                (one.id, one.labeler_id, one.score, one.kind, one.model, moment(one.created_at), one.prompt)
                for one in found
            ],
        ),
    )


@command(app, "rlft feedback export scores.jsonl", "rlft feedback export scores.csv --format csv")
def export(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write, or - for standard output.")],
    form: Annotated[ExportFormat, typer.Option("--format", help="jsonl or csv.")] = ExportFormat.JSONL,
    labeler: Anyone = "",
) -> None:
    """Write the standing scores to a file, which appears whole or not at all."""
    import csv
    import io

    import msgspec

    from rlft_tui.cli.label_export import refuse_own_files
    from rlft_tui.cli.options import write_file
    from rlft_tui.cli.session import write_data
    from rlft_tui.labels.feedback import Feedback

    refuse_own_files(session.workspace(), file)
    with session.connect() as client:
        found = list(_all(client, labeler, 0, 0))
    if form is ExportFormat.JSONL:
        content = b"".join(msgspec.json.encode(one) + b"\n" for one in found)
    else:
        names = Feedback.__struct_fields__
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(names)
        writer.writerows([getattr(one, name) for name in names] for one in found)
        content = text.getvalue().encode()
    if str(file) == "-":
        write_data(content.decode())
    else:
        write_file(file, content)
        session.show({"path": str(file), "rows": len(found)}, str(file))
    session.say(f"{len(found)} scores written")


@command(app, "rlft feedback undo", "rlft feedback undo FEEDBACK_ID --as anna")
def undo(
    session: Session,
    feedback_id: Annotated[
        str, typer.Argument(metavar="[FEEDBACK_ID]", help="What to take back [default: the newest]")
    ] = "",
    labeler: Labeler = None,
) -> None:
    """Take back a score: the labeller's newest, or the one named."""
    import time

    from rlft_tui.ids import new_id
    from rlft_tui.labels.preference import Revocation

    name = session.labeler(labeler)
    with session.connect() as client:
        target = feedback_id or next(
            (one.feedback.id for one in client.feedback_history(name, limit=1000) if not one.revoked), ""
        )
        if not target:
            raise NotFoundError("nothing to take back", where=name, remedy="Name another: --as NAME")
        client.undo_feedback(Revocation(new_id(), target, name, time.time()))
    session.show({"id": target}, target)


def _all(client: WorkspaceClient, labeler: str, offset: int, limit: int) -> Iterator[Feedback]:
    """Every standing score, a page at a time; ``limit`` 0 for all."""
    page, left = 5000, limit or 10**9
    while left > 0:
        found = client.feedback(labeler=labeler, offset=offset, limit=min(page, left))
        yield from found
        if len(found) < min(page, left):
            return
        offset, left = offset + len(found), left - len(found)
