"""rlft rankings import|list|undo"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.options import InputFile, Labeler, Limit, Offset
from rlft_tui.cli.session import Session, moment, table
from rlft_tui.errors import NotFoundError

if TYPE_CHECKING:
    from rlft_tui.labels.ranking import Ranking

app = noun("rankings")


@command(app, "rlft rankings import answers.jsonl", name="import")
def import_(session: Session, file: InputFile) -> None:
    """Store answers to be ranked: prompt and responses (3 to 8 texts), models if known, a line each.

    Prompts with three or more answers in stored pairs are offered for ranking by themselves.
    """
    from rlft_tui.cli.import_source import refuse_empty
    from rlft_tui.cli.import_text import show_report
    from rlft_tui.cli.options import read_input

    name, content = read_input(file)
    refuse_empty(content, str(file))
    with session.connect() as client:
        report = client.import_answers(name, content)
    show_report(session, report, "rankings", "set of answers", "sets of answers")


@command(app, "rlft rankings list", "rlft rankings list --as anna --json", name="list")
def list_(
    session: Session,
    labeler: Annotated[
        str, typer.Option("--as", metavar="NAME", help="Only this labeller's [default: all]")
    ] = "",
    offset: Offset = 0,
    limit: Limit = 1000,
) -> None:
    """List the standing rankings, oldest first."""
    with session.connect() as client:
        found = client.rankings(labeler=labeler, offset=offset, limit=limit)
    session.show(
        found,
        lambda: table(
            ("id", "labeller", "answers", "order", "time", "prompt"),
            [
                (
                    *(one.id, one.labeler_id, len(one.responses), order_text(one)),
                    *(moment(one.created_at), one.prompt),
                )
                for one in found
            ],
        ),
    )


@command(app, "rlft rankings undo", "rlft rankings undo RANKING_ID --as anna")
def undo(
    session: Session,
    ranking_id: Annotated[
        str, typer.Argument(metavar="[RANKING_ID]", help="What to take back [default: the newest]")
    ] = "",
    labeler: Labeler = None,
) -> None:
    """Take back a ranking and every verdict that came from it."""
    import time

    from rlft_tui.ids import new_id
    from rlft_tui.labels.preference import Revocation

    name = session.labeler(labeler)
    with session.connect() as client:
        target = ranking_id or next(
            (one.ranking.id for one in client.ranking_history(name, limit=1000) if not one.revoked), ""
        )
        if not target:
            raise NotFoundError("nothing to take back", where=name, remedy="Name another: --as NAME")
        client.undo_ranking(Revocation(new_id(), target, name, time.time()))
    session.show({"id": target}, target)


def order_text(ranking: Ranking) -> str:
    """Answers by number, best first: ``2 > 1 = 3``."""
    return " > ".join(" = ".join(str(index + 1) for index in group) for group in ranking.order)
