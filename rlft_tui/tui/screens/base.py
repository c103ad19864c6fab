"""What every screen of the workbench has: top bar, key bar, calls to the server, errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import Worker

from rlft_tui.errors import RlftError
from rlft_tui.tui.chrome import KeyBar, TopBar
from rlft_tui.tui.screen_registry import SCREENS

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient
    from rlft_tui.tui.app import RlftApp
    from rlft_tui.tui.server_link import LinkState

T = TypeVar("T")
LEAVING_KEYS = ("q", "ctrl+q", "ctrl+c", "ctrl+z")


class WorkbenchScreen(Screen[None]):
    """A screen with its key in the registry.

    Write ``body()`` instead of ``compose()``, ``opened()`` for what happens each time the screen
    is shown (also the first time, after it was mounted), and talk to the server with ``call()``.
    """

    KEY: ClassVar[str] = ""
    """This screen's key in the registry."""
    DIGITS_SWITCH: ClassVar[bool] = True
    """Whether 1–7 change the screen; False where digits mean something here (then g1–g7 and F1–F7 do)."""
    CHANGES_KEYS: ClassVar[frozenset[str]] = frozenset({"leader"})
    """Actions after which keys mean something else, such as those that open something to type into: done
    before the next key is looked at. They set the focus with ``set_focus``; ``focus()`` would do it later."""
    KEPT_BACK: ClassVar[frozenset[str]] = frozenset()
    """Actions that a server does for its own machine alone: the key bar of another one leaves them out."""
    PARTS: ClassVar[Mapping[str, tuple[type[Widget], ...]]] = {}
    """Widgets with keys of their own, by mode: keys of two modes are never in use at once."""
    MIN_SIZE: ClassVar[tuple[int, int]] = (40, 10)
    """Smaller than this (columns, rows) the screen only says that the terminal is too small."""
    AUTO_FOCUS = ""
    HELP = ""

    DEFAULT_CSS = """
    WorkbenchScreen { layout: vertical; }
    WorkbenchScreen > #too-small { display: none; width: 1fr; height: 1fr; }
    WorkbenchScreen.-too-small > * { display: none !important; }
    WorkbenchScreen.-too-small > #too-small { display: block !important; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "leader", "go to screen", show=False, id="app.go", tooltip="Then 1–7: that screen"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._leader: Mapping[str, Callable[[], None]] = {}
        self._in_front = False
        self.key_time = 0.0
        """When the key now being handled arrived (time.monotonic)."""

    @property
    def bench(self) -> RlftApp:
        """The app, typed."""
        return cast("RlftApp", self.app)

    @classmethod
    def key_modes(cls) -> dict[str, str]:
        """The mode of each binding that a part of the screen has, by id."""
        return {
            binding.id: f"{cls.KEY}.{mode}"
            for mode, kinds in cls.PARTS.items()
            for kind in kinds
            for binding in kind.BINDINGS
            if isinstance(binding, Binding) and binding.id is not None
        }

    @classmethod
    def all_bindings(cls) -> list[BindingType]:
        """Its own bindings and those of its parts."""
        return [
            *cls.BINDINGS,
            *(each for kinds in cls.PARTS.values() for kind in kinds for each in kind.BINDINGS),
        ]

    # layout
    def compose(self) -> ComposeResult:
        yield TopBar(self.KEY, self.bench.place, leader=not self.DIGITS_SWITCH)
        yield from self.body()
        yield KeyBar(self.in_key_bar)
        yield Static("Terminal too small: enlarge it", id="too-small", markup=False)

    def body(self) -> Iterable[Widget]:
        """The widgets between the two bars."""
        return ()

    def in_key_bar(self, action: str) -> bool:
        """Whether the key bar names this action now; its key works either way."""
        return not (self.bench.elsewhere and action in self.KEPT_BACK)

    def on_resize(self, event: events.Resize) -> None:
        columns, rows = self.MIN_SIZE
        too_small = event.size.width < columns or event.size.height < rows
        self.set_class(too_small, "-too-small")
        if too_small:
            self.query_one("#too-small", Static).update(
                f"Terminal too small: {event.size.width}x{event.size.height}, needs {columns}x{rows}"
            )

    def say(self, selector: str, text: str | Text | Content) -> None:
        """What a line of text says; one that says it already is not painted again."""
        line = self.query_one(selector, Static)
        if not _is_same(line.content, text):
            line.update(text)

    # life
    def on_screen_resume(self) -> None:
        if self._in_front:  # Textual announces the first resume twice
            return
        self._in_front = True
        self.link_changed(self.bench.link.state, "")
        self.opened(**self.bench.take_arguments())

    def on_screen_suspend(self) -> None:
        self._in_front = False

    def opened(self, **values: Any) -> None:
        """Called each time the screen comes to the front, with the values given to ``show_screen``."""

    def link_changed(self, state: LinkState, reason: str) -> None:
        """Show quietly whether the server answers. Extend to read again once it is back."""
        notices = {
            "connecting": reason or "connecting…",
            "up": "",
            "silent": "the server does not answer…",
            "lost": "server lost, reconnecting…",
        }
        for bar in self.query(TopBar):
            bar.notice = notices[state]

    def keys_changed(self) -> None:
        """The key map is in use now: extend where keys are named on the screen."""

    def alive(self, at: float) -> None:
        """A key or the mouse moved at this moment (time.monotonic)."""

    def away(self, at: float) -> None:
        """The terminal lost the focus."""

    # server
    def call(
        self,
        what: Callable[[WorkspaceClient], T],
        done: Callable[[T], None],
        *,
        failed: Callable[[RlftError], None] | None = None,
        group: str = "call",
        latest: bool = False,
        retry: bool = True,
    ) -> Worker[None]:
        """Run ``what`` with the client in a thread, then ``done`` with its answer on this screen.

        An RlftError goes to ``failed``, or becomes a notice. With ``latest`` an earlier call of the
        same ``group`` is dropped: for reads only. ``retry`` asks once more after a lost connection:
        not for requests that must not happen twice.
        """

        async def ask() -> None:
            try:
                answer = await self.bench.link.call(what, retry=retry)
            except RlftError as error:
                if failed is not None:
                    failed(error)
                else:
                    self.bench.show_error(error)
            except Exception:  # such as an answer that does not decode: the workbench goes on
                self.bench.show_unexpected()
            else:
                done(answer)

        return self.run_worker(ask, group=group, exclusive=latest, exit_on_error=True)

    # keys
    def action_source(self) -> None:
        """Show the texts as they were written, Markdown and LaTeX and all; again: rendered."""
        from rlft_tui.tui.widgets.text_pane import TextPane  # Home starts without Markdown

        panes = list(self.query(TextPane))
        wanted = not any(pane.source for pane in panes)
        for pane in panes:
            pane.source = wanted

    def lead(self, hint: str, keys: Mapping[str, Callable[[], None]]) -> None:
        """Give the next key a special meaning; any other key only ends that."""
        self._leader = keys
        self.query_one(KeyBar).hint = hint

    def take_key(self, key: str) -> bool:
        """Called by the app before any binding; True when the key was used up here."""
        if self.has_class("-too-small"):  # nobody decides about what cannot be seen
            return key not in LEAVING_KEYS
        if not self._leader:
            return False
        keys, self._leader = self._leader, {}
        self.query_one(KeyBar).hint = ""
        if (run := keys.get(key)) is not None:
            run()
        # Where y says yes, n says no and does nothing else.
        return run is not None or key == "escape" or (key == "n" and "y" in keys)

    def action_leader(self) -> None:
        def go(key: str) -> Callable[[], None]:
            return lambda: self.bench.action_show_screen(key)

        targets = {entry.digit: go(key) for key, entry in SCREENS.items() if entry.digit}
        letters = {key[0]: go(key) for key in ("home", "label", "data", "runs", "compare", "evaluations")}
        names = "  ".join(f"{entry.digit} {entry.title}" for entry in SCREENS.values() if entry.digit)
        self.lead(f"go to: {names}", {**targets, **letters})


def _is_same(one: object, other: object) -> bool:
    """Whether both look alike; contents compare as equal whatever their styles."""
    if isinstance(one, Content) and isinstance(other, Content):
        return one.plain == other.plain and one.spans == other.spans
    return one == other
