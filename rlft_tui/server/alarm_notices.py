"""Alarms and ends of runs told outside: a command or a webhook from rlft.toml, with nobody looking."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import subprocess
import threading
import time
import urllib.request

from rlft_tui.config import alarm_address, alarm_words
from rlft_tui.errors import RlftError
from rlft_tui.record import Record
from rlft_tui.runs.remarks import alarm_key
from rlft_tui.runs.run_status import ACTIVE, RunSummary

log = logging.getLogger("rlft.server.alarms")

_PATIENCE = 20.0
"""Seconds that a command or a webhook may take."""
_MOST_WAITING = 100


class _Notice(Record, frozen=True):
    run: str
    kind: str
    """The alarm's name, or the state in which the run ended."""
    text: str
    step: int


class AlarmNotices:
    """Tells each alarm and each end once, in a thread of its own, so that nothing waits for it."""

    def __init__(self, command: str, webhook: str) -> None:
        """``command`` is run without a shell, the text as its last argument; ``webhook`` gets a POST.

        One that cannot be used is set aside: the settings' own check has told of it.
        """
        self._command: list[str] = []
        self._webhook = ""
        with contextlib.suppress(RlftError):
            self._command = alarm_words(command)
        with contextlib.suppress(RlftError):
            self._webhook = alarm_address(webhook)
        self._since = time.time()
        self._told: set[tuple[str, str]] = set()
        self._active: set[str] = set()
        self._waiting: queue.Queue[_Notice] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None

    def heed(self, run: RunSummary) -> None:
        """A run as it stands now."""
        if not self._command and not self._webhook:
            return
        for alert in run.alerts:
            key = (run.id, alarm_key(alert.name, alert.step, alert.t))
            if alert.t < self._since or key in self._told:
                continue
            self._told.add(key)
            if run.snoozed.get(alert.name, 0.0) <= time.time():
                self._tell(
                    _Notice(run.id, alert.name, f"{alert.message}. {alert.advice}".strip(), alert.step)
                )
        if run.status in ACTIVE:
            self._active.add(run.id)
        elif run.id in self._active:
            self._active.discard(run.id)
            reason = run.error or (run.exit.reason if run.exit else "")
            self._tell(_Notice(run.id, run.status, reason or run.status, run.step))

    def _tell(self, notice: _Notice) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="alarms", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(notice)
        except queue.Full:
            log.warning("too many alarms wait to be told; dropped: %s %s", notice.run, notice.kind)

    def _work(self) -> None:
        while True:
            notice = self._waiting.get()
            text = f"{notice.run} step {notice.step}: {notice.text}"
            if self._command:
                self._run(notice, text)
            if self._webhook:
                self._post(notice, text)

    def _run(self, notice: _Notice, text: str) -> None:
        environment = {
            **os.environ,
            "RLFT_RUN": notice.run,
            "RLFT_ALARM": notice.kind,
            "RLFT_STEP": str(notice.step),
        }
        try:
            done = subprocess.run(
                [*self._command, text],
                env=environment,
                timeout=_PATIENCE,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired, ValueError) as error:
            log.warning("alarm_command failed: %s", error)
            return
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            log.warning("alarm_command ended with %d: %s", done.returncode, said[-1] if said else "")

    def _post(self, notice: _Notice, text: str) -> None:
        """The text as the body, a title and tags as headers: what ntfy takes, and others ignore."""
        request = urllib.request.Request(
            self._webhook,
            data=text.encode(),
            headers={
                "Title": f"rlft: {notice.kind}".encode("ascii", "replace").decode(),
                "Content-Type": "text/plain; charset=utf-8",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
                answer.read(1)
        except (OSError, ValueError) as error:
            log.warning("alarm_webhook failed: %s", error)
