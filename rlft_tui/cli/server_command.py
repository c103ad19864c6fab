"""rlft server status|stop"""

from __future__ import annotations

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.session import Session, fields, moment

app = noun("server")


@command(app, "rlft server status", "rlft server status --json")
def status(session: Session) -> None:
    """Tell whether the workspace's server runs; does not start it."""
    workspace = session.workspace()
    from rlft_tui.client.connection import find_server

    found = find_server(workspace, timeout=5.0)
    if found is None:
        session.show({"running": False}, "not running; the next command that needs it starts it")
        return
    client, health = found
    client.close()
    import msgspec

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
                *(("warning", warning) for warning in health.warnings),
            ]
        ),
    )


@command(app, "rlft server stop")
def stop(session: Session) -> None:
    """End the workspace's server; runs go on, and the next command starts it again."""
    workspace = session.workspace()
    from rlft_tui.client.connection import find_server

    found = find_server(workspace, timeout=30.0)
    if found is None:
        session.show({"stopped": False}, "it was not running")
        return
    with found[0] as client:
        client.shutdown()
    session.show({"stopped": True, "pid": found[1].pid}, "stopped")
