"""rlft runs stop|pause|resume|cancel|move|kill: what is asked of a run that is there."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from rlft_tui.cli.command import command
from rlft_tui.cli.options import Follow, Now, RunId
from rlft_tui.cli.session import Session
from rlft_tui.errors import RlftError

Wait = Annotated[bool, typer.Option("--wait", help="Return only when the run has ended.")]


def stop(session: Session, run_id: RunId, wait: Wait = False) -> None:
    """Have a run save a checkpoint, verify it and end; one that waits is taken out of the line."""
    _act(session, run_id, "stop", wait)


def pause(session: Session, run_id: RunId, wait: Wait = False) -> None:
    """Have a run save a checkpoint and free the device, to go on later; one that waits keeps its place."""
    _act(session, run_id, "pause", wait)


def cancel(session: Session, run_id: RunId) -> None:
    """Take a run that waits out of the line; rlft runs resume puts it back."""
    _act(session, run_id, "cancel")


def kill(session: Session, run_id: RunId, wait: Wait = False) -> None:
    """End a run at once, as when it hangs; what came after its last checkpoint is lost."""
    _act(session, run_id, "kill", wait)


def move(
    session: Session,
    run_id: RunId,
    first: Annotated[bool, typer.Option("--first", help="Start it next.")] = False,
    up: Annotated[bool, typer.Option("--up", help="Before the one before it.")] = False,
    down: Annotated[bool, typer.Option("--down", help="Behind the one behind it.")] = False,
    last: Annotated[bool, typer.Option("--last", help="Behind all others.")] = False,
) -> None:
    """Change the place of a run that waits in line."""
    chosen = [name for name, given in _named(first, up, down, last) if given]
    if len(chosen) != 1:
        raise RlftError("say where to, once", where=run_id, remedy="One of --first --up --down --last")
    from rlft_tui.cli.run_text import run_json, status_text

    with session.connect() as client:
        run = client.move(run_id, chosen[0])
    session.show(run_json(run), f"{run.id}  {status_text(run)}")


def resume(session: Session, run_id: RunId, follow: Follow = False, now: Now = False) -> None:
    """Go on from the last verified checkpoint of a run that was paused or ended early."""
    from rlft_tui.cli.run_progress import finish_launch

    with session.connect() as client:
        run = client.resume(run_id, now=now)
        finish_launch(session, client, run, follow=follow)


def set_(
    session: Session,
    run_id: RunId,
    assignments: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE...]", help="Such as kl_warning=15.")
    ] = None,
) -> None:
    """Change alarm limits and intervals of a run, also while it runs; without values show what can change.

    A job that runs goes by them from its next step on, and says so in its log. What the run was launched
    with stays in its run.toml.
    """
    from rlft_tui.cli.session import table

    asked: dict[str, object] = {}
    for assignment in assignments or ():
        name, sign, value = assignment.partition("=")
        if not (name and sign and value):
            raise RlftError(
                "not NAME=VALUE", where=assignment, remedy=f"rlft runs set {run_id} kl_warning=15"
            )
        asked[name.strip().replace("-", "_")] = value.strip()
    with session.connect() as client:
        found = client.change_run(run_id, asked) if asked else client.run_settings(run_id)
    shown = [one for one in found if not asked or one.name in {name.rpartition(".")[2] for name in asked}]
    session.show(
        found,
        lambda: table(
            ("setting", "now", "launched", "may be", ""),
            [
                (
                    one.name,
                    one.value,
                    one.launched if one.launched != one.value else "",
                    "|".join(one.choices) or one.bounds,
                    one.help,
                )
                for one in shown
            ],
            empty="Nothing of this run can be changed.",
        ),
    )


def _named(first: bool, up: bool, down: bool, last: bool) -> list[tuple[str, bool]]:
    return [("first", first), ("up", up), ("down", down), ("last", last)]


def _act(
    session: Session, run_id: str, what: Literal["stop", "pause", "cancel", "kill"], wait: bool = False
) -> None:
    from rlft_tui.cli.run_progress import follow_run
    from rlft_tui.cli.run_text import run_json, status_text

    with session.connect() as client:
        run = getattr(client, what)(run_id)
        if wait:
            run = follow_run(session, client, run_id)
    session.show(run_json(run), f"{run.id}  {status_text(run, asked=what)}")


def add_run_control_commands(app: typer.Typer) -> None:
    """Enter them as verbs of ``runs``."""
    command(app, "rlft runs stop dpo-1129-1740-abcd", "rlft runs stop dpo-1129-1740-abcd --wait")(stop)
    command(app, "rlft runs pause dpo-1129-1740-abcd", "rlft runs pause dpo-1129-1740-abcd --wait")(pause)
    command(app, "rlft runs cancel dpo-1129-1740-abcd")(cancel)
    command(app, "rlft runs kill dpo-1129-1740-abcd")(kill)
    command(app, "rlft runs move dpo-1129-1740-abcd --first", "rlft runs move dpo-1129-1740-abcd --down")(
        move
    )
    command(
        app,
        "rlft runs set dpo-1129-1740-abcd",
        "rlft runs set dpo-1129-1740-abcd kl_warning=15 sample_every=20",
        name="set",
    )(set_)
    command(app, "rlft runs resume dpo-1129-1740-abcd --follow", "rlft runs resume dpo-1129-1740-abcd --now")(
        resume
    )
