"""The program ``rlft``: what takes the server long is asked for before the command line is loaded."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import quote

from rlft_tui.errors import RlftError
from rlft_tui.paths import find_workspace


def main() -> None:
    """The console script."""
    _ask_ahead(sys.argv[1:])
    from rlft_tui.cli.main import main as run

    run()


def _ask_ahead(words: list[str]) -> None:
    """For ``rlft [-w DIR] runs watch [RUN]`` have the runs read; any other line is the command's alone."""
    named = words[1:2] if words[:1] in (["-w"], ["--workspace"]) else []
    command = words[2 * len(named) :]
    if command[:2] != ["runs", "watch"] or os.environ.get("RLFT_CONNECT"):
        return
    from rlft_tui.client.ask_ahead import ask_ahead  # loads sockets, which no other command begins with

    path = f"/runs/{quote(command[2], safe='', errors='replace')}/series" if command[2:] else "/runs"
    try:
        ask_ahead(find_workspace(Path(named[0]) if named else None).socket, path)
    except (RlftError, OSError):
        return


if __name__ == "__main__":
    main()
