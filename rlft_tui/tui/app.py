"""The workbench: one app, its screens, and the connection they share."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

import msgspec
from rich.text import Text
from textual import events
from textual._context import active_message_pump
from textual.app import App, SystemCommand
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.css.query import QueryError
from textual.dom import DOMNode
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.worker import Worker, WorkerFailed, active_worker

from rlft_tui.config import Settings
from rlft_tui.errors import RlftError
from rlft_tui.garbage import collect_rarely, freeze_what_stays
from rlft_tui.labels.queue_view import QueueView
from rlft_tui.paths import Workspace
from rlft_tui.tui import run_text
from rlft_tui.tui.keys_at_once import done_at_once
from rlft_tui.tui.label_writer import LabelWriter
from rlft_tui.tui.messages import LinkChanged
from rlft_tui.tui.screen_registry import SCREENS, screen_class
from rlft_tui.tui.server_link import LinkState, ServerLink, connect_here, connect_there
from rlft_tui.tui.widgets.partial_updates import crop_updates
from rlft_tui.tui.widgets.sent_frame import frame_of
from rlft_tui.tui.widgets.terminal_pace import pace_of

if TYPE_CHECKING:
    from rlft_tui.client.remote_place import RemotePlace
    from rlft_tui.client.workspace_client import WorkspaceClient
    from rlft_tui.tui.screens.base import WorkbenchScreen

FREEZE_AFTER_SECONDS = 1.5
"""By then the first screen and the connection, which stay, are made."""
FALLBACK_THEME = "textual-dark"
QUIT_SECONDS = 5.0
"""How long leaving waits for a verdict that is not stored yet."""


class RlftApp(App[int]):
    """The workbench on one workspace.

    ``connect`` makes a client, starting the server when needed; it runs in a thread after the
    first frame, and again whenever the server is lost.
    """

    TITLE = "rlft"
    ENABLE_COMMAND_PALETTE = True
    # Dialogs do not dim the screen behind: that is 100 KB at 200x50.
    CSS = """
    ModalScreen { background: transparent; }
    Toast { background: $panel; }
    * { scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1; }
    Input { scrollbar-size-horizontal: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                f"{entry.digit},f{entry.digit}",
                f"show_screen('{key}')",
                entry.title,
                show=False,
                id=f"app.{key}",
                tooltip=f"Go to {entry.title}",
            )
            for key, entry in SCREENS.items()
            if entry.digit
        ),
        Binding(
            "f8", "show_screen('statistics')", "Statistics", show=False,
            id="app.statistics", tooltip="Pace, biases, agreement and who is ahead",
        ),
        Binding("f9", "show_screen('score')", "Score", show=False, id="app.score", tooltip="Go to Score"),
        Binding("f10", "show_screen('rank')", "Rank", show=False, id="app.rank", tooltip="Go to Rank"),
        Binding(
            "f11", "show_screen('rounds')", "Rounds", show=False, id="app.rounds", tooltip="Go to Rounds"
        ),
        Binding("question_mark,f12", "help", "help", id="app.help", tooltip="All keys of this screen"),
        Binding("q", "leave", "back", show=False, id="app.back", tooltip="Back to Home; from Home, leave"),
        Binding("ctrl+q", "quit", "leave", show=False, id="app.quit", tooltip="Leave the workbench"),
        Binding("ctrl+l", "repaint", "repaint", show=False, id="app.repaint", tooltip="Paint all anew"),
        Binding("ctrl+z", "suspend_process", "suspend", show=False, id="app.suspend", tooltip="To the shell"),
    ]  # fmt: skip

    def __init__(
        self,
        workspace: Workspace,
        settings: Settings,
        *,
        connect: Callable[[], WorkspaceClient] | None = None,
        screen: str = "home",
        view: QueueView | None = None,
        arguments: dict[str, Any] | None = None,
        elsewhere: bool = False,
    ) -> None:
        """``elsewhere``: the workspace is another machine's, and its server refuses what changes runs."""
        crop_updates()
        self.DEFAULT_MODE = screen  # type: ignore[misc]  # read by the base class, once
        super().__init__()
        self.workspace = workspace
        self.settings = settings
        self.queue_view = view or QueueView(overlap=settings.overlap, repeats=True)
        """Which pairs the label screen asks for; kept until the workbench is left."""
        self.elsewhere = elsewhere
        self.animation_level = "none"
        self._arguments: dict[str, Any] = arguments or {}
        self._listing = False
        self.keys: dict[str, str] = {}
        """The key map in use: binding id to keys."""
        self.link = ServerLink(
            connect or partial(connect_here, workspace, partial(self._tell_link, "connecting")),
            self._tell_link,
        )
        self.label_writer = LabelWriter(self.link)
        """Every verdict, from whatever screen, is stored through this."""
        for key in SCREENS:
            self.add_mode(key, partial(_make_screen, key))

    @property
    def place(self) -> str:
        """What the top bar says on the right: workspace and labeller."""
        return run_text.plain(f"{self.workspace.root.name} · as {self.settings.labeler}")

    # start
    def on_mount(self) -> None:
        self.app_resume_signal.subscribe(self, lambda _: self.action_repaint())
        self._use_theme()
        self.call_after_refresh(self._started)

    def _started(self) -> None:
        """What waits for the first frame: the connection, the key map, the garbage collector."""
        # Given as functions: an app that ends before its first frame leaves no coroutine behind.
        _: Worker[None] = self.run_worker(self._greet, group="link")
        _ = self.run_worker(self.label_writer.run, group="label-writer")
        if self.settings.keymap or self.settings.layout != "standard":
            self.run_worker(self._use_keymap(), group="keymap")
        if not self.is_headless:
            self.set_timer(FREEZE_AFTER_SECONDS, freeze_what_stays)

    def on_cursor_position(self) -> None:
        """The terminal has read a live frame, so the next one may be drawn."""
        pace_of(self).answered()

    async def _greet(self) -> None:
        try:
            client = await self.link.client()
        except RlftError:
            return  # the top bar already says that there is no server
        from rlft_tui.client.version_notice import version_notice

        if notice := version_notice(client):
            self.notify(notice, severity="warning", timeout=20, markup=False)

    def _use_theme(self) -> None:
        name = self.settings.theme
        if name in self.available_themes:
            self.theme = name
        else:
            self.theme = FALLBACK_THEME
            self.notify(
                f"rlft.toml: no theme {name!r}; {FALLBACK_THEME} is used. "
                f"Themes: {', '.join(sorted(self.available_themes))}",
                severity="warning",
                markup=False,
            )

    async def _use_keymap(self) -> None:
        from rlft_tui.tui.compare_keys import COMPARE_LAYOUTS
        from rlft_tui.tui.keymap import check_keymap
        from rlft_tui.tui.label_keys import MODES, in_layout, whole_keymap
        from rlft_tui.tui.screens.base import WorkbenchScreen

        places: dict[str, list[BindingType]] = {}
        modes = dict(MODES)
        for key in SCREENS:
            kind = await asyncio.to_thread(screen_class, key)
            own = [*self.BINDINGS, *WorkbenchScreen.BINDINGS, *kind.all_bindings()]
            modes |= kind.key_modes()
            places[key] = own if kind.DIGITS_SWITCH else [_without_digit(binding) for binding in own]
        layout = self.settings.layout
        for key in ("label", "compare"):
            places[key] = in_layout(places[key], layout)
        checked = check_keymap({**COMPARE_LAYOUTS[layout], **self.settings.keymap}, places, modes)
        self.keys = whole_keymap(self.settings.layout, checked.usable)
        self.set_keymap(self.keys)
        if isinstance(self.screen, WorkbenchScreen):
            self.screen.keys_changed()
        for problem in checked.problems:
            self.notify(f"rlft.toml: {problem}", severity="warning", timeout=10, markup=False)

    # screens
    def show_screen(self, key: str, **arguments: Any) -> None:
        """Bring a screen to the front; ``arguments`` reach its ``opened``."""
        self._arguments = arguments
        if key == self.current_mode:
            self._open_front()
        else:
            self.switch_mode(key)

    def take_arguments(self) -> dict[str, Any]:
        """What the screen that comes to the front was asked to show; handed out once."""
        arguments, self._arguments = self._arguments, {}
        return arguments

    def _open_front(self) -> None:
        from rlft_tui.tui.screens.base import WorkbenchScreen

        if isinstance(self.screen, WorkbenchScreen):
            self.screen.opened(**self.take_arguments())

    def action_show_screen(self, key: str) -> None:
        self.show_screen(key)

    async def action_leave(self) -> None:
        if self.current_mode == "home":
            await self.action_quit()
        else:
            self.show_screen("home")

    async def action_quit(self) -> None:
        """Leave, once every verdict given is stored; say so when the server cannot be reached."""
        if self.label_writer.waiting:
            self.notify("Storing the last verdict…", timeout=QUIT_SECONDS)
            if not await self.label_writer.finish(QUIT_SECONDS):
                lost = "rlft: the last verdict could not be stored: no answer from the server"
                self.exit(return_code=1, message=lost)
                return
        self.exit(0)

    def pop_screen(self) -> AwaitComplete:
        """Close the dialog in front; one that is closed already and asks again closes no other."""
        asking = active_message_pump.get(None)
        if isinstance(asking, Screen) and asking not in self.screen_stack:
            return AwaitComplete()
        return super().pop_screen()

    def action_help(self) -> None:
        from rlft_tui.tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("leave", "help", "show_screen") and len(self.screen_stack) > 1:
            return self._listing  # rest while a dialog is open, but are offered by the command palette
        return super().check_action(action, parameters)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        from rlft_tui.tui.chrome import key_name

        seen: set[str] = set()
        self._listing = True
        active_bindings = list(screen.active_bindings.values())
        self._listing = False
        for active in active_bindings:
            binding = active.binding
            if binding.key.isdigit() and active.node is self and not getattr(screen, "DIGITS_SWITCH", True):
                continue  # rests on this screen; the function key follows
            if active.enabled and binding.id is not None and binding.action not in seen:
                seen.add(binding.action)
                title = binding.description[:1].upper() + binding.description[1:]
                run = partial(self.run_action, binding.action, active.node)
                yield SystemCommand(f"{title} ({key_name(binding.key)})", binding.tooltip, run)
        yield SystemCommand("Theme", "Change the colours for this session", self.action_change_theme)

    # keys
    async def on_event(self, event: events.Event) -> None:
        from rlft_tui.tui.screens.base import WorkbenchScreen

        if isinstance(event, events.InputEvent) and not event.is_forwarded and self.screen_stack:
            screen = self.screen
            if isinstance(screen, WorkbenchScreen):
                screen.alive(event.time)
                if isinstance(event, events.Key):
                    screen.key_time = event.time
                    if screen.take_key(event.key) or await done_at_once(self, screen, event):
                        return
        try:
            await super().on_event(event)
        except Exception as error:
            if not isinstance(event, events.InputEvent):
                raise
            # Such as a key that meets a dialog which is not made yet: no reason to leave.
            self._exception = self._exception or error  # tests fail on it
            self.show_unexpected()

    def on_app_blur(self) -> None:
        from rlft_tui.tui.screens.base import WorkbenchScreen

        if isinstance(self.screen, WorkbenchScreen):
            self.screen.away(time.monotonic())

    def on_resize(self, event: events.Resize) -> None:
        """A terminal that was resized and back is as large as before, and may have lost what it showed."""
        frame = frame_of(self.console)
        frame.forget()
        if event.size == frame.size:
            self.refresh(layout=True)

    def action_repaint(self) -> None:
        """Send every cell again, whatever the terminal was believed to show."""
        frame_of(self.console).forget()
        self.refresh(layout=True)

    # settings
    def keep_setting(self, name: str, value: bool | str | dict[str, bool]) -> None:
        """Change a setting now, and in rlft.toml for the next time."""
        from rlft_tui.config import keep_setting

        merged = {**getattr(self.settings, name), **value} if isinstance(value, dict) else value
        self.settings = msgspec.structs.replace(self.settings, **{name: merged})
        try:
            keep_setting(self.workspace.settings, name, value)
        except RlftError as error:
            self.notify(str(error), severity="warning", markup=False)

    # errors
    def show_error(self, error: RlftError) -> None:
        """One notice: what, where and the remedy."""
        self.notify(str(error), severity="error", timeout=10, markup=False)

    def show_unexpected(self) -> None:
        """The exception being handled was nobody's plan: a notice, and the traceback in tui.log."""
        self.notify(self._logged(), severity="error", timeout=15, markup=False)

    def _logged(self) -> str:
        """Write the traceback of the exception being handled into tui.log; one line about it."""
        log = self.workspace.root / "tui.log"
        details = traceback.format_exc()
        with contextlib.suppress(OSError), log.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')}\n{details}\n")
        line = run_text.plain(details.strip().splitlines()[-1])
        return f"unexpected error: {line}. The details are in {log}"

    async def _shutdown(self) -> None:
        """Cancel the workers first: one that comes back now would paint on a screen half taken apart."""
        self.workers.cancel_all()
        await super()._shutdown()

    def _handle_exception(self, error: Exception) -> None:
        """Leave, unless a widget that is being taken apart only missed a part of itself.

        A worker or message of its may come late: the command palette's search does when Escape
        follows it closely.
        """
        if self._exit:
            # Left already, perhaps by a signal while the first screen was being made.
            self._close_messages_no_wait()
            return
        cause = error.error if isinstance(error, WorkerFailed) else error
        if isinstance(cause, QueryError) and (not self.is_running or _is_leaving(_at_work(error))):
            return
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """An exception in the app itself: leave with one line instead of a traceback."""
        self._exit_renderables.append(Text(f"rlft: {self._logged()}"))
        self._close_messages_no_wait()

    # server
    def _tell_link(self, state: LinkState, reason: str) -> None:
        self.post_message(LinkChanged(state, reason))

    def on_link_changed(self, message: LinkChanged) -> None:
        from rlft_tui.tui.screens.base import WorkbenchScreen

        for screen in self.screen_stack:
            if isinstance(screen, WorkbenchScreen):
                screen.link_changed(message.state, message.reason)
        if message.state == "lost":
            self.run_worker(self._reach_again(), group="reach-again", exclusive=True)

    async def _reach_again(self) -> None:
        """Look for the server until it answers; each try starts it when it is not there."""
        while self.link.state == "lost":
            await asyncio.sleep(1.0)
            with contextlib.suppress(RlftError):
                await self.link.call(lambda client: client.health())
                return


def _at_work(error: Exception) -> MessagePump | None:
    """The node whose worker or message handler raised."""
    if isinstance(error, WorkerFailed) and (worker := active_worker.get(None)) is not None:
        return cast(MessagePump, worker.node)
    return active_message_pump.get(None)


def _is_leaving(node: MessagePump | None) -> bool:
    if not isinstance(node, DOMNode) or isinstance(node, App):
        return False
    return any(each._pruning or each._closing or each._closed for each in node.ancestors_with_self)


def _without_digit(binding: BindingType) -> BindingType:
    """The app's screen keys where digits have another meaning: the function key alone."""
    if isinstance(binding, Binding) and binding.action.startswith("show_screen("):
        return dataclasses.replace(binding, key=binding.key.split(",")[-1])
    return binding


def _make_screen(key: str) -> WorkbenchScreen:
    return screen_class(key)()


def run_app(
    workspace: Workspace,
    screen: str = "home",
    labeler: str | None = None,
    remote: RemotePlace | None = None,
    view: QueueView | None = None,
    arguments: dict[str, Any] | None = None,
) -> int:
    """Run the workbench in this terminal until it is left; its exit code.

    ``labeler`` stands in for the name in rlft.toml, ``view`` is the queue to begin with,
    ``arguments`` reach the ``opened`` of the first screen. With ``remote`` the workspace is another
    machine's, and ``workspace`` a folder that stands in for it here: it may hold a rlft.toml.
    """
    collect_rarely()
    from rlft_tui.config import read_settings
    from rlft_tui.tui.terminal import restored_by_signals, shows_colours

    if not shows_colours(os.environ):
        os.environ["NO_COLOR"] = "1"
    here = remote is None or workspace.settings.exists()
    settings = read_settings(workspace.settings) if here else Settings()
    app = RlftApp(
        workspace,
        msgspec.structs.replace(settings, labeler=labeler or settings.labeler),
        connect=partial(connect_there, remote) if remote is not None else None,
        screen=screen,
        view=view,
        arguments=arguments,
        elsewhere=remote is not None,
    )

    async def run() -> int:
        with restored_by_signals(lambda code: app.exit(code, return_code=code)):
            await app.run_async()
        code = app.return_code or 0
        if app.link.busy:
            # A call that nobody waits for any more, such as a long generation, must not keep the
            # shell waiting; what was to be stored is stored by now (see action_quit).
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        await app.link.close()
        return code

    return asyncio.run(run())
