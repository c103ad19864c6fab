"""A suite measured with the model that is being trained, in its own process and memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rlft_tui.evaluations.sandbox.sandbox import require_sandbox
from rlft_tui.evaluations.suites.freeze import SUITE, read_frozen
from rlft_tui.evaluations.suites.tasks import CodeTask
from rlft_tui.evaluations.task_figures import task_figures
from rlft_tui.jobs.evaluation.measure import Measurement
from rlft_tui.jobs.evaluation.subject import Stopped, Subject
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.specs.training import PolicySpec, TrainingSpec

PREFIX = "eval/"
"""How the metrics' names begin: ``eval/SUITE/TASK/METRIC``."""


class SuiteWatch:
    """The tasks of a training run's own copy of a suite."""

    def __init__(
        self, folder: RunFolder, tokenizer: Any, spec: PolicySpec, *, stopped: Callable[[], bool]
    ) -> None:
        """UnavailableError when a task runs programs and this machine has no sandbox for them."""
        self.suite, tasks = read_frozen(folder.root)
        most = spec.evaluate_items or None
        self._tasks = [(task, task.items()[:most]) for task in tasks]
        self._tokenizer = tokenizer
        self._seed = spec.seed
        self._batch_size = max(8, spec.batch_size)
        self._stopped = stopped
        self.rows = sum(len(rows) for _, rows in self._tasks)
        if any(isinstance(task.spec, CodeTask) for task in tasks):
            require_sandbox()

    def measure(self, model: Any) -> dict[str, float]:
        """Every metric that has a value; the model is left in the mode it was in, and torch's random
        state is untouched. Nothing when the job was asked to stop meanwhile."""
        subject = Subject(
            model, self._tokenizer, batch_size=self._batch_size, seed=self._seed, stopped=self._stopped
        )
        measurement = Measurement(self.suite, subject)
        found: dict[str, float] = {}
        try:
            for task, rows in self._tasks:
                items = [item for block in measurement.items(task, rows) for item in block]
                for one in task_figures(task, items, model="", seed=self._seed):
                    if one.value is not None:
                        found[f"{PREFIX}{self.suite}/{one.task}/{one.metric}"] = one.value
        except Stopped:
            return {}
        return found


def suite_watch(
    folder: RunFolder, tokenizer: Any, spec: TrainingSpec, *, stopped: Callable[[], bool]
) -> SuiteWatch | None:
    """What a run's spec asks for; None where it names no suite."""
    if not isinstance(spec, PolicySpec) or not spec.evaluate_suite or not (folder.root / SUITE).is_dir():
        return None
    return SuiteWatch(folder, tokenizer, spec, stopped=stopped)
