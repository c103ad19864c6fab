"""Training jobs in the test's own process: the same code, without the seconds that importing it takes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rlft_tui.jobs.grpo import Grpo
from rlft_tui.jobs.job import Job, run_job
from rlft_tui.jobs.method import Method
from rlft_tui.jobs.ppo.__main__ import train as train_ppo
from rlft_tui.jobs.rloo import Rloo
from rlft_tui.jobs.stopping import StopRequest
from rlft_tui.jobs.training import train
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import SPECS
from tests.jobs.conftest import Ended
from tests.jobs.job_process import events

METHODS: dict[str, Callable[[], Method[Any]]] = {"grpo": Grpo, "rloo": Rloo}


@dataclass
class _StopAfter:
    """Asks for a stop as SIGTERM does, when a step's loss has been logged."""

    step: int
    stop: StopRequest

    def row(self, step: int, values: Mapping[str, float], **more: Any) -> None:
        if step == self.step and "loss" in values:
            self.stop.ask("SIGTERM")

    def close(self) -> None:
        pass


def stopped_and_resumed_here(folder: RunFolder, method: str, step: int) -> Ended:
    """A run that was stopped after that step, and resumed to its end."""
    _run(folder, method, step)
    return Ended(folder, _run(folder, method, 0), "", events(folder))


def _run(folder: RunFolder, method: str, stop_after: int) -> int:
    def work(job: Job, spec: Any) -> int:
        if stop_after:
            job.sinks.append(_StopAfter(stop_after, job.stop))
        return train_ppo(job, spec) if method == "ppo" else train(job, spec, METHODS[method]())

    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        return run_job([str(folder.root)], SPECS[method], work)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
