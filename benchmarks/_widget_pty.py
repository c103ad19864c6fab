"""A small Textual app on a pseudo-terminal, timed from the key to the last byte of its frame."""

from __future__ import annotations

import os
import select
import statistics
import time
from dataclasses import dataclass

from benchmarks._pty import PtyProcess

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


class PtyApp(PtyProcess):
    """``python -m MODULE ARGUMENTS`` on a terminal of a given size, read as fast as it writes."""

    def __init__(self, module: str, arguments: list[str], columns: int, rows: int) -> None:
        self._last = b""
        # a busy machine would be measured otherwise
        super().__init__(["-m", module, *arguments], columns, rows, first=True)

    def take(self, seconds: float) -> tuple[bytes, float] | None:
        """What comes within so many seconds, and when; the terminal's position is told when asked."""
        if not select.select([self.terminal], [], [], seconds)[0]:
            return None
        try:
            data = os.read(self.terminal, 1 << 16)
        except OSError as error:
            tail = self._last[-2000:].decode(errors="replace")
            raise RuntimeError(f"the app ended; its last output:\n{tail}") from error
        self._last = (self._last + data)[-4000:]
        if b"\x1b[6n" in data:
            os.write(self.terminal, b"\x1b[1;1R")
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


def spread(milliseconds: list[float]) -> dict[str, float]:
    """Median, 95th percentile and worst."""
    ordered = sorted(milliseconds)
    return {
        "p50_ms": round(statistics.median(ordered), 1),
        "p95_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))], 1),
        "worst_ms": round(ordered[-1], 1),
    }
