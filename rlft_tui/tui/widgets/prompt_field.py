"""A field for a prompt: enter sends it, as in a chat; ctrl+j begins a line."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea


class PromptField(TextArea):
    """Several lines; what is pasted keeps its line ends."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+j", "line", "new line", show=False, id="prompt.line", tooltip="Begin a new line"),
        # Textual selects a line and all with these; here they change screens, as they do everywhere.
        Binding("f6", "app.show_screen('compare')", show=False),
        Binding("f7", "app.show_screen('models')", show=False),
    ]

    class Sent(Message):
        """Enter was pressed."""

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self.post_message(self.Sent())
            return
        await super()._on_key(event)

    def action_line(self) -> None:
        self.insert("\n")
