"""rlft serve"""

from __future__ import annotations

import signal
import threading
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.session import Session
from rlft_tui.errors import ConflictError, RlftError, UnavailableError

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient
    from rlft_tui.server.answers import RemoteState

app = noun("serve")

PORT = 8470
LOOK_SECONDS = 0.5
"""How often it is looked whether the server still listens."""


@command(
    app, "rlft serve", "rlft serve --host 0.0.0.0 --port 8470", "rlft serve --web", "rlft serve --openai"
)
def serve(
    session: Session,
    host: Annotated[
        str, typer.Option("--host", metavar="HOST", help="Address to listen on; 0.0.0.0 for every one.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=0, max=65535, metavar="N", help="TCP port; 0 for a free one [default: 8470, 8471]"
        ),
    ] = None,
    web: Annotated[
        bool,
        typer.Option("--web", help="Serve the workbench to browsers instead, behind a token of its own."),
    ] = False,
    openai: Annotated[
        bool, typer.Option("--openai", help="Let the registered models be asked too, as OpenAI's are.")
    ] = False,
) -> None:
    """Let other machines label in this workspace until Ctrl+C; a server that dies is started again.

    They connect with rlft --connect URL and the token that rlft server token prints. The token
    opens labelling, scoring, ranking, importing, reading and the policy service, which stores scores and
    trains policies on them as runs of this machine. Other runs, models, data sets, backups and the
    server's end stay closed. The traffic isn't encrypted: beyond your own network forward the port through
    SSH.

    With --openai every registered model answers at /v1/chat/completions as well, whole or streamed, for
    whatever speaks OpenAI's protocol; the API key is the token.

    With --web it is the whole workbench that is served, to browsers. The address printed holds a token, made
    anew each time unless $RLFT_WEB_TOKEN gives one, and whoever has it can do all that the workbench can.
    """
    if web:
        if openai:
            raise RlftError("--web and --openai are served apart", remedy="Run rlft serve twice")
        from rlft_tui.cli import serve_web

        serve_web.serve_web(session, host, serve_web.PORT if port is None else port)
        return
    session.own_workspace()
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with session.connect() as client:
        state = client.serve_remote(host, PORT if port is None else port, openai=openai)
        session.show(state, lambda: _text(session, state))
        _warn(session, state)
        _watch(session, client, state, ended)
        with suppress(RlftError):
            client.end_remote()


def _watch(session: Session, client: WorkspaceClient, state: RemoteState, ended: threading.Event) -> None:
    """Ask again and again: a server that died is started by the client, and told to listen again."""
    trouble = ""
    while not ended.wait(LOOK_SECONDS):
        try:
            client.serve_remote(state.host, state.port, openai=state.openai)
        except ConflictError:
            raise
        except UnavailableError as error:
            if str(error) != trouble:
                trouble = str(error)
                session.say(trouble)
        else:
            if trouble:
                session.say("serving again")
            trouble = ""


def _text(session: Session, state: RemoteState) -> str:
    host = "THIS_MACHINE" if state.host in ("0.0.0.0", "::") else state.host
    asked = f"ask:      OPENAI_API_KEY=… OPENAI_BASE_URL=http://{host}:{state.port}/v1\n"
    return (
        f"serving at {state.url}; Ctrl+C ends it\n"
        f"{asked if state.openai else ''}"
        f"connect:  RLFT_TOKEN=… rlft --connect http://{host}:{state.port} label --as NAME\n"
        f"{session.repeatable('the token:  rlft server token')}"
    )


def _warn(session: Session, state: RemoteState) -> None:
    from rlft_tui.server.remote_access import is_loopback

    if not is_loopback(state.host):
        session.say(
            "The traffic is not encrypted: whoever reads it has the texts and the token. Outside a network "
            "that you trust serve 127.0.0.1, and forward the port: "
            f"ssh -L {state.port}:127.0.0.1:{state.port} HOST"
        )
