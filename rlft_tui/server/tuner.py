"""Works on the studies of a workspace: begins trials as runs in the line, prunes them, tells how they ended.

Part of the server, like the line of runs: a study needs no terminal and no connection. All of it
stands in the study's folder and in the run folders, and a trial's run has an id that follows from
the trial, so a server that starts goes on where the last one was killed and starts no trial twice.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from rlft_tui.errors import ConflictError, NotFoundError, RlftError
from rlft_tui.models.name_hint import name_hint
from rlft_tui.runs.run_status import ACTIVE, RunSummary
from rlft_tui.server.followed_run import FollowedRun
from rlft_tui.server.supervisor import Supervisor
from rlft_tui.tuning.study import STOPPED, OpenTrial, StudyFolder, find_study, require_optuna, study_folders
from rlft_tui.tuning.study_spec import parse_study, trial_values, usable
from rlft_tui.tuning.study_view import Study, StudyDetail, StudyStatus, StudyTrial

log = logging.getLogger("rlft.server.tuner")

LOOK_SECONDS = 0.5
MOST_FAILURES = 5
"""Trials in a row that may fail before the study is held."""
MOST_RESUMES = 3
"""Of a trial whose run is lost without a word: one that takes the machine down would do so for ever."""
_POINTS = 1_000_000


class Tuner:
    """All studies of one workspace; safe to use from any thread."""

    def __init__(self, studies: Path, supervisor: Supervisor, default_model: str) -> None:
        self._root = studies
        self._supervisor = supervisor
        self._default_model = default_model
        self._studies: dict[str, StudyFolder] = {}
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._news = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Go on with the studies that were under way."""
        for name, path in study_folders(self._root).items():
            try:
                if StudyFolder(path).status == "running":
                    self._wake()
                    return
            except RlftError as error:
                log.warning("study %s: %s", name, error)

    def close(self) -> None:
        """Leave the studies as they are; the next server goes on."""
        self._closed.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join()

    def is_needed(self) -> bool:
        """Whether a study is under way."""
        with self._lock:
            return bool(self._thread and self._running())

    # asked
    def create(self, values: dict[str, Any], *, where: str) -> Study:
        """Begin a study from the values of its file."""
        require_optuna()
        spec = parse_study(values, where=where)
        # The first trial's own settings are proved here, while somebody reads the error.
        with self._lock:
            folder = StudyFolder.create(self._root, spec)
            self._studies[folder.name] = folder
            try:
                self._step(folder, strict=True)
            except RlftError:
                self._studies.pop(folder.name, None)
                _remove(folder.root)
                raise
            self._wake()
            return folder.summary()

    def studies(self) -> tuple[Study, ...]:
        """Newest first."""
        with self._lock:
            found = [self._folder(name).summary() for name in study_folders(self._root)]
        return tuple(sorted(found, key=lambda one: -one.created))

    def detail(self, name: str) -> StudyDetail:
        with self._lock:
            found = self._folder(name).detail()
            return replace(found, trials=tuple(map(self._in_line, found.trials)))

    def stop(self, name: str) -> Study:
        """Begin no more trials and stop those under way; they are done again once it is resumed."""
        with self._lock:
            folder = self._folder(name)
            if folder.status != "running":
                raise ConflictError(f"the study is {folder.status}", where=name)
            self._hold(folder, "stopped")
            return folder.summary()

    def resume(self, name: str, *, trials: int = 0) -> Study:
        """Go on with a study; ``trials`` more than it was made for where given."""
        with self._lock:
            folder = self._folder(name)
            if folder.status == "running":
                raise ConflictError("the study is under way", where=name, remedy=f"rlft tune show {name}")
            if trials:
                folder.extend(trials)
            elif _is_done(folder):
                raise ConflictError(
                    f"all {folder.spec.trials} trials are done",
                    where=name,
                    remedy=f"rlft tune resume {name} --trials N adds some",
                )
            folder.put_back_stopped()
            folder.set_status("running")
            self._wake()
            return folder.summary()

    def _hold(self, folder: StudyFolder, status: StudyStatus, *, error: str = "") -> None:
        """Begin no more trials, and stop those under way."""
        folder.set_status(status, error=error)
        for trial in folder.open_trials():
            self._stop_run(trial.run_id)
            folder.tell(trial.number, "failed", reason=STOPPED)

    # working
    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="tuner", daemon=True)
            self._thread.start()
        self._news.set()

    def _running(self) -> list[StudyFolder]:
        found = []
        for name in study_folders(self._root):
            try:
                folder = self._folder(name)
            except RlftError as error:
                log.warning("study %s: %s", name, error)
                continue
            if folder.status == "running":
                found.append(folder)
        return found

    def _work(self) -> None:
        while not self._closed.is_set():
            self._news.clear()
            with self._lock:
                active = self._running()
                for folder in active:
                    if not self._closed.is_set():
                        self._try_step(folder)
            if active:
                self._closed.wait(LOOK_SECONDS)
            else:
                self._news.wait()

    def _try_step(self, folder: StudyFolder) -> None:
        try:
            self._step(folder)
        except Exception as error:
            # One bad study must not hold the others.
            log.exception("study %s", folder.name)
            folder.set_status("failed", error=f"{type(error).__name__}: {error}")

    def _step(self, folder: StudyFolder, *, strict: bool = False) -> None:
        """Look at every trial under way, then begin as many as there is room for.

        ``strict``: an error at the launch is raised, not written into the trial.
        """
        for trial in folder.open_trials():
            if folder.status == "running":
                self._look_at(folder, trial)
        while folder.status == "running":
            counts = folder.counts()
            wanted = folder.spec.trials - counts["complete"] - counts["pruned"] - counts["running"]
            if _is_done(folder):
                folder.set_status("finished")
                return
            if wanted <= 0 or counts["running"] >= folder.spec.parallel:
                return
            if folder.failed_in_a_row() >= MOST_FAILURES:
                reason = [one.reason for one in folder.detail().trials if one.state == "failed"][-1]
                folder.set_status("failed", error=f"{MOST_FAILURES} trials in a row failed: {reason}")
                return
            self._launch(folder, folder.ask(), strict=strict)

    def _launch(self, folder: StudyFolder, trial: OpenTrial, *, strict: bool = False) -> None:
        values = trial_values(folder.spec, trial.params)
        values.setdefault("model", self._default_model)
        try:
            self._supervisor.launch({**values, "id": trial.run_id})
            self._supervisor.remark(trial.run_id, {"tags": [f"study-{folder.name}"]})
        except RlftError as error:
            if strict:
                raise
            folder.tell(trial.number, "failed", reason=str(error))

    def _look_at(self, folder: StudyFolder, trial: OpenTrial) -> None:
        try:
            summary = self._supervisor.summary(trial.run_id)
        except NotFoundError:
            # Asked for, and never started; or its run was deleted by hand: it is done again.
            self._launch(folder, trial)
            return
        metric = folder.spec.metric
        prune = folder.report(trial.number, self._values(trial.run_id, metric))
        if summary.status in ACTIVE:
            if prune and not folder.was_pruned(trial.number):
                folder.mark_pruned(trial.number)
                self._stop_run(trial.run_id)
            return
        if summary.status == "finished":
            value = usable(summary.metrics.get(metric))
            if value is None:
                reason = _without(metric, summary)
                folder.tell(trial.number, "failed", reason=reason)
                if metric not in summary.metrics and not folder.counts()["complete"]:
                    # No trial of this method will have it.
                    self._hold(folder, "failed", error=reason)
            else:
                folder.tell(trial.number, "complete", value)
        elif folder.was_pruned(trial.number):
            reason = f"worse than the median at step {summary.step}"
            folder.tell(trial.number, "pruned", reason=reason)
        elif summary.status == "lost" and folder.count_resume(trial.number) <= MOST_RESUMES:
            # The machine went down with it: that says nothing about its settings.
            self._resume(folder, trial)
        elif summary.status != "paused":
            folder.tell(trial.number, "failed", reason=_why(summary))

    def _resume(self, folder: StudyFolder, trial: OpenTrial) -> None:
        try:
            self._supervisor.control.resume(trial.run_id)
        except RlftError as error:
            folder.tell(trial.number, "failed", reason=str(error))

    def _values(self, run_id: str, metric: str) -> list[tuple[int, float]]:
        """What the run has logged of the metric so far, but for the model as it was before the first step.

        That is the same for every trial, and the best of one that only gets worse: it would never be pruned.
        """

        def read(run: FollowedRun) -> list[tuple[int, float]]:
            try:
                (series,) = run.curves.series([metric], _POINTS)
            except NotFoundError:
                return []
            pairs = zip(series.steps, series.mean, strict=True)
            return [(step, value) for step, value in pairs if step and value is not None]

        return self._supervisor.with_events(run_id, read)

    def _in_line(self, trial: StudyTrial) -> StudyTrial:
        """The trial, queued where its run waits for its turn. Optuna knows only of running."""
        if trial.state != "running":
            return trial
        try:
            waits = self._supervisor.summary(trial.run_id).status == "queued"
        except NotFoundError:
            waits = True
        return replace(trial, state="queued") if waits else trial

    def _stop_run(self, run_id: str) -> None:
        try:
            self._supervisor.control.stop(run_id)
        except RlftError as error:
            log.info("run %s: %s", run_id, error)

    def _folder(self, name: str) -> StudyFolder:
        path = find_study(self._root, name)
        if name not in self._studies:
            self._studies[name] = StudyFolder(path)
        return self._studies[name]


def _is_done(folder: StudyFolder) -> bool:
    counts = folder.counts()
    return counts["running"] == 0 and counts["complete"] + counts["pruned"] >= folder.spec.trials


def _without(metric: str, summary: RunSummary) -> str:
    """Why a finished run has no value for its study."""
    if metric in summary.metrics:
        return f"the run's last {metric} is no number"
    names = sorted(summary.metrics, key=lambda name: (not name.startswith(("heldout/", "eval/")), name))
    return f"the run tells no {metric}. {name_hint(metric, names)}"


def _why(summary: RunSummary) -> str:
    return summary.error or (summary.exit.reason if summary.exit else "") or f"the run was {summary.status}"


def _remove(root: Path) -> None:
    import shutil

    shutil.rmtree(root, ignore_errors=True)
