"""A program on a pseudo-terminal: what every measurement of the screen starts from."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import struct
import sys
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import Self


class PtyProcess:
    """``python ARGUMENTS`` on a terminal of a given size; killed at the end of the block."""

    def __init__(self, arguments: list[str], columns: int, rows: int, *, first: bool = False) -> None:
        """``first``: before everything else on the machine, where that is allowed."""
        self.pid, self.terminal = pty.fork()
        if not self.pid:
            if first:
                with contextlib.suppress(PermissionError):
                    os.setpriority(os.PRIO_PROCESS, 0, -15)
            os.environ.update(
                TERM="xterm-256color", COLORTERM="truecolor", COLUMNS=str(columns), LINES=str(rows)
            )
            os.execv(sys.executable, [sys.executable, *arguments])
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)

    def press(self, keys: str) -> float:
        """Write keys; when (time.monotonic)."""
        at = time.monotonic()
        os.write(self.terminal, keys.encode())
        return at

    def cpu_seconds(self) -> float:
        """Processor time that the main thread, the event loop, has used."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9
