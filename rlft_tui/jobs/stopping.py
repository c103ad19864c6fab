"""A job that is asked to stop finishes what it is writing and ends well."""

from __future__ import annotations

import signal
from types import FrameType


class StopRequest:
    """Set by SIGTERM or SIGINT; the job looks at it between steps."""

    def __init__(self) -> None:
        self.asked = ""
        """Name of the signal, or empty."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = signal.Signals(number).name
