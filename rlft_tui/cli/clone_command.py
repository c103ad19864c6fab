"""rlft runs clone: the training command of the run's own method, begun with its settings."""

from __future__ import annotations

from typing import Annotated

import typer

from rlft_tui.cli.command import command
from rlft_tui.cli.options import RunId
from rlft_tui.cli.session import Session
from rlft_tui.errors import RlftError
from rlft_tui.runs.methods import TRAINING_METHODS


def clone(
    session: Session,
    run_id: RunId,
    flags: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FLAG]...", help="Any flag of rlft train METHOD, such as --max-steps 80."),
    ] = None,
) -> None:
    """Launch a run with the settings of another one, but for the flags given; it names that one as parent.

    The same as rlft train METHOD --clone RUN, whatever the run's method is.
    """
    from rlft_tui.cli.main import load_noun

    with session.connect() as client:
        method = client.run(run_id).method
    if method not in TRAINING_METHODS:
        raise RlftError(f"a {method} run is not cloned", where=run_id, remedy="rlft pairs generate --help")
    train = load_noun("train").commands[method]
    words = [*(flags or ()), "--clone", run_id]
    code = train.main(words, f"rlft train {method}", standalone_mode=False, obj=session)
    raise typer.Exit(code or 0)


def add_clone_command(app: typer.Typer) -> None:
    """Put it among the verbs of runs."""
    command(
        app,
        "rlft runs clone dpo-1129-1740-abcd --max-steps 80 --follow",
        "rlft runs clone dpo-1129-1740-abcd --toml",
        pass_on=True,
    )(clone)
