"""The tiny model, and the training runs that several tests look at."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from rlft_tui.jobs.pull import main
from rlft_tui.runs.run_event import RunEvent
from rlft_tui.runs.run_folder import RunFolder
from tests.conftest import wait_for
from tests.jobs.job_process import JOB_SECONDS, dpo_folder, events, finish, of_kind, seen, start
from tests.tiny_model import make_tiny_model
from tests.warm_python import Forked


@dataclass(frozen=True)
class Ended:
    """A run that has ended, and what it left."""

    folder: RunFolder
    code: int
    errors: str
    events: list[RunEvent]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pulled now, unless a cache is named that has it."""
    if shutil.disk_usage("/tmp").free < 2 << 30:
        pytest.skip("needs 2 GB of disk")
    cache = os.environ.get("RLFT_TEST_CACHE")
    folder = Path(cache) / "rlft" if cache else tmp_path_factory.mktemp("pulled")
    assert main(["smollm2-135m", str(folder / "smollm2-135m")]) == 0
    return folder / "smollm2-135m"


@pytest.fixture(scope="session")
def runs(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """One run left alone, one stopped on the way: the same spec, side by side."""
    root = tmp_path_factory.mktemp("runs")
    whole = dpo_folder(root / "whole", tiny_model)
    whole_process = start("dpo", whole.root, cold=True)
    stopped = _stop_on_the_way(root, tiny_model)
    code, errors = finish(whole_process)
    return {"whole": Ended(whole, code, errors, events(whole)), "stopped": stopped}


def _stop_on_the_way(root: Path, model: Path) -> Ended:
    """SIGTERM after step 9; again from the start when the run was quicker than the signal."""
    for attempt in range(5):
        folder = dpo_folder(root / f"stopped-{attempt}", model)
        process = start("dpo", folder.root)
        _wait_for_step(folder, process, 9)
        process.send_signal(signal.SIGTERM)
        code, errors = finish(process)
        found = events(folder)
        if of_kind(found, "end") != [] and of_kind(found, "end")[-1]["status"] != "finished":
            return Ended(folder, code, errors, found)
    raise AssertionError("every run ended before it could be stopped")


def _wait_for_step(folder: RunFolder, process: subprocess.Popen[str] | Forked, step: int) -> None:
    reached = seen(folder, lambda event: event.kind == "metrics" and event.fields["step"] >= step)
    wait_for(lambda: reached() or process.poll() is not None, f"step {step}", JOB_SECONDS)


def stopped_and_resumed(method: str, make: Callable[[str], RunFolder], step: int = 4) -> Ended:
    """A run that got SIGTERM after ``step`` and was gone on with to its end.

    ``make`` gives a new folder of that name; a run that was quicker than the signal is made again.
    """
    for attempt in range(5):
        folder = make(f"run-{attempt}")
        process = start(method, folder.root, cold=True)
        _wait_for_step(folder, process, step)
        process.send_signal(signal.SIGTERM)
        code, errors = finish(process)
        assert code == 0, errors
        if of_kind(events(folder), "end")[-1]["status"] == "stopped":
            code, errors = finish(start(method, folder.root))
            return Ended(folder, code, errors, events(folder))
    raise AssertionError("every run ended before it could be stopped")
