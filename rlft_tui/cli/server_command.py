"""rlft server status|stop|restart|token"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.session import Session, fields, find_server, moment
from rlft_tui.errors import UnavailableError
from rlft_tui.paths import Workspace

app = noun("server")

_PATIENCE = 60.0
"""Seconds that an ending server may take to close its database."""


@command(app, "rlft server status", "rlft server status --json")
def status(session: Session) -> None:
    """Tell whether the workspace's server runs; does not start it."""
    workspace = session.own_workspace()
    found = find_server(workspace)
    if found is None:
        session.show({"running": False}, "not running; the next command that needs it starts it")
        return
    client, health = found
    client.close()
    import msgspec

    from rlft_tui.client.version_notice import version_notice

    session.show(
        {"running": True, **msgspec.to_builtins(health)},
        lambda: fields(
            [
                ("running", "yes"),
                ("pid", health.pid),
                ("since", moment(health.started)),
                ("version", health.version),
                ("socket", health.socket),
                ("workspace", health.workspace),
                *(("warning", warning) for warning in (version_notice(client), *health.warnings)),
            ]
        ),
    )


@command(app, "rlft server stop")
def stop(session: Session) -> None:
    """End the workspace's server; runs go on, and the next command starts it again."""
    pid = _end(session.own_workspace())
    if pid is None:
        session.show({"stopped": False}, "it was not running")
    else:
        session.show({"stopped": True, "pid": pid}, "stopped")


@command(app, "rlft server restart")
def restart(session: Session) -> None:
    """End the workspace's server and start it anew, such as after an upgrade; runs go on."""
    _end(session.own_workspace())
    with session.connect() as client:
        health = client.health()
    session.show(
        {"pid": health.pid, "version": health.version},
        f"rlft {health.version} serves it, process {health.pid}",
    )


def _end(workspace: Workspace) -> int | None:
    """End the server and wait until it has let go of the database; its pid, None where none ran."""
    found = find_server(workspace)
    if found is None:
        return None
    pid = found[1].pid
    with found[0] as client:
        client.shutdown()
    from rlft_tui.database.workspace_lock import lock_holder

    deadline = time.monotonic() + _PATIENCE
    while lock_holder(workspace.lock) == pid:
        if time.monotonic() > deadline:
            raise UnavailableError(
                f"process {pid} has not let go of the database after {_PATIENCE:.0f} s",
                where=str(workspace.root),
                remedy="Its last words are in server.log",
            )
        time.sleep(0.02)
    return pid


@command(app, "rlft server token", "rlft server token --new")
def token(
    session: Session,
    new: Annotated[
        bool, typer.Option("--new", help="Make another one; the one before opens nothing from now on.")
    ] = False,
) -> None:
    """Print the token with which other machines reach this workspace; it is made when there is none."""
    from rlft_tui.server.remote_access import RemoteToken

    text = RemoteToken(session.own_workspace()).text(new=new)
    session.show({"token": text}, text)
