"""A text pane that tells when a new text has really been painted."""

from __future__ import annotations

from time import monotonic

from textual.message import Message
from textual.strip import Strip

from rlft_tui.tui.widgets.kept_documents import Pieces
from rlft_tui.tui.widgets.text_pane import TextPane


class AnswerPane(TextPane):
    """One answer of a pair. ``Painted`` comes after the frame that shows the text of ``put``."""

    class Painted(Message):
        """The text given with this serial number is on screen."""

        def __init__(self, pane: AnswerPane, serial: int) -> None:
            super().__init__()
            self.pane = pane
            self.serial = serial

    _serial = 0
    _told = 0
    painted_at = 0.0
    """When the text with ``painted_serial`` was drawn (time.monotonic)."""

    @property
    def painted_serial(self) -> int:
        """Serial of the last text that was drawn."""
        return self._told

    def put(self, text: str, serial: int, marks: Pieces = ()) -> None:
        """Show a text from its start, or its word diff; ``serial`` comes back with ``Painted``."""
        self._serial = serial
        self.show(text, marks=marks)
        self.refresh()  # also when hidden now: the first line drawn tells that it is painted

    def render_line(self, y: int) -> Strip:
        # The compositor asks for lines and writes the frame in one go on this thread, so
        # a message posted here is handled after the frame was written.
        if self._told != self._serial:
            self._told = self._serial
            self.painted_at = monotonic()
            self.post_message(self.Painted(self, self._serial))
        return super().render_line(y)
