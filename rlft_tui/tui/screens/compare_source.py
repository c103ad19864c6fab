"""What Compare asks next: one stored prompt, all that a search finds, or a file of prompts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from rlft_tui.counted import counted
from rlft_tui.errors import RlftError
from rlft_tui.prompts.prompt import Prompt
from rlft_tui.tui import run_text
from rlft_tui.tui.chrome import KeyBar, key_name
from rlft_tui.tui.list_pane import ListPane, ListRow
from rlft_tui.tui.prompt_walk import MOST_PROMPTS, PromptWalk, prompts_of_file
from rlft_tui.tui.screens.search_picker import SearchPicker
from rlft_tui.tui.server_link import ServerLink

if TYPE_CHECKING:
    from rlft_tui.tui.app import RlftApp

SHOWN = 200
FILE = "\x00file"
Source = Prompt | PromptWalk | None


class CompareSource(SearchPicker[Source]):
    """Type to search, or the path of a file. Gives back one prompt, or several to go through."""

    PLACEHOLDER = "search the stored prompts, or the path of a prompt file"
    EMPTY = "reading prompts …"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "close", id="prompts.close", tooltip="Take none"),
        Binding("enter", "take", "take", priority=True, id="prompts.take", tooltip="Take this one"),
        Binding("ctrl+a", "take_all", "all found", priority=True, id="prompts.all",
                tooltip="Go through all that the search finds"),
        Binding("down", "move(1)", "next", priority=True, id="prompts.next", tooltip="Next prompt"),
        Binding("up", "move(-1)", "previous", priority=True, id="prompts.previous", tooltip="Prompt before"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    CompareSource { background: $background 60%; }
    CompareSource > Vertical { max-width: 120; }
    """

    def __init__(self, link: ServerLink, root: Path) -> None:
        """``root``: the workspace, in which a path is looked for too."""
        super().__init__()
        self._link = link
        self._root = root
        self._prompts: dict[str, Prompt] = {}
        self._file: Path | None = None

    def compose(self) -> ComposeResult:
        yield from super().compose()
        yield KeyBar()

    def on_mount(self) -> None:
        bar, keys = self.query_one(KeyBar), cast("RlftApp", self.app).keys
        named = {
            each.id: keys.get(each.id or "", each.key).split(",")[0]
            for each in Binding.make_bindings(self.BINDINGS)
        }
        words = (("take", "takes this one"), ("all", "goes through all found"), ("close", "closes"))
        bar.hint = " · ".join(f"{key_name(named[f'prompts.{name}'])} {does}" for name, does in words)

    def search(self, text: str) -> None:
        self._file = self._named_file(text)
        self.run_worker(self._read(text), group="search", exclusive=True)

    def _named_file(self, text: str) -> Path | None:
        name = text.strip()
        if not name or "\0" in name:
            return None
        try:
            for path in (Path(name).expanduser(), self._root / name):
                if path.is_file():
                    return path
        except (OSError, RuntimeError):  # a name too long, or a user that is not there
            return None
        return None

    async def _read(self, text: str) -> None:
        pane = self.query_one(ListPane)
        if self._file is not None:
            row = ListRow(FILE, Text(f" go through {run_text.plain(self._file.name)}", no_wrap=True))
            pane.show([row], Text(" ⏎ reads the file"), empty="")
            return
        try:
            page = await self._link.call(lambda client: client.prompts(search=text, limit=SHOWN))
        except RlftError as error:
            pane.show((), empty=run_text.plain(str(error)))
            return
        self._prompts = {each.id: each for each in page.prompts}
        rows = [ListRow(each.id, _line(each)) for each in page.prompts]
        head = f" {counted(page.total, 'prompt')}" + (f", the first {SHOWN}" if page.total > SHOWN else "")
        pane.show(
            rows,
            Text(head),
            empty="none matches, and no such file"
            if text
            else "no prompts stored: rlft prompts import FILE, or type a path",
        )

    @on(ListPane.Chosen)
    def action_take(self) -> None:
        if self._file is None:
            self.dismiss(self._prompts.get(self.key or ""))
            return
        try:
            prompts, refused = prompts_of_file(self._file)
        except RlftError as error:
            self.query_one(ListPane).show((), empty=run_text.plain(str(error)))
            return
        if refused:
            self.notify(f"{run_text.counted(refused, 'line')} refused", severity="warning", markup=False)
        self.dismiss(PromptWalk(prompts, self._file.name))

    def action_take_all(self) -> None:
        if self._file is not None:
            self.action_take()
        elif self._prompts:
            self.run_worker(self._read_all(self.query_one(Input).value), group="all", exclusive=True)

    async def _read_all(self, text: str) -> None:
        try:
            page = await self._link.call(lambda client: client.prompts(search=text, limit=MOST_PROMPTS))
        except RlftError as error:
            self.query_one(ListPane).show((), empty=run_text.plain(str(error)))
            return
        self.dismiss(PromptWalk(page.prompts, f"prompts with “{text}”" if text else "stored prompts"))


def _line(prompt: Prompt) -> Text:
    line = Text(" ", no_wrap=True)
    if prompt.category:
        line.append(f"{run_text.cut(run_text.plain(prompt.category), 14):<14} ", style="dim")
    line.append(run_text.plain(prompt.prompt))
    return line


class NameDialog(ModalScreen[str]):
    """A model's name that is in no list: a folder, a hub id, or PROVIDER:MODEL."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss('')", "close", id="name.close", tooltip="None"),
    ]
    DEFAULT_CSS = """
    NameDialog { align: center middle; background: $background 60%; }
    NameDialog > Vertical { width: 90%; max-width: 80; height: auto; background: $panel; padding: 1 2; }
    NameDialog Static { height: auto; margin-bottom: 1; }
    """

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(
                "A model by name: a folder, a hub id, or PROVIDER:MODEL of [providers.PROVIDER] in rlft.toml",
                markup=False,
            )
            box = Input(placeholder="ollama:llama3.2", compact=True)
            box.cursor_blink = False
            yield box

    def on_mount(self) -> None:
        self.set_focus(self.query_one(Input))

    @on(Input.Submitted)
    def _named(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())
