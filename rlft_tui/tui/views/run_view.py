"""What the monitor's four views have in common."""

from __future__ import annotations

from textual.containers import Vertical

from rlft_tui.runs.run_status import RunSummary
from rlft_tui.tui.server_link import ServerLink


class RunView(Vertical, can_focus=False):
    """One view of one run. The monitor calls ``read`` while it is the one in front."""

    @property
    def count(self) -> int:
        """Number beside the tab's name; 0 for none."""
        return 0

    @property
    def place(self) -> str:
        """Where one is in the view, for the right end of the tab line."""
        return ""

    def clear(self) -> None:
        """Forget the run: another one is shown next."""

    async def read(self, link: ServerLink, run: RunSummary) -> None:
        """Ask the server for what is new and paint what has changed."""

    def turn(self, by: int) -> None:
        """Left and right: another page, or another step."""

    def turn_prompt(self, by: int) -> None:
        """The sample on another prompt."""

    def focus_inside(self) -> None:
        """Put the keyboard where scrolling keys make sense."""
        self.screen.set_focus(None)
