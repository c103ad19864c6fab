"""The workspace server's process: ``python -m rlft_tui.server.main WORKSPACE``."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Serve until idle or told to end. Exit code 2 and one line when it cannot start."""
    parser = argparse.ArgumentParser(prog="rlft-server", description="Serve one rlft workspace.")
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--detach", action="store_true", help="go on in an own session, return at once")
    parser.add_argument("--ready-fd", type=int, default=-1, help="descriptor that is told how the start went")
    options = parser.parse_args(arguments)
    # Before the imports that take time, so that the parent is not kept waiting for them.
    if options.detach:
        if os.fork():
            os._exit(0)
        os.setsid()
    from rlft_tui.errors import RlftError
    from rlft_tui.server.memory import few_arenas

    few_arenas()
    try:
        from rlft_tui.server.workspace_server import serve

        serve(options.workspace, ready=lambda: _tell(options.ready_fd, "ready"))
    except RlftError as error:
        sys.stderr.write(f"{error}\n")
        _tell(options.ready_fd, str(error))
        return 2
    return 0


def _tell(descriptor: int, line: str) -> None:
    if descriptor >= 0:
        # Whoever started the server may have gone meanwhile: then there is nobody to tell.
        with suppress(BrokenPipeError):
            os.write(descriptor, " ".join(line.split()).encode()[:4000] + b"\n")
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())
