"""Choosing one of the stored prompts, by search."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType

from rlft_tui.errors import RlftError
from rlft_tui.prompts.prompt import Prompt
from rlft_tui.tui import run_text
from rlft_tui.tui.list_pane import ListPane, ListRow
from rlft_tui.tui.screens.search_picker import SearchPicker
from rlft_tui.tui.server_link import ServerLink

SHOWN = 200


class PromptPicker(SearchPicker[Prompt | None]):
    """Type to search, arrows to choose, enter to take; the prompt goes back to the caller."""

    PLACEHOLDER = "search the prompts"
    EMPTY = "reading prompts …"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "close", id="prompts.close", tooltip="Take none"),
        Binding("enter", "take", "take", priority=True, id="prompts.take", tooltip="Take this prompt"),
        Binding("down", "move(1)", "next", priority=True, id="prompts.next", tooltip="Next prompt"),
        Binding("up", "move(-1)", "previous", priority=True, id="prompts.previous", tooltip="Prompt before"),
    ]
    DEFAULT_CSS = "PromptPicker > Vertical { max-width: 120; }"

    def __init__(self, link: ServerLink) -> None:
        super().__init__()
        self._link = link
        self._prompts: dict[str, Prompt] = {}

    def search(self, text: str) -> None:
        self.run_worker(self._read(text), group="search", exclusive=True)

    async def _read(self, text: str) -> None:
        pane = self.query_one(ListPane)
        try:
            page = await self._link.call(lambda client: client.prompts(search=text, limit=SHOWN))
        except RlftError as error:
            pane.show((), empty=run_text.plain(str(error)))
            return
        self._prompts = {each.id: each for each in page.prompts}
        rows = [ListRow(each.id, _line(each)) for each in page.prompts]
        head = f" {page.total:,} prompts" + (f", the first {SHOWN}" if page.total > SHOWN else "")
        pane.show(
            rows, Text(head), empty="none matches" if text else "no prompts yet: rlft prompts import FILE"
        )

    @on(ListPane.Chosen)
    def action_take(self) -> None:
        self.dismiss(self._prompts.get(self.key or ""))


def _line(prompt: Prompt) -> Text:
    line = Text(" ", no_wrap=True)
    if prompt.category:
        line.append(f"{run_text.cut(run_text.plain(prompt.category), 14):<14} ", style="dim")
    line.append(run_text.plain(prompt.prompt))
    return line
