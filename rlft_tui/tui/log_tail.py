"""The end of a run's output, followed by byte offset."""

from __future__ import annotations

from dataclasses import dataclass

from rlft_tui.runs.run_status import LogPage


@dataclass(slots=True)
class LogTail:
    """What to ask for next, and what is new in the answer."""

    start: int = -1
    """Byte offset for the next request; -1 asks for the end of the file."""
    cut: bool = False
    """The file began before what is shown."""

    def take(self, page: LogPage) -> tuple[str, bool]:
        """New text, and whether it replaces all that was shown (first page, or a file that shrank)."""
        fresh = self.start < 0 or page.size < self.start or page.start != self.start
        if fresh:
            self.cut = page.start > 0
        self.start = page.end
        return page.text, fresh


def last_lines(text: str, count: int) -> list[str]:
    """The last lines that say something."""
    return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]
