"""Follows the runs of a workspace: finds them, starts and stops them, registers their results.

The run folder is the truth. A thread looks at active runs a few times a second and
sleeps while there are none; every request reads what is new by itself, so that its
answer is never older than the question.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from msgspec.structs import replace

from rlft_tui.config import Settings
from rlft_tui.database.connection import Database
from rlft_tui.datasets.datasets_table import list_datasets
from rlft_tui.errors import NotFoundError, RlftError, UnavailableError
from rlft_tui.evaluations.evaluations_table import remove_evaluations_of_run
from rlft_tui.models.exports import draft_of
from rlft_tui.models.model import Model
from rlft_tui.models.models_table import models_in, remove_model
from rlft_tui.models.name_hint import name_hint
from rlft_tui.models.pull import require_training_stack
from rlft_tui.paths import Workspace
from rlft_tui.runs import launcher
from rlft_tui.runs.extrapolate import keep_estimate
from rlft_tui.runs.queue_place import last_place
from rlft_tui.runs.remarks import change_remarks, read_remarks
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import (
    RunSpec,
    TrainingSpec,
)
from rlft_tui.runs.run_status import ACTIVE, Alert, RunSummary, status_word
from rlft_tui.runs.specs.export import ExportSpec
from rlft_tui.runs.specs.judge import JudgeSpec
from rlft_tui.runs.specs.training import PolicySpec
from rlft_tui.runs.tracker_packages import require_trackers
from rlft_tui.server.alarm_notices import AlarmNotices
from rlft_tui.server.followed_run import FollowedRun
from rlft_tui.server.launch_request import LaunchRequest, resolve_launch
from rlft_tui.server.run_control import RunControl
from rlft_tui.server.run_queue import GONE, RunQueue
from rlft_tui.server.run_results import (
    model_is_there,
    publish_policy,
    record_result,
    register_model,
    registered_model,
    store_evaluations,
    store_pairs,
)

log = logging.getLogger("rlft.server.runs")

POLL_SECONDS = 0.25
_KEEP_AFTER_SECONDS = 1.0
"""What was read of a long log is stored so much later: whoever asked for it has the answer by then."""
_ENDED_RUNS_IN_MEMORY = 8
T = TypeVar("T")


class TakesVerdicts(Protocol):
    """Takes in what a judge's run has written since the last time."""

    def __call__(self, folder: RunFolder, spec: JudgeSpec, *, ended: bool) -> None: ...


class Supervisor:
    """All runs of one workspace; safe to use from any thread."""

    def __init__(
        self,
        workspace: Workspace,
        settings: Settings,
        database: Database,
        *,
        pairs_changed: Callable[[], None] = lambda: None,
    ) -> None:
        """``pairs_changed`` is called after a run's pairs were stored."""
        self._workspace = workspace
        self._pairs_changed = pairs_changed
        self.check_removable: Callable[[Model], None] = lambda model: None
        """Raises ConflictError for a model that something rests on (see server/registry.py)."""
        self._trained: Callable[[], None] = lambda: None
        self.judged: TakesVerdicts = lambda folder, spec, *, ended: None
        """Takes in what a judge's run has written (see server/judge_verdicts.py)."""
        self._settings = settings
        self._database = database
        self._runs: dict[str, FollowedRun] = {}
        self._launching: set[str] = set()
        self._unreadable: dict[str, str] = {}
        self._complaints: dict[str, str] = {}
        """Last warning logged about each run: it is not repeated four times a second."""
        self._round_due = False
        self._recent: list[str] = []
        """Ended runs whose curves are in memory, oldest use first."""
        self._notices = AlarmNotices(settings.alarm_command, settings.alarm_webhook)
        self._dataset_names: dict[str, str] = {}
        self.queue = RunQueue(settings.parallel_runs, self._unsettled, self._ended)
        self.control = RunControl(self.queue, self._run, self._now, self._wake)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="runs", daemon=True)

    def start(self) -> None:
        """Find all runs and follow those that are active."""
        self._find()
        self._thread.start()

    def after_training(self, trained: Callable[[], None]) -> None:
        """Have ``trained`` called by the thread that follows, whenever a training run's result was
        registered; and once now, for what the last server left undone."""
        self._trained = trained
        self._round_due = True
        self._news.set()

    def close(self) -> None:
        """Stop following; the runs themselves go on."""
        self._closed.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join()
        self._keep_logs(0.0)

    def active_runs(self) -> tuple[str, ...]:
        """Runs with a living keeper or job."""
        with self._lock:
            launching = tuple(self._launching)
        active = (run.folder.id for run in self._unsettled() if launcher.is_active(run.folder))
        return launching + tuple(active)

    def job_pids(self) -> dict[str, int]:
        """The process of each run's job that is at work."""
        attempts = {run_id: self._run(run_id).folder.read_attempt() for run_id in self.active_runs()}
        return {
            run_id: attempt.job_pid for run_id, attempt in attempts.items() if attempt and attempt.job_pid
        }

    def is_needed(self) -> bool:
        """Whether a run is active or waits to be."""
        return bool(self.active_runs() or self.queue.has_work())

    def _unsettled(self) -> list[FollowedRun]:
        with self._lock:
            return [run for run in self._runs.values() if run.settled is None]

    def _ended(self, run_id: str) -> str:
        """How a run ended, as ``RunQueue`` asks."""
        with self._lock:
            run = self._runs.get(run_id)
        if run is None:
            return GONE
        return status_word(run.settled) if run.settled is not None else ""

    def _wake(self) -> None:
        self._news.set()

    def summaries(self) -> tuple[RunSummary, ...]:
        """Newest first."""
        self._find()
        with self._lock:
            runs = list(self._runs.values())
        found = [self._dressed(summary) for run in runs if (summary := self._try_summary(run)) is not None]
        return tuple(sorted(found, key=lambda summary: (summary.created, summary.id), reverse=True))

    def summary(self, run_id: str) -> RunSummary:
        return self._now(self._run(run_id))

    def _now(self, run: FollowedRun) -> RunSummary:
        return self._dressed(self._summary(run))

    def remark(self, run_id: str, changes: dict[str, Any]) -> RunSummary:
        """Change what people say about a run (see runs/remarks.py)."""
        change_remarks(self._run(run_id).folder.root, changes)
        return self.summary(run_id)

    def spec(self, run_id: str) -> dict[str, Any]:
        """What the run was asked to do, defaults written out."""
        return self._run(run_id).spec.model_dump(mode="json")

    def spec_of(self, run_id: str) -> RunSpec:
        """The same, typed."""
        return self._run(run_id).spec

    def folder(self, run_id: str) -> RunFolder:
        """The run's folder; NotFoundError for a run that is not there."""
        return self._run(run_id).folder

    def launch(self, values: dict[str, Any]) -> RunSummary:
        """Start a run from plain values, as WorkspaceClient.launch describes them."""
        values = dict(values)
        now = bool(values.pop("now", False))
        if after := str(values.pop("after", "") or ""):
            if now:
                raise RlftError("a run that waits for another cannot start at once", where=after)
            self._run(after)
        request = resolve_launch(self._workspace, self._settings, self._database, values)
        return self.start_request(request, now=now, after=after)

    def start_request(self, request: LaunchRequest, *, now: bool = False, after: str = "") -> RunSummary:
        """Start a run that was resolved already; ``now`` and ``after`` as for ``launch``."""
        spec = request.spec
        if (repeated := self._launched_already(spec)) is not None:
            return repeated
        if spec.needs_training_stack():
            require_training_stack()
        require_trackers(getattr(spec, "trackers", ()))
        with self._lock:
            self._launching.add(spec.id)
        try:
            folder = launcher.prepare(
                self._workspace.runs,
                spec,
                dataset=request.dataset,
                prompt_rows=request.prompt_rows,
                rewards=self._workspace.rewards,
                place=replace(last_place(self.queue.places(), 0), after=after),
                files=request.files,
            )
            keep_estimate(self._workspace.runs, spec, folder)
            with self._lock:
                run = self._runs.setdefault(spec.id, FollowedRun(folder))
        finally:
            with self._lock:
                self._launching.discard(spec.id)
        return self._start(run, now)

    def _start(self, run: FollowedRun, now: bool) -> RunSummary:
        """Start a run that was just made, or leave it in line; one that cannot start leaves nothing."""
        try:
            if now:
                self.queue.start_now(run)
            else:
                self.queue.start_due()
            summary = self._now(run)
            if summary.status == "failed" and summary.exit and run.folder.read_attempt() is None:
                raise UnavailableError(summary.exit.reason, where=run.folder.id)
        except RlftError:
            if not launcher.is_active(run.folder):
                self.delete(run.folder.id)
            raise
        self._news.set()
        return summary

    def _launched_already(self, spec: RunSpec) -> RunSummary | None:
        """The run itself when this very launch was done before and its answer was lost."""
        self._find()
        with self._lock:
            run = self._runs.get(spec.id)
        if run is None or run.spec != spec:
            return None
        waits = run.folder.current_place() is not None
        return self._now(run) if waits or launcher.is_active(run.folder) else None

    def delete(self, run_id: str) -> None:
        """Remove an ended run and the model in its folder; ConflictError while it is active, or while
        something rests on that model. A policy's version has its own folder and stays."""
        run = self._run(run_id)
        with self._database.reader() as connection:
            models = models_in(connection, str(run.folder.root))
        for model in models:
            self.check_removable(model)
        with run.lock:
            launcher.delete(run.folder)
            if isinstance(run.spec, ExportSpec):
                shutil.rmtree(draft_of(Path(run.spec.output), run_id), ignore_errors=True)
            with self._lock:
                self._runs.pop(run_id, None)
            with self._database.write() as connection:
                remove_evaluations_of_run(connection, run_id)
                for model in models:
                    remove_model(connection, model.name)

    def read_again(self, run_id: str) -> None:
        """Forget what was read of a run: its folder holds another log now."""
        with self._lock:
            self._runs.pop(run_id, None)

    def with_events(self, run_id: str, answer: Callable[[FollowedRun], T]) -> T:
        """What ``answer`` makes of the run, read up to now; it must keep nothing of it."""
        run = self._run(run_id)
        with run.lock:
            run.read_events()
            result = answer(run)
        if run.unkept is not None:
            self._wake()
        if run.settled is not None:
            self._keep_recent(run_id)
        return result

    def _dressed(self, summary: RunSummary) -> RunSummary:
        """With what is not in the event log: remarks, the data set's name, the place in the line."""
        summary = self.queue.dressed(summary)
        remarks = read_remarks(Path(summary.path))
        name = self._dataset_names.get(summary.dataset, "")
        if summary.dataset and not name:
            with self._database.reader() as connection:
                self._dataset_names = {one.hash: one.name for one in list_datasets(connection)}
            name = self._dataset_names.get(summary.dataset, "")
        return replace(
            summary,
            dataset_name=name,
            tags=remarks.tags,
            note=remarks.note,
            archived=remarks.archived,
            seen_alerts=remarks.seen,
            snoozed=remarks.snoozed,
        )

    def _run(self, run_id: str) -> FollowedRun:
        with self._lock:
            run = self._runs.get(run_id)
        if run is None or not run.folder.spec.exists():
            self._find()
            with self._lock:
                run = self._runs.get(run_id)
                if run is None and run_id in self._unreadable:
                    raise RlftError(self._unreadable[run_id], where=run_id)
                if run is None:
                    raise NotFoundError(
                        f"no run {run_id[:80]!r}", remedy=name_hint_of_runs(run_id, list(self._runs))
                    )
        return run

    def _find(self) -> None:
        """Take in folders that appeared, drop those that are gone."""
        try:
            folders = {path.name: path for path in self._workspace.runs.iterdir() if path.name[0] != "."}
        except FileNotFoundError:
            folders = {}
        with self._lock:
            for gone in self._runs.keys() - folders.keys():
                del self._runs[gone]
            new = folders.keys() - self._runs.keys() - self._launching
        found: dict[str, FollowedRun] = {}
        for name in sorted(new):
            try:
                found[name] = FollowedRun(RunFolder(folders[name]))
            except Exception as error:
                # One bad folder must not keep the server from starting, nor the others from being listed.
                self._unreadable[name] = str(error)
                self._complain(name, f"cannot be read: {error}")
                continue
            self._unreadable.pop(name, None)
        if found:
            # All at once: the queue must not start one before it knows of those that are active.
            with self._lock:
                self._runs = {**found, **self._runs}
            self._news.set()

    def _try_summary(self, run: FollowedRun) -> RunSummary | None:
        """None for a run whose folder vanished meanwhile, or holds what cannot be read."""
        try:
            return self._summary(run)
        except Exception as error:
            if run.folder.root.exists():
                self._complain(run.folder.id, f"cannot be read: {error}")
            return None

    def _summary(self, run: FollowedRun) -> RunSummary:
        """The run as it stands; one that has ended is registered first."""
        with run.lock:
            if run.settled is not None:
                return run.settled
            summary = run.summary()
            if run.unkept is not None:
                self._wake()
            try:
                summary = self._register(run, summary)
            except (RlftError, OSError) as error:
                self._complain(run.folder.id, f"its result is not registered yet: {error}")
                return replace(summary, status="running", stage=f"registering the result: {error}")
            try:
                if self.queue.resumes_by_itself(run, summary):
                    summary = run.summary()
            except (RlftError, OSError) as error:
                self._complain(run.folder.id, f"it cannot be put in line yet: {error}")
                return summary
            if summary.status not in ACTIVE:
                run.settle(summary)
                self._notices.heed(self._dressed(summary))
                self._keep_recent(run.folder.id)
            return summary

    def _register(self, run: FollowedRun, summary: RunSummary) -> RunSummary:
        """Bring pairs and model into the database as far as they are there."""
        folder = run.folder
        if isinstance(run.spec, JudgeSpec):
            self.judged(folder, run.spec, ended=summary.status not in ACTIVE)
        if not isinstance(run.spec, TrainingSpec):
            before = run.pairs_stored
            run.pairs_stored = store_pairs(self._database, folder, before)
            if run.pairs_stored != before:
                self._pairs_changed()
            if summary.status == "finished" and registered_model(folder) is None:
                store_evaluations(self._database, folder)
                record_result(folder, pairs_bytes=run.pairs_stored)
            return summary
        if summary.status != "finished":
            return summary
        if not model_is_there(folder.model):
            if registered_model(folder) is not None:
                return summary  # it was deleted since
            missing = Alert(summary.step, summary.ended or 0.0, "no model", "the run left no model behind")
            return replace(summary, alerts=(*summary.alerts, missing))
        name = registered_model(folder)
        if name is None:
            version = ""
            if isinstance(run.spec, PolicySpec) and run.spec.policy:
                # Before the mark that the result is registered: after a crash in between it is made once.
                version = publish_policy(self._database, self._workspace.models, folder, run.spec, summary)
            name = register_model(
                self._database, folder, run.spec, summary.ended or summary.created, version=version
            )
            self._round_due = True
            self._news.set()
        return replace(summary, output_model=name)

    def _keep_recent(self, run_id: str) -> None:
        """Free the curves of the ended run that was looked at longest ago."""
        with self._lock:
            self._recent = [other for other in self._recent if other != run_id] + [run_id]
            old = self._recent[:-_ENDED_RUNS_IN_MEMORY]
            self._recent = self._recent[-_ENDED_RUNS_IN_MEMORY:]
            runs = [self._runs[other] for other in old if other in self._runs]
        for run in runs:
            if run.settled is not None and run.lock.acquire(blocking=False):
                try:
                    run.forget_curves()
                finally:
                    run.lock.release()

    def _keep_logs(self, after: float) -> float | None:
        """Store what was read of long logs so many seconds ago; seconds until the next is due, if one is."""
        with self._lock:
            runs = list(self._runs.values())
        due = None
        for run in runs:
            if (since := run.unkept) is None:
                continue
            left = since + after - time.monotonic()
            if left > 0:
                due = left if due is None else min(due, left)
                continue
            try:
                run.keep()
            except Exception as error:
                # It only saves time, and the following of all runs must go on.
                self._complain(run.folder.id, f"what was read of its log cannot be stored: {error!r}")
        return due

    def _complain(self, run_id: str, complaint: str) -> None:
        if self._complaints.get(run_id) != complaint:
            self._complaints[run_id] = complaint
            log.warning("run %s: %s", run_id, complaint)

    def _poll(self) -> None:
        while not self._closed.is_set():
            self._news.clear()
            if self._round_due:
                self._round_due = False
                try:
                    self._trained()
                except Exception as error:
                    self._complain("", f"the pairs of a round cannot be asked for: {error!r}")
            runs = self._unsettled()
            due = self._keep_logs(_KEEP_AFTER_SECONDS)
            if not runs:
                self._news.wait(due)
                continue
            for run in runs:
                try:
                    summary = self._try_summary(run)
                    if summary is not None:
                        self._notices.heed(self._dressed(summary))
                    if summary is not None and summary.status == "stopping":
                        launcher.enforce_stop(run.folder, run.spec.stop_seconds)
                except Exception as error:
                    # One bad folder must not end the following of all others.
                    self._complain(run.folder.id, f"cannot be followed: {error!r}")
            try:
                self.queue.start_due()
            except Exception as error:
                self._complain("", f"the queue cannot go on: {error!r}")
            self._closed.wait(POLL_SECONDS)


def name_hint_of_runs(run_id: str, known: list[str]) -> str:
    """The nearest run ids, as a remedy."""
    return name_hint(run_id, known) if known else "There is none yet: rlft train dpo starts one"
