"""What the run will still write does not fit on the disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from rlft_tui.metrics.alarms.alarm import Alarm
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.specs.alarms import AlarmAction

EVERY_SECONDS = 15.0
"""Between looks at the disk."""
SPARE_BYTES = 100 << 20
"""Left free for the database's journal and for logs."""


class DiskForecast:
    """Adds up logs, checkpoints and the result that are still to come.

    A checkpoint is written before an old one is removed, so for a moment there is one more
    than are kept. Its size is that of the largest one there; before the first it is unknown
    and counts nothing.
    """

    def __init__(
        self,
        folder: RunFolder,
        *,
        steps: int,
        keep: int,
        action: AlarmAction,
        free: Callable[[], int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self.steps = steps
        self.keep = keep
        self.action: AlarmAction = action
        self._free = free or (lambda: shutil.disk_usage(folder.root).free)
        self._clock = clock
        self._next = clock()
        self._began: tuple[int, int] | None = None
        """Step and bytes of logs at the first look."""

    def observe(self, step: int, values: Mapping[str, float]) -> Iterator[Alarm]:
        now = self._clock()
        if now < self._next:
            return
        self._next = now + EVERY_SECONDS
        try:
            needed, free = self.needed(step), self._free()
        except OSError:
            # A checkpoint may be removed while it is being looked at.
            return
        if needed + SPARE_BYTES > free:
            yield Alarm(
                "disk",
                f"the run will still write about {needed >> 20} MB, and {free >> 20} MB are free",
                "Make room: rlft runs rm ID, or lower keep_checkpoints. A full disk ends the run",
                self.action,
                "critical",
            )

    def needed(self, step: int) -> int:
        """Bytes that the run will still write."""
        logs = _size(self.folder.events) + _size(self.folder.output)
        if self._began is None:
            self._began = step, logs
        since = step - self._began[0]
        growth = (logs - self._began[1]) * max(0, self.steps - step) // since if since > 0 else 0
        sizes = [_tree(path) for path in self.folder.checkpoints.glob("checkpoint-*")]
        return growth + max(sizes, default=0) * max(1, self.keep + 1 - len(sizes))


def _tree(folder: Path) -> int:
    return sum(_size(path) for path in folder.rglob("*") if path.is_file())


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
