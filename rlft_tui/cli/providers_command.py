"""rlft providers list|models"""

from __future__ import annotations

from typing import Annotated

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.session import Session, table

app = noun("providers")


@command(app, "rlft providers list", "rlft providers list --json", name="list")
def list_(session: Session) -> None:
    """List the models elsewhere that rlft.toml names, and whether their keys are there.

    Each is asked like any model, as NAME or NAME:MODEL. Nothing is sent to them by this command.
    """
    with session.connect() as client:
        found = client.providers()
    session.show(
        found,
        lambda: table(
            ("name", "kind", "model", "url", "ready"),
            [(one.name, one.kind, one.model, one.url, "yes" if one.ready else one.note) for one in found],
        ),
    )
    if not found:
        session.say("No providers. Write one into rlft.toml, as its comments show")


@command(app, "rlft providers models ollama")
def models(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name, as rlft providers list shows it.")],
) -> None:
    """Ask a provider which models it offers."""
    with session.connect() as client:
        found = client.provider_models(name)
    session.show(found, "\n".join(found))
