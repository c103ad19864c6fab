"""A real pseudo-terminal with a real ``rlft`` in it, and the picture that it paints."""

from __future__ import annotations

import os
import signal
import sys
import time
from types import TracebackType

import pexpect
import pyte
import pytest

from rlft_tui.paths import Workspace

WAIT_SECONDS = 90.0


class TerminalSession:
    """Spawns a command in a terminal of 100x30 and reads what it writes."""

    def __init__(self, arguments: list[str], *, columns: int = 100, rows: int = 30, **variables: str) -> None:
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **variables}
        for size in ("COLUMNS", "LINES"):  # parallel workers of pytest set them, and Textual heeds them
            environment.pop(size, None)
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        """Everything written so far."""
        self.child = pexpect.spawn(
            arguments[0], arguments[1:], dimensions=(rows, columns), env=environment, timeout=WAIT_SECONDS
        )
        self.child.delaybeforesend = None

    @classmethod
    def rlft(cls, workspace: Workspace, *words: str, **variables: str) -> TerminalSession:
        """``rlft`` itself on a workspace."""
        return cls([*rlft_command(workspace), *words], **variables)

    def __enter__(self) -> TerminalSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.child.close(force=True)

    @property
    def pid(self) -> int:
        return int(self.child.pid)

    def press(self, keys: str) -> None:
        self.child.send(keys)

    def read(self, seconds: float = 0.05) -> bool:
        """Take in what was written; False at the end of the terminal."""
        try:
            data = self.child.read_nonblocking(65536, timeout=seconds)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += data
        self._stream.feed(data)
        return True

    def text(self) -> str:
        return "\n".join(self.screen.display)

    def scribble(self, text: str) -> None:
        """Write into the middle of the screen, as another program on the terminal might."""
        self._stream.feed(f"\x1b7\x1b[12;20H{text}\x1b8".encode())

    def shows(self, *texts: str) -> None:
        """Wait until all the texts are on screen."""
        self.until(lambda: all(text in self.text() for text in texts), f"{texts}")

    def until(self, condition: object, what: str) -> None:
        """Read until ``condition()`` holds."""
        assert callable(condition)
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            if not self.read() and not condition():
                pytest.fail(f"the terminal ended before {what}:\n{self.text()}")
            if time.monotonic() > deadline:
                pytest.fail(f"waited {WAIT_SECONDS:.0f} s for {what}:\n{self.text()}")

    def hang_up(self) -> None:
        """Close our end of the terminal, as a connection that is lost does."""
        self.child.ptyproc.fileobj.close()
        self.child.ptyproc.closed = True

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        self.child.wait()

    def end(self) -> int:
        """Read to the end; the exit status, 128 + number for a signal."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self.read():
            if time.monotonic() > deadline:
                pytest.fail(f"it did not end within {WAIT_SECONDS:.0f} s:\n{self.text()}")
        self.child.wait()
        status, number = self.child.exitstatus, self.child.signalstatus
        return int(status) if status is not None else 128 + int(number)


def rlft_command(workspace: Workspace) -> list[str]:
    return [sys.executable, "-m", "rlft_tui.cli.main", "--workspace", str(workspace.root)]
