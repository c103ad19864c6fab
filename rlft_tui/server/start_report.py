"""What a starting server tells whoever started it, through a pipe."""

from __future__ import annotations

import os
from contextlib import suppress


class StartReport:
    """A line each: ``pid N``, ``doing WHAT`` any number of times, at last ``ready`` or what went wrong."""

    def __init__(self, descriptor: int, *, stages: bool) -> None:
        """``descriptor``: the pipe, or -1. Without ``stages`` there is only the last line."""
        self._descriptor = descriptor
        self._stages = stages

    def begun(self) -> None:
        """This process is the one that will serve."""
        if self._stages:
            self._tell(f"pid {os.getpid()}")

    def doing(self, what: str) -> None:
        if self._stages:
            self._tell(f"doing {what}")

    def ready(self) -> None:
        self._tell("ready", last=True)

    def failed(self, why: str) -> None:
        self._tell(why, last=True)

    def _tell(self, line: str, *, last: bool = False) -> None:
        if self._descriptor < 0:
            return
        # Whoever started the server may have gone meanwhile: then there is nobody to tell.
        with suppress(BrokenPipeError):
            os.write(self._descriptor, " ".join(line.split()).encode()[:4000] + b"\n")
        if last:
            os.close(self._descriptor)
            self._descriptor = -1
