"""What people ask of a run that is there: stop, pause, resume, cancel, move, kill.

Every request and what was done about it goes into the run's event log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

from msgspec.structs import replace

from rlft_tui.errors import ConflictError, RlftError
from rlft_tui.runs import launcher
from rlft_tui.runs.changes import change, settings
from rlft_tui.runs.launcher import record_control
from rlft_tui.runs.queue_place import QueuePlace, first_place, last_place
from rlft_tui.runs.run_setting import RunSetting
from rlft_tui.runs.run_status import RunSummary
from rlft_tui.server.followed_run import FollowedRun
from rlft_tui.server.run_queue import RunQueue

Move = Literal["first", "last", "up", "down"]
MOVES: tuple[str, ...] = get_args(Move)


class RunControl:
    """Acts on one run at a time, under its lock."""

    def __init__(
        self,
        queue: RunQueue,
        run: Callable[[str], FollowedRun],
        summary: Callable[[FollowedRun], RunSummary],
        news: Callable[[], None],
    ) -> None:
        """``run`` finds one by id, ``summary`` tells how it stands, ``news`` wakes who follows."""
        self._queue = queue
        self._run = run
        self._summary = summary
        self._news = news

    def stop(self, run_id: str) -> RunSummary:
        """Ask for a verified checkpoint and an end; a run that waits is taken out of the line."""
        run = self._run(run_id)
        with run.lock:
            summary = self._summary(run)
            if summary.status in ("queued", "paused"):
                return self._cancel(run, "stop")
            if launcher.is_active(run.folder) and not run.folder.stop_request.exists():
                # Before the signal: what the job answers comes after it in the log.
                record_control(run.folder, "stop", "the job is asked to save a checkpoint and end")
            if not launcher.stop(run.folder):
                summary = self._summary(run)
                if summary.status == "stopped":
                    return summary
                raise _not_going(summary)
            return self._summary(run)

    def cancel(self, run_id: str) -> RunSummary:
        """Take a run out of the line; ConflictError for one that does not wait."""
        run = self._run(run_id)
        with run.lock:
            summary = self._summary(run)
            if summary.status not in ("queued", "paused"):
                raise ConflictError(
                    f"the run does not wait: it is {summary.status}",
                    where=run_id,
                    remedy=f"rlft runs stop {run_id}" if summary.status in ("starting", "running") else "",
                )
            return self._cancel(run, "cancel")

    def kill(self, run_id: str) -> RunSummary:
        """End the job at once; what came after the last checkpoint is lost."""
        run = self._run(run_id)
        with run.lock:
            if launcher.is_active(run.folder):
                record_control(run.folder, "kill", "the job is killed")
            if not launcher.kill(run.folder):
                raise _not_going(self._summary(run))
            return self._summary(run)

    def pause(self, run_id: str) -> RunSummary:
        """Save a checkpoint and free the device; a run that waits keeps its place and is not started."""
        run = self._run(run_id)
        with run.lock:
            summary = self._summary(run)
            if summary.status == "paused":
                return summary
            folder, place = run.folder, run.folder.current_place()
            if summary.status == "queued" and place is not None:
                folder.write_place(replace(place, held=True))
                record_control(folder, "hold", "it keeps its place in line and is not started")
                return self._summary(run)
            attempt = folder.read_attempt()
            if summary.status not in ("starting", "running") or attempt is None:
                raise _not_going(summary)
            place = first_place(self._queue.places(), attempt.number)
            folder.write_place(replace(place, held=True))
            record_control(folder, "pause", "the job is asked to save a checkpoint and free the device")
            if not launcher.stop(folder):
                folder.queue.unlink(missing_ok=True)
                raise _not_going(self._summary(run))
            return self._summary(run)

    def resume(self, run_id: str, *, now: bool = False) -> RunSummary:
        """Go on from the last verified checkpoint when the device is free; ``now`` does not wait for that."""
        run = self._run(run_id)
        with self._queue.lock:
            with run.lock:
                self._line_up(run, now)
            if now:
                self._queue.start_now(run)
            else:
                self._queue.start_due()
        self._news()
        return self._summary(run)

    def settings(self, run_id: str) -> tuple[RunSetting, ...]:
        """What may change while the run runs, as it stands."""
        run = self._run(run_id)
        return settings(run.folder, run.spec)

    def change(self, run_id: str, asked: dict[str, Any]) -> tuple[RunSetting, ...]:
        """Other alarm limits and intervals; a job that runs goes by them from its next step on."""
        run = self._run(run_id)
        with run.lock:
            summary = self._summary(run)
            if summary.status == "finished":
                raise ConflictError("the run has finished", where=run_id)
            if said := change(run.folder, run.spec, asked):
                going = summary.status in ("starting", "running")
                when = "at its next step" if going else "when it goes on"
                record_control(run.folder, f"change {said}", f"written down; the job takes it {when}")
            return settings(run.folder, run.spec)

    def move(self, run_id: str, to: str) -> RunSummary:
        """Change a waiting run's place in the line."""
        if to not in MOVES:
            raise RlftError(f"no such move: {to!r}", remedy=f"One of {', '.join(MOVES)}")
        run = self._run(run_id)
        with self._queue.lock, run.lock:
            line = self._queue.waiting()
            at = next((at for at, (_, other) in enumerate(line) if other is run), None)
            if at is None:
                status = self._summary(run).status
                raise ConflictError(f"the run does not wait in line: it is {status}", where=run_id)
            goal = {
                "first": 0,
                "last": len(line) - 1,
                "up": max(at - 1, 0),
                "down": min(at + 1, len(line) - 1),
            }
            others = [place for place, other in line if other is not run]
            place = replace(line[at][0], order=_between(others, goal[to]))
            run.folder.write_place(place)
            record_control(run.folder, "move", f"{goal[to] + 1} of {len(line)} in line")
        return self._summary(run)

    def _line_up(self, run: FollowedRun, now: bool) -> None:
        """Give it a place, unless it is going or done."""
        summary, folder = self._summary(run), run.folder
        if summary.status == "finished":
            raise ConflictError("the run has finished", where=folder.id, remedy="Launch a new one")
        if launcher.is_active(folder):
            raise ConflictError(
                "the run is still going", where=folder.id, remedy=f"rlft runs stop {folder.id}"
            )
        attempt = folder.read_attempt()
        place = folder.current_place()
        if place is not None and (attempt is None or not place.held):
            # It waits already, or was held while it waited: it stays where it is.
            place = replace(place, held=False, not_before=0.0)
        elif summary.status == "paused":
            place = first_place(self._queue.places(), attempt.number if attempt else 0)
        else:
            place = last_place(self._queue.places(), attempt.number if attempt else 0)
        if attempt is None:
            # A cancelled run has an end without ever having begun.
            folder.exit.unlink(missing_ok=True)
        folder.write_place(place)
        record_control(folder, "resume", "it is started beside others" if now else "it is in line")
        run.unsettle()

    def _cancel(self, run: FollowedRun, asked: str) -> RunSummary:
        folder = run.folder
        if folder.read_attempt() is None:
            record_control(folder, asked, "taken out of the line before it started")
            launcher.end_unstarted(folder, "cancelled before it started", asked=True)
        else:
            # The mark keeps it from being resumed by itself.
            folder.stop_request.touch()
            folder.write_place(replace(folder.read_place() or last_place([], 0), attempts=-1, held=False))
            record_control(folder, asked, "taken out of the line")
        run.unsettle()
        return self._summary(run)


def _between(others: list[QueuePlace], at: int) -> float:
    """An order that puts a run at this index among the others."""
    if not others:
        return 0.0
    if at == 0:
        return others[0].order - 1.0
    if at >= len(others):
        return others[-1].order + 1.0
    return (others[at - 1].order + others[at].order) / 2.0


def _not_going(summary: RunSummary) -> ConflictError:
    return ConflictError(f"the run is not going: it is {summary.status}", where=summary.id)
