"""The proof before a launch on the command line: errors stop it, warnings need a yes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlft_tui.cli.confirm import can_ask, confirmed
from rlft_tui.cli.session import Session
from rlft_tui.errors import RlftError

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient


def prove(session: Session, client: WorkspaceClient, values: dict[str, Any], *, yes: bool) -> None:
    """Check what is to be launched; RlftError when it must not be, or nobody says yes to the warnings."""
    session.say("checking the data and its tokens …")
    found = client.check_launch(values)
    for line in found.errors[1:]:
        session.say(f"error: {line}")
    if found.errors:
        raise RlftError(found.errors[0], where="" if len(found.errors) == 1 else "and more, above")
    for line in found.warnings:
        session.say(f"warning: {line}")
    if found.warnings and not yes and not _says_yes(session, len(found.warnings)):
        raise RlftError(
            "nothing was launched: the warnings need a yes",
            remedy="Launch with --yes, or see what is meant: rlft data check --method",
        )


def _says_yes(session: Session, warnings: int) -> bool:
    """Ask the person at the terminal, if there is one."""
    question = f"Launch in spite of {'this' if warnings == 1 else 'these'}?"
    return can_ask(json=session.json) and confirmed(question)
