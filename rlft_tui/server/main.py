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
    parser.add_argument("--stages", action="store_true", help="and before that, what is being done")
    options = parser.parse_args(arguments)
    # Before the imports that take time, so that the parent is not kept waiting for them.
    if options.detach:
        if os.fork():
            os._exit(0)
        os.setsid()
    from rlft_tui.garbage import collect_rarely

    collect_rarely()
    from rlft_tui.errors import RlftError
    from rlft_tui.server.memory import arrange_heap
    from rlft_tui.server.start_report import StartReport

    report = StartReport(options.ready_fd, stages=options.stages)
    report.begun()
    arrange_heap()
    try:
        from rlft_tui.server.workspace_server import serve

        serve(options.workspace, report)
    except RlftError as error:
        with suppress(OSError):  # the log may be on a full disk
            sys.stderr.write(f"{error}\n")
            sys.stderr.flush()
        report.failed(str(error))
        return 2
    except BaseException as error:
        report.failed(f"{type(error).__name__}: {error}")
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
