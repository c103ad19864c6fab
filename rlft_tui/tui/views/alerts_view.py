"""What in a run deserves a look, newest first, with advice and a way to its step; and its limits."""

from __future__ import annotations

import time
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Static

from rlft_tui.runs.remarks import alarm_key
from rlft_tui.runs.run_status import Alert, RunSummary
from rlft_tui.tui import run_text
from rlft_tui.tui.list_pane import ListPane, ListRow
from rlft_tui.tui.run_table import unseen_alerts
from rlft_tui.tui.server_link import ServerLink
from rlft_tui.tui.views.limits_pane import LimitsPane
from rlft_tui.tui.views.run_view import RunView

NOTHING = "nothing to report"
SNOOZE_SECONDS = 3600.0


class AlertsView(RunView, can_focus=True):
    """A line for each alert: when, where, what, and what to do about it."""

    DEFAULT_CSS = """
    AlertsView #alert-advice { height: auto; max-height: 4; padding: 0 1; background: $surface; }
    AlertsView #limits { display: none; }
    AlertsView.-limits #limits { display: block; }
    AlertsView.-limits #alert-list, AlertsView.-limits #alert-advice { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go", "to its step", id="alerts.go", tooltip="The curves at the alarm's step"),
        Binding("space", "see", "seen", id="alerts.see", tooltip="Acknowledge the alarm, or take that back"),
        Binding("S", "see_all", "all seen", key_display="S", id="alerts.see_all", tooltip="Acknowledge all"),
        Binding("z", "snooze", "snooze", id="alerts.snooze",
                tooltip="Alarms of this kind make no sound for an hour; again: they do"),
        Binding("e", "limits", "limits", id="alerts.limits",
                tooltip="Change alarm limits and how often is sampled, also while the run runs"),
    ]  # fmt: skip

    class StepWanted(Message):
        """The step of an alarm is to be looked at."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    class Remarked(Message):
        """What people say about the run is to change."""

        def __init__(self, changes: dict[str, object]) -> None:
            super().__init__()
            self.changes = changes

    class LimitChanged(Message):
        """A setting of the run is to have another value."""

        def __init__(self, name: str, value: str) -> None:
            super().__init__()
            self.name = name
            self.value = value

    class NewsWanted(Message):
        """Something else is shown now: read it."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.run: RunSummary | None = None
        self._advice = ""

    def compose(self) -> ComposeResult:
        yield ListPane(empty=NOTHING, id="alert-list")
        yield Static("", id="alert-advice", markup=False)
        yield LimitsPane(id="limits")

    @property
    def alarms(self) -> ListPane:
        return self.query_one("#alert-list", ListPane)

    @property
    def limits(self) -> LimitsPane:
        return self.query_one(LimitsPane)

    @property
    def shows_limits(self) -> bool:
        return self.has_class("-limits")

    @property
    def count(self) -> int:
        return len(self.run.alerts) if self.run is not None else 0

    @property
    def place(self) -> str:
        if self.shows_limits:
            return "alarm limits and intervals"
        if self.run is None or not self.run.alerts:
            return ""
        snoozed = [name for name, until in self.run.snoozed.items() if until > time.time()]
        quiet = f" · {', '.join(snoozed)} snoozed" if snoozed else ""
        return run_text.plain(f"{unseen_alerts(self.run)} not seen{quiet}")

    @property
    def selected(self) -> Alert | None:
        key = self.alarms.key
        return self.run.alerts[int(key)] if self.run is not None and key is not None else None

    def clear(self) -> None:
        self.run = None
        self.alarms.show(())
        self.limits.show(())
        self.remove_class("-limits")
        self._advise()

    async def read(self, link: ServerLink, run: RunSummary) -> None:
        self.run = run
        rows = []
        for at, alert in reversed(list(enumerate(run.alerts))):
            seen = alarm_key(alert.name, alert.step, alert.t) in run.seen_alerts
            clock = time.strftime("%m-%d %H:%M:%S", time.localtime(alert.t))
            line = Text(f" {'·' if seen else '●'} {clock}  step {alert.step:<8,} ", no_wrap=True)
            line.append(run_text.plain(alert.message), style="dim" if seen else "#e69f00")
            if alert.advice:
                line.append("  " + run_text.plain(alert.advice), style="dim")
            rows.append(ListRow(str(at), line))
        cause = run_text.cause(run)
        empty = f"no alarm; {run.status}: {cause}" if cause else NOTHING
        self.alarms.show(rows, empty=empty)
        self._advise()
        if self.shows_limits:
            self.limits.show(await link.call(lambda client: client.run_settings(run.id)))

    @on(ListPane.Moved, "#alert-list")
    def _advise(self) -> None:
        """The whole of the alarm under the cursor, where a line cannot hold it."""
        alert = self.selected
        text = f"{alert.name}: {alert.message}\n→ {alert.advice or 'no advice'}" if alert is not None else ""
        if text != self._advice:
            self._advice = text
            widget = self.query_one("#alert-advice", Static)
            widget.display = bool(text)
            widget.update("\n".join(run_text.plain(line) for line in text.split("\n")))

    def focus_inside(self) -> None:
        if self.shows_limits:
            self.limits.focus_inside()
        else:
            self.screen.set_focus(self.alarms)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("go", "see", "see_all", "snooze", "limits"):
            return not self.shows_limits
        return super().check_action(action, parameters)

    @on(LimitsPane.Left)
    def action_limits(self) -> None:
        """The limits in place of the alarms, or the other way round."""
        self.toggle_class("-limits")
        self.focus_inside()
        self.refresh_bindings()
        self.post_message(self.NewsWanted())

    @on(LimitsPane.Changed)
    def _limit_changed(self, event: LimitsPane.Changed) -> None:
        self.post_message(self.LimitChanged(event.name, event.value))

    @on(ListPane.Chosen, "#alert-list")
    def action_go(self) -> None:
        if (alert := self.selected) is not None:
            self.post_message(self.StepWanted(alert.step))

    def action_see(self) -> None:
        run, alert = self.run, self.selected
        if run is None or alert is None:
            return
        key = alarm_key(alert.name, alert.step, alert.t)
        seen = [each for each in run.seen_alerts if each != key]
        if key not in run.seen_alerts:
            seen.append(key)
        self.post_message(self.Remarked({"seen": seen}))

    def action_see_all(self) -> None:
        if self.run is not None:
            keys = [alarm_key(each.name, each.step, each.t) for each in self.run.alerts]
            self.post_message(self.Remarked({"seen": keys}))

    def action_snooze(self) -> None:
        run, alert = self.run, self.selected
        if run is None or alert is None:
            return
        snoozed = {name: until for name, until in run.snoozed.items() if until > time.time()}
        if alert.name in snoozed:
            del snoozed[alert.name]
        else:
            snoozed[alert.name] = time.time() + SNOOZE_SECONDS
        self.post_message(self.Remarked({"snoozed": snoozed}))
