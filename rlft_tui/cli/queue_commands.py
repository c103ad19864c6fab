"""rlft labels queue|gold|reliability|labelers|arms, and the flags that say which pairs come next"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from rlft_tui.cli.command import command
from rlft_tui.cli.options import Category, Labeler, Search
from rlft_tui.cli.session import Session, duration, moment, table

if TYPE_CHECKING:
    from rlft_tui.labels.queue_view import QueueView


class OrderName(StrEnum):
    """In which order pairs come."""

    RANDOM = "random"
    LEAST = "least"
    OLDEST = "oldest"
    ACTIVE = "active"
    RANKING = "ranking"


class GoldChoice(StrEnum):
    """The right answer of a pair, or that there is none any more."""

    A = "a"
    B = "b"
    TIE = "tie"
    NONE = "none"


OrderFlag = Annotated[
    OrderName,
    typer.Option(
        "--order",
        help="random; least labelled first; oldest first; active: what a reward model learns most from; "
        "ranking: what tells the models apart. The last two keep a random share as control.",
    ),
]
ModelFlag = Annotated[
    list[str] | None,
    typer.Option("--model", metavar="NAME", help="Only pairs with this model; twice: between these two."),
]
SourceFlag = Annotated[
    str, typer.Option("--source", metavar="NAME", help="Only pairs from this file or run.")
]
OverlapFlag = Annotated[
    int | None,
    typer.Option("--overlap", min=0, metavar="N", help="Labellers a pair; 0 for all [default: rlft.toml]"),
]


def queue_view(
    session: Session,
    order: OrderName,
    category: str,
    models: list[str] | None,
    source: str,
    search: str,
    overlap: int | None,
) -> QueueView:
    """The view that the flags ask for, as the label screen shows it."""
    from rlft_tui.labels.queue_view import QueueView

    return QueueView(
        category=category,
        models=tuple(models or ()),
        source=source,
        search=search,
        order=order.value,
        overlap=session.settings().overlap if overlap is None else overlap,
        repeats=True,
    ).checked()


def add_queue_commands(app: typer.Typer) -> None:
    """Put the commands under ``rlft labels``."""
    command(app, "rlft labels queue", "rlft labels queue --order active --category code --json")(queue)
    command(
        app,
        "rlft labels gold PAIR_ID --choice a",
        "rlft labels gold PAIR_ID --choice none",
        "rlft labels gold --json",
    )(gold)
    command(app, "rlft labels reliability", "rlft labels reliability --as anna --json")(reliability)
    command(app, "rlft labels labelers", "rlft labels labelers --json")(labelers)
    command(app, "rlft labels arms", "rlft labels arms --json")(arms)


def queue(
    session: Session,
    order: OrderFlag = OrderName.RANDOM,
    category: Category = "",
    model: ModelFlag = None,
    source: SourceFlag = "",
    search: Search = "",
    overlap: OverlapFlag = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="Pairs at most.")] = 10,
    labeler: Labeler = None,
) -> None:
    """Show which pairs would come next on the Label screen, and why each was chosen."""
    from msgspec.structs import replace

    view = queue_view(session, order, category, model, source, search, overlap)
    with session.connect() as client:
        page = client.queue(
            session.labeler(labeler), limit=limit, view=replace(view, repeats=False), peek=True
        )
    value = {
        "order": view.order,
        "remaining": page.progress.remaining,
        "pairs": [
            {"id": item.pair.id, "arm": item.arm, "category": item.pair.category, "prompt": item.pair.prompt}
            for item in page.items
        ],
    }

    def text() -> str:
        rows = [(item.pair.id, item.arm, item.pair.category, item.pair.prompt) for item in page.items]
        return table(("pair", "chosen by", "category", "prompt"), rows, empty="Nothing is left to label.")

    session.show(value, text)


def gold(
    session: Session,
    pair_id: Annotated[str, typer.Argument(metavar="[PAIR_ID]", help="Pair [default: list them]")] = "",
    choice: Annotated[
        GoldChoice | None, typer.Option("--choice", help="The right answer, as stored; none forgets it.")
    ] = None,
) -> None:
    """Say what the right verdict on a pair is, or list the pairs for which it is known.

    Labellers see gold pairs early, like any other pair; rlft labels reliability tells how many
    each got right.
    """
    from rlft_tui.errors import RlftError

    if (not pair_id) != (choice is None):
        raise RlftError("a gold pair needs its id and --choice", remedy="rlft labels gold PAIR_ID --choice a")
    with session.connect() as client:
        if choice is not None:
            right = "" if choice is GoldChoice.NONE else choice.value
            client.set_gold(pair_id, right, session.labeler(None))
            session.show({"id": pair_id, "choice": choice.value}, pair_id)
            return
        pairs = client.gold()
    rows = [(one.example_id, one.choice, moment(one.created_at), one.prompt) for one in pairs]
    session.show(pairs, lambda: table(("pair", "right", "since", "prompt"), rows, empty="No gold pairs."))


def reliability(
    session: Session,
    labeler: Annotated[str, typer.Option("--as", metavar="NAME", help="Only this labeller's")] = "",
) -> None:
    """How far each labeller can be relied on: gold pairs right, and repeats judged the same.

    A share of the pairs comes back hidden with its sides swapped (repeat_share in rlft.toml).
    """
    with session.connect() as client:
        found = client.reliability(labeler=labeler)

    def text() -> str:
        rows = [
            (
                *(one.labeler, one.gold, _percent(one.gold_rate), one.repeats, _percent(one.self_agreement)),
                *(one.left_twice, one.right_twice),
            )
            for one in found
        ]
        head = ("labeller", "gold", "right", "repeats", "same", "left twice", "right twice")
        return table(head, rows, empty="Nothing measured yet: no gold pair and no repeat was judged.")

    session.show(found, text)


def labelers(session: Session) -> None:
    """Who has labelled here: since when, until when, and how many of their labels stand."""
    with session.connect() as client:
        found = client.labelers()

    def text() -> str:
        rows = [
            (
                *(one.name, moment(one.first_seen), moment(one.last_seen), one.verdicts, one.marks),
                *(one.written, one.scores, one.rankings),
            )
            for one in found
        ]
        head = ("labeller", "first", "last", "verdicts", "set aside", "written", "scores", "rankings")
        return table(head, rows, empty="Nobody has labelled here yet.")

    session.show(found, text)


def arms(session: Session) -> None:
    """What each order's verdicts were, and how well a small model trained on them predicts.

    Every order gets as many verdicts to learn from; all predict the same random pairs.
    """
    with session.connect() as client:
        found = client.arms()

    def text() -> str:
        rows = [
            (
                *(one.arm, one.verdicts, one.ties, duration(one.median_seconds)),
                *(one.trained_on or "", _percent(one.accuracy)),
            )
            for one in found
        ]
        head = ("chosen by", "verdicts", "ties", "median time", "trained on", "predicts")
        return table(head, rows, empty="No verdict was given from the queue yet.")

    session.show(found, text)


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.1%}"
