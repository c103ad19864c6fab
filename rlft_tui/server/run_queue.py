"""The line for the device: which runs wait, which one starts next, which one is resumed by itself.

All of it stands in the run folders (runs/queue_place.py); a server that starts finds the line as
the last one left it. Generate runs wait like training runs: they hold a model in memory too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from msgspec.structs import replace

from rlft_tui.errors import RlftError, UnavailableError
from rlft_tui.runs import launcher
from rlft_tui.runs.launcher import record_control
from rlft_tui.runs.queue_place import QueuePlace, first_place
from rlft_tui.runs.run_status import RunSummary
from rlft_tui.server.followed_run import FollowedRun

log = logging.getLogger("rlft.server.runs")

BACK_OFF_SECONDS = 30.0
"""Before the first resume that nobody asked for; doubled for each further one."""
LONGEST_BACK_OFF = 600.0
_CRASHED = ("failed", "killed", "lost")
GONE = "gone"
"""Said of a run that was deleted."""
_NEVER = frozenset({*_CRASHED, "cancelled", GONE})
"""Ends of a run after which one that waits for it is not started."""


class RunQueue:
    """Starts waiting runs in order as long as fewer than ``slots`` are active."""

    def __init__(
        self,
        slots: int,
        runs: Callable[[], list[FollowedRun]],
        ended: Callable[[str], str] = lambda run_id: GONE,
    ) -> None:
        """``runs`` gives those that are not settled; ``ended`` tells how a run ended (``status_word``),
        nothing while there is more to come of it, and GONE when it is no more."""
        self.slots = max(slots, 1)
        self.lock = threading.RLock()
        """Held while runs are started; taken before the lock of a run, never after it."""
        self._runs = runs
        self._ended = ended
        self._hindrances: dict[str, str] = {}
        """Why the first one in line does not start."""

    def waiting(self) -> list[tuple[QueuePlace, FollowedRun]]:
        """Those that are queued, the next one first."""
        found = [
            (place, run)
            for run in self._runs()
            if (place := run.folder.current_place()) is not None
            and not place.held
            and not launcher.is_active(run.folder)
        ]
        return sorted(found, key=lambda one: (one[0].order, one[1].folder.id))

    def places(self) -> list[QueuePlace]:
        return [place for place, _ in self.waiting()]

    def has_work(self) -> bool:
        """Whether a run waits that can start without anybody doing something first."""
        return any(not place.after or self._ended(place.after) in ("", "finished") for place in self.places())

    def start_due(self) -> None:
        """Start what may start now."""
        with self.lock:
            free = self.slots - sum(launcher.is_active(run.folder) for run in self._runs())
            for place, run in self.waiting():
                if free <= 0:
                    return
                if not place.is_due(time.time()) or not self._may_follow(place, run):
                    continue
                if not self._start(run):
                    return
                free -= 1

    def start_now(self, run: FollowedRun) -> None:
        """Start one beside whatever is active; RlftError when it cannot be."""
        with self.lock, run.lock:
            launcher.check_sources(run.folder, run.spec)
            launcher.start(run.folder)
            run.unsettle()

    def dressed(self, summary: RunSummary) -> RunSummary:
        """A queued run with its place in the line and what it waits for."""
        if summary.status != "queued":
            return summary
        waiting = self.waiting()
        found = next((at for at, (_, run) in enumerate(waiting) if run.folder.id == summary.id), None)
        if found is None:
            return summary
        seconds = waiting[found][0].not_before - time.time()
        stage = self._hindrances.get(summary.id, "")
        if seconds > 0:
            stage = f"resumes by itself in {seconds:.0f} s"
        return replace(
            summary, queue_place=found + 1, stage=stage or f"{found + 1} of {len(waiting)} in line"
        )

    def resumes_by_itself(self, run: FollowedRun, summary: RunSummary) -> bool:
        """Put a crashed run back in line when its spec asks for that; the caller holds its lock."""
        limit, folder = run.spec.auto_resume, run.folder
        attempt = folder.read_attempt()
        if not limit or attempt is None or summary.status not in _CRASHED or _was_ended(run, summary):
            return False
        before = folder.read_place()
        done = before.auto_resumes if before else 0
        if run.state.error_type == "RlftError":
            record_control(folder, "auto_resume", "not resumed: the error would only come again")
            return False
        if done >= limit:
            record_control(folder, "auto_resume", f"not resumed: {done} times are the most it may be")
            return False
        wait = min(BACK_OFF_SECONDS * 2.0**done, LONGEST_BACK_OFF)
        place = first_place(self.places(), attempt.number)
        folder.write_place(replace(place, not_before=time.time() + wait, auto_resumes=done + 1))
        record_control(folder, "auto_resume", f"resumes in {wait:.0f} s, {done + 1} of {limit} times")
        return True

    def _may_follow(self, place: QueuePlace, run: FollowedRun) -> bool:
        """Whether the run that this one waits for has finished; one that never will ends this one too."""
        ended = self._ended(place.after) if place.after else "finished"
        folder = run.folder
        if ended == "finished":
            self._hindrances.pop(folder.id, None)
            return True
        if ended not in _NEVER:
            self._hindrances[folder.id] = f"waits for run {place.after}" + (f" ({ended})" if ended else "")
            return False
        reason = f"not started: run {place.after}, which it waited for, is {ended}"
        with run.lock:
            record_control(folder, "start", reason)
            try:
                launcher.end_unstarted(folder, reason, asked=False)
            except OSError as full:
                self._hindrances[folder.id] = f"waits: {full.strerror}"
                return False
            run.unsettle()
        return False

    def _start(self, run: FollowedRun) -> bool:
        """False when it has to wait, and all behind it too: on a full disk nothing starts."""
        folder = run.folder
        with run.lock:
            if folder.current_place() is None:
                return True
            try:
                launcher.check_disk(folder.root, run.spec)
            except UnavailableError as error:
                self._hindrances[folder.id] = f"waits: {error.what}"
                return False
            self._hindrances.pop(folder.id, None)
            try:
                self.start_now(run)
            except (RlftError, OSError) as error:
                log.warning("run %s was not started: %s", folder.id, error)
                record_control(folder, "start", f"not started: {error}")
                try:
                    launcher.end_unstarted(folder, f"not started: {error}", asked=False)
                except OSError as full:
                    self._hindrances[folder.id] = f"waits: {full.strerror}"
                    return False
                run.unsettle()
        return True


def _was_ended(run: FollowedRun, summary: RunSummary) -> bool:
    """Whether somebody stopped or killed it."""
    asked = run.state.stop_seen or run.state.kill_seen or run.folder.stop_request.exists()
    return asked or (summary.exit is not None and summary.exit.asked)
