"""rlft backup"""

from __future__ import annotations

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.session import Session

app = noun("backup")


@command(app, "rlft backup")
def backup(session: Session) -> None:
    """Copy the workspace's data to a new folder in backups/ and print its path.

    A daily one is made by itself. Put one back with: rlft restore PATH
    """
    with session.connect() as client:
        path = client.backup()
    session.show({"path": path}, path)
