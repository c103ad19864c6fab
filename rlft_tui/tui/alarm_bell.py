"""Tells somebody who looks elsewhere: the bell, a desktop notification, and a notice on the screen."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from textual.app import App

from rlft_tui.runs.remarks import alarm_key
from rlft_tui.runs.run_status import ACTIVE, RunSummary
from rlft_tui.tui import run_text

NEWS_SECONDS = 20.0
"""An end that is older, after a lost connection for one, is told by the lists of runs alone."""


class AlarmBell:
    """Remembers what was there, and tells of every alarm and every end that comes after."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._known: dict[str, set[str]] = {}
        """Alarms that each run already had, by key."""
        self._active: set[str] = set()
        self._ended: dict[str, tuple[str, float | None]] = {}
        """How and when each run ended, once that was noted."""
        self._since = time.time()

    def heed(self, runs: Iterable[RunSummary]) -> None:
        """Look at runs as they stand now; alarms are silent at the first look at a run."""
        for run in runs:
            keys = {alarm_key(each.name, each.step, each.t): each for each in run.alerts}
            known = self._known.get(run.id)
            self._known[run.id] = set(keys)
            for key, alert in keys.items():
                if known is None or key in known or key in run.seen_alerts:
                    continue
                if run.snoozed.get(alert.name, 0.0) > time.time():
                    continue
                self._tell(f"{run.id}: {alert.message} (step {alert.step})", "warning", 10)
            if run.status in ACTIVE:
                self._active.add(run.id)
                self._ended.pop(run.id, None)
            elif self._ended.get(run.id) != (run.status, run.ended):
                if self._is_news(run):
                    cause = run_text.cause(run)
                    said = f"{run.id} {run.status}" + (f": {cause}" if cause else "")
                    self._tell(said, "error" if cause else "information", 5)
                self._active.discard(run.id)
                self._ended[run.id] = (run.status, run.ended)

    def _is_news(self, run: RunSummary) -> bool:
        """Whether a run ended just now; it may have begun and failed between two looks."""
        if run.ended is None:
            return run.id in self._active
        return run.ended >= max(self._since, time.time() - NEWS_SECONDS)

    def _tell(self, text: str, severity: Any, seconds: float) -> None:
        text = run_text.plain(text)
        self._app.notify(text, severity=severity, timeout=seconds, markup=False)
        self._app.bell()
        driver = self._app._driver
        if driver is not None and not self._app.is_headless:
            driver.write(desktop_notice(text, inside_tmux="TMUX" in os.environ))


def desktop_notice(text: str, *, inside_tmux: bool) -> str:
    """OSC 9 (iTerm2, Windows Terminal, kitty) and OSC 777 (urxvt, Ghostty, foot), which others ignore.

    tmux hands them on where ``allow-passthrough`` is on.
    """
    text = text.replace(";", ",")[:200]
    notices = (f"\x1b]9;{text}\x07", f"\x1b]777;notify;rlft;{text}\x07")
    if inside_tmux:
        return "".join("\x1bPtmux;" + notice.replace("\x1b", "\x1b\x1b") + "\x1b\\" for notice in notices)
    return "".join(notices)


_bells: WeakKeyDictionary[App[Any], AlarmBell] = WeakKeyDictionary()


def bell_of(app: App[Any]) -> AlarmBell:
    """The app's bell; one an app, so that nothing is told twice."""
    bell = _bells.get(app)
    if bell is None:
        bell = _bells[app] = AlarmBell(app)
    return bell
