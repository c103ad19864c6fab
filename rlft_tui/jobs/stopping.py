"""A job that is asked to stop finishes what it is writing and ends well."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class StopAsked(Exception):
    """Somebody asked to stop, and what is being done is given up: it can be done again."""


class StopRequest:
    """Set by SIGTERM or SIGINT; the job looks at it between steps."""

    def __init__(self) -> None:
        self.asked = ""
        """Name of the signal, or which alarm; empty while nobody has asked."""
        self.pause = False
        """Whether the run is to go on later by itself or when asked, rather than to end here."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def ask(self, who: str, *, pause: bool = False) -> None:
        """Ask from within the job; whoever asked first stands."""
        if not self.asked:
            self.asked = who
            self.pause = pause

    @contextmanager
    def given_up_for(self, model: Any) -> Iterator[None]:
        """Inside, a pass through the model raises StopAsked as soon as a stop was asked for."""

        def look(*given: Any) -> None:
            if self.asked:
                raise StopAsked(self.asked)

        hook = model.register_forward_pre_hook(look)
        try:
            yield
        finally:
            hook.remove()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.ask(signal.Signals(number).name)
