"""Messages that more than one screen or widget sends."""

from __future__ import annotations

from textual.message import Message

from rlft_tui.tui.server_link import LinkState


class LinkChanged(Message):
    """The connection to the workspace server was made, lost or made again."""

    def __init__(self, state: LinkState, reason: str) -> None:
        super().__init__()
        self.state = state
        self.reason = reason

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, LinkChanged)
