"""A small Textual app on a pseudo-terminal, timed from the key to the last byte of its frame."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import sys
import termios
import time
from dataclasses import dataclass
from types import TracebackType

SILENCE = 0.06
"""Seconds without a byte after which a frame is over."""

DEADLINE = 60.0

FRAME_END = b"\x1b[1;1H"
"""What Textual writes after each frame: the cursor goes home. Apps here keep that cell unchanged."""


@dataclass(frozen=True)
class Frame:
    """What an app wrote, when its last byte came and how much processor time it had used by then."""

    data: bytes
    at: float
    cpu: float


class PtyApp:
    """``python -m MODULE ARGUMENTS`` on a terminal of a given size, read as fast as it writes."""

    def __init__(self, module: str, arguments: list[str], columns: int, rows: int) -> None:
        self._last = b""
        self.pid, self._terminal = pty.fork()
        if not self.pid:
            with contextlib.suppress(PermissionError):  # a busy machine would be measured otherwise
                os.setpriority(os.PRIO_PROCESS, 0, -15)
            os.environ.update(
                TERM="xterm-256color", COLORTERM="truecolor", COLUMNS=str(columns), LINES=str(rows)
            )
            os.execv(sys.executable, [sys.executable, "-m", module, *arguments])
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def __enter__(self) -> PtyApp:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._terminal)

    def press(self, keys: str) -> float:
        """Write keys; when (time.monotonic)."""
        at = time.monotonic()
        os.write(self._terminal, keys.encode())
        return at

    def take(self, seconds: float) -> tuple[bytes, float] | None:
        """What comes within so many seconds, and when; the terminal's position is told when asked."""
        if not select.select([self._terminal], [], [], seconds)[0]:
            return None
        try:
            data = os.read(self._terminal, 1 << 16)
        except OSError as error:
            tail = self._last[-2000:].decode(errors="replace")
            raise RuntimeError(f"the app ended; its last output:\n{tail}") from error
        self._last = (self._last + data)[-4000:]
        if b"\x1b[6n" in data:
            os.write(self._terminal, b"\x1b[1;1R")
        return data, time.monotonic()

    def until(self, *texts: str) -> Frame:
        """Everything until all texts have come and ``SILENCE`` follows."""
        wanted = [text.encode() for text in texts]
        frame = Frame(b"", time.monotonic(), self.cpu_seconds())
        deadline = frame.at + DEADLINE
        while True:
            done = all(text in frame.data for text in wanted)
            piece = self.take(SILENCE if done else 1.0)
            if piece is not None:
                frame = Frame(frame.data + piece[0], piece[1], self.cpu_seconds())
            elif done:
                return frame
            elif time.monotonic() > deadline:
                raise TimeoutError(f"{texts} never came")

    def quiet(self, seconds: float = 0.4) -> bytes:
        """Read until nothing has come for so long."""
        data = b""
        while (piece := self.take(seconds)) is not None:
            data += piece[0]
        return data

    def cpu_seconds(self) -> float:
        """Processor time that the app's main thread, its event loop, has used."""
        with open(f"/proc/{self.pid}/schedstat") as file:
            return int(file.read().split()[0]) / 1e9


def spread(milliseconds: list[float]) -> dict[str, float]:
    """Median, 95th percentile and worst."""
    ordered = sorted(milliseconds)
    return {
        "p50_ms": round(statistics.median(ordered), 1),
        "p95_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))], 1),
        "worst_ms": round(ordered[-1], 1),
    }
