"""rlft loop show|promote|reject|next|pairs"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rlft_tui.cli.command import JsonOption, WorkspaceOption, command, inner_session, noun
from rlft_tui.cli.confirm import can_ask, confirmed
from rlft_tui.cli.options import Follow, Labeler, Now
from rlft_tui.cli.session import Session, fields, moment, table
from rlft_tui.errors import RlftError

if TYPE_CHECKING:
    from rlft_tui.evaluations.round_standing import NextRound, RoundStanding, Score

app = noun("loop")

RoundId = Annotated[
    str,
    typer.Argument(
        metavar="[ROUND]", help="A training run, or the model it made [default: the one that waits]"
    ),
]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, for later.")]


@app.callback(invoke_without_command=True)
def _loop(ctx: typer.Context, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    ctx.obj = session = inner_session(ctx.find_object(Session) or Session(), workspace, json)
    if ctx.invoked_subcommand is None:
        _show_all(session)


@command(app, "rlft loop show", "rlft loop show dpo-1129-1740-abcd --json")
def show(
    session: Session,
    round_id: Annotated[
        str, typer.Argument(metavar="[ROUND]", help="A training run, a model, or an A/B test [default: all]")
    ] = "",
) -> None:
    """Show the rounds: data, run, win rate against what was there before, and what was decided.

    The win rate counts people's verdicts on the pairs that were made for the round; its interval
    (95 %) holds however often one looks. Judges' verdicts are told apart.
    """
    if not round_id:
        _show_all(session)
        return
    with session.connect() as client:
        one = client.round(round_id)
    session.show(one, lambda: _fields(one))


@command(app, "rlft loop promote", "rlft loop promote dpo-1129-1740-abcd --policy support --json")
def promote(
    session: Session,
    round_id: RoundId = "",
    policy: Annotated[
        str,
        typer.Option(
            "--policy", metavar="NAME", help="Of which it becomes the current version [default: its]"
        ),
    ] = "",
    note: Note = "",
    labeler: Labeler = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Promote what is not told apart yet without being asked.")
    ] = False,
) -> None:
    """Make a round's model the current version of its policy.

    models/POLICY/current.json names it from then on, and the next round begins with it. To go back,
    promote an earlier round again. One that is not told apart from what was there before needs a yes.
    """
    who = session.labeler(labeler)
    with session.connect() as client:
        before = client.round(round_id)
        if before.people.state != "separated" or not before.people.is_ahead:
            from rlft_tui.evaluations.round_text import advice

            session.say(f"Not told apart yet. {advice(before)}")
            question = f"Make {before.round.model} the current version in spite of this?"
            if not yes and not (can_ask(json=session.json) and confirmed(question)):
                raise RlftError("nothing was promoted", where=before.round.id, remedy="Promote with --yes")
        one = client.promote(before.round.id, labeler=who, policy=policy, note=note)
    session.show(one, one.round.model)


@command(app, "rlft loop reject", "rlft loop reject dpo-1129-1740-abcd --note 'too short'")
def reject(session: Session, round_id: RoundId = "", note: Note = "", labeler: Labeler = None) -> None:
    """Leave things as they are: the round's model does not become the current version."""
    who = session.labeler(labeler)
    with session.connect() as client:
        before = client.round(round_id)
        one = client.reject(before.round.id, labeler=who, note=note)
    session.show(one, one.round.model)


@command(app, "rlft loop next", "rlft loop next --launch --follow", name="next")
def next_(
    session: Session,
    round_id: Annotated[
        str, typer.Argument(metavar="[ROUND]", help="The round to go on from [default: the newest]")
    ] = "",
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Name of the data set [default: POLICY-N]")
    ] = "",
    launch: Annotated[
        bool, typer.Option("--launch", help="Start the run too; without it its command is printed.")
    ] = False,
    follow: Follow = False,
    now: Now = False,
) -> None:
    """Go round again: freeze today's labels and train from the current version on.

    The data set is built as the last one was, with every verdict there is now. The run takes over the
    settings of the last one.
    """
    with session.connect() as client:
        found = client.next_round(round_id, name=name)
    if not found.is_new:
        session.say("No labels since: it is the data that there was already")
    if launch:
        from rlft_tui.cli.run_progress import finish_launch
        from rlft_tui.cli.train_command import launch_values

        values = launch_values(session, found.method, {}, clone=found.clone)
        values |= _beginning(found)
        with session.connect() as client:
            run = client.launch({**values, "now": now})
            finish_launch(session, client, run, follow=follow)
        return
    session.show({"next": found, "command": _command(found)}, _command(found))


@command(app, "rlft loop pairs", "rlft loop pairs dpo-1129-1740-abcd -n 50 --json")
def pairs(
    session: Session,
    round_id: RoundId = "",
    count: Annotated[int, typer.Option("-n", "--count", min=1, metavar="N", help="Prompts to answer.")] = 20,
) -> None:
    """Have both models of a round answer further prompts that neither was trained on."""
    with session.connect() as client:
        one = client.more_pairs(client.round(round_id).round.id, count)
    session.show(one, one.pairs_runs[-1] if one.pairs_runs else "")


def show_rounds(session: Session, rounds: tuple[RoundStanding, ...], *, empty: str) -> None:
    """A table of rounds or of A/B tests."""
    from rlft_tui.evaluations.round_text import data_text, judged_text, rate_text, stage_text

    session.show(
        rounds,
        lambda: table(
            ("round", "model", "against", "data", "judged", "win rate, 95 %", "judges", "state", "begun"),
            [
                (
                    *(one.round.id, one.round.model, one.round.opponent, data_text(one), judged_text(one)),
                    *(rate_text(one.people), rate_text(one.judges), stage_text(one)),
                    moment(one.round.created_at),
                )
                for one in rounds
            ],
        ),
    )
    if not rounds:
        session.say(empty)


def _show_all(session: Session) -> None:
    with session.connect() as client:
        rounds = client.rounds()
    show_rounds(session, rounds, empty="No rounds yet. A training run begins one: rlft train dpo --follow")


def _fields(one: RoundStanding) -> str:
    from rlft_tui.evaluations.round_text import advice, data_text, judged_text, stage_text

    return fields(
        [
            ("round", one.round.id),
            ("model", one.round.model),
            ("against", one.round.opponent),
            ("policy", one.round.policy),
            ("data", data_text(one)),
            ("run", one.round.run_id),
            ("pairs from", ", ".join(one.pairs_runs)),
            ("judged", judged_text(one)),
            ("people", _score(one.people)),
            ("judges", _score(one.judges)),
            ("state", stage_text(one)),
            ("decided", f"{moment(one.decided_at)} by {one.decided_by}" if one.decided_by else ""),
            ("note", one.decision_note),
            ("", advice(one)),
        ]
    )


def _score(score: Score | None) -> str:
    from rlft_tui.evaluations.round_text import rate_text

    if score is None or not score.n:
        return ""
    return f"{rate_text(score)} · {score.wins:,} won · {score.losses:,} lost · {score.ties:,} tied"


def _beginning(found: NextRound) -> dict[str, Any]:
    """The policy needs no naming: the run's clone names it, or it follows from the model."""
    return {"model": found.model, "dataset": found.dataset.hash}


def _command(found: NextRound) -> str:
    import shlex

    words = ["rlft", "train", found.method]
    words += ["--clone", found.clone] if found.clone else []
    words += ["--model", found.model, "--dataset", found.dataset.hash]
    return shlex.join(words)
