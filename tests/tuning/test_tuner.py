"""Studies over the real line of runs: trials, pruning, stop and resume, and servers that come and go.

The jobs are real processes under real keepers that compute a loss from their settings instead of
training: it is lowest at a learning rate of 1e-3.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from rlft_tui.cli.tune_command import study_text
from rlft_tui.config import Settings, create_workspace
from rlft_tui.database.connection import Database, open_database
from rlft_tui.datasets.build_dataset import build_dataset
from rlft_tui.datasets.dataset import DatasetSpec
from rlft_tui.errors import ConflictError, RlftError
from rlft_tui.labels.preference import Preference
from rlft_tui.labels.preferences_table import insert_operation
from rlft_tui.models.model import Model
from rlft_tui.models.models_table import add_model
from rlft_tui.pairs.pairs_table import add_pairs
from rlft_tui.paths import Workspace
from rlft_tui.runs import launcher
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.server.supervisor import Supervisor
from rlft_tui.server.tuner import Tuner
from tests.conftest import is_alive, make_pairs, wait_for
from tests.runs.conftest import end_all
from tests.runs.scripted import command

JOB = """
import math
from rlft_tui.runs.run_spec import read_spec
spec = read_spec(folder.spec)
stopped = []
signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
start(steps=spec.max_steps)
if spec.beta > 0.9:
    sys.exit("RlftError: beta is too much")
loss = abs(math.log10(spec.learning_rate) + 3)
log.metrics(0, {"loss": 0.0})
for step in range(1, spec.max_steps + 1):
    log.metrics(step, {"loss": loss + 1.0 / step})
    while loss > 1.9 and step == 2 and not stopped:
        time.sleep(0.01)
    if stopped:
        log.write("end", status="stopped")
        sys.exit(0)
log.metrics(spec.max_steps, {"heldout/loss": loss})
folder.model.mkdir()
(folder.model / "adapter_config.json").write_text("{}")
log.write("end", status="finished", model=str(folder.model))
"""
"""A trial that is far off waits at step 2, to be pruned, though it was better before the first step."""
STUDY: dict[str, Any] = {
    "metric": "loss",
    "trials": 5,
    "parallel": 2,
    "run": {"max_steps": 3, "model": "base"},
    "search": {"learning_rate": {"low": 1e-6, "high": 1e-1, "log": True}, "beta": [0.1, 0.2]},
    "pruning": {"startup_trials": 1, "warmup_steps": 1},
}


class Bench:
    """A workspace with data and a model, and one server after another."""

    def __init__(self, place: Workspace, database: Database) -> None:
        self.place = place
        self.database = database
        self.servers: list[tuple[Supervisor, Tuner]] = []

    def serve(self, *, slots: int = 2) -> Tuner:
        """A new server; the one before is gone."""
        self.end()
        supervisor = Supervisor(self.place, Settings(parallel_runs=slots), self.database)
        supervisor.start()
        tuner = Tuner(self.place.studies, supervisor, "base")
        tuner.start()
        self.servers.append((supervisor, tuner))
        return tuner

    def end(self) -> None:
        for supervisor, tuner in self.servers:
            tuner.close()
            supervisor.close()
        self.servers.clear()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    place = create_workspace(tmp_path / "workspace")
    (tmp_path / "base").mkdir()
    real = launcher._start_keeper

    def start(folder: RunFolder, given: Sequence[str]) -> None:
        real(folder, command(JOB))

    monkeypatch.setattr(launcher, "_start_keeper", start)
    with open_database(place) as database:
        with database.write() as connection:
            pairs = make_pairs(4)
            add_pairs(connection, pairs)
            for pair in pairs:
                insert_operation(connection, Preference(f"v-{pair.id}", pair.id, "ada", "a", created_at=1.0))
            add_model(connection, Model("base", "base", str(tmp_path / "base"), created_at=1.0))
        build_dataset(database, place, DatasetSpec(heldout_fraction=0.25), now=time.time())
        made = Bench(place, database)
        yield made
        made.end()
    end_all(place.runs)


def wait_for_status(tuner: Tuner, name: str, status: str) -> None:
    wait_for(lambda: tuner.detail(name).study.status == status, f"{name} to be {status}")


def test_a_study_finds_the_better_setting_and_survives_its_servers(bench: Bench) -> None:
    tuner = bench.serve()
    assert tuner.create(STUDY, where="lr.toml").name == "lr"
    with pytest.raises(ConflictError, match="rlft tune resume lr"):
        tuner.create(STUDY, where="lr.toml")
    wait_for(lambda: tuner.detail("lr").study.complete >= 1, "a trial")
    assert tuner.is_needed()

    tuner = bench.serve()
    wait_for_status(tuner, "lr", "finished")
    found = tuner.detail("lr")
    assert (found.study.complete + found.study.pruned, found.study.failed) == (5, 0)
    assert [one.number for one in found.trials] == list(range(5))
    assert {path.name for path in bench.place.runs.glob("lr-t*")} == {f"lr-t00{n}" for n in range(5)}
    best = found.study.best
    assert best is not None
    assert best.value == min(one.value or 9 for one in found.trials if one.state == "complete")
    pruned = [one for one in found.trials if one.state == "pruned"]
    assert pruned
    assert all(one.step == 2 and "median" in one.reason for one in pruned)
    assert not tuner.is_needed()

    # A second study of the same file draws the same settings.
    tuner.create({**STUDY, "name": "again", "trials": 2}, where="lr.toml")
    wait_for_status(tuner, "again", "finished")
    first = [one.params for one in found.trials][:2]
    assert [one.params for one in tuner.detail("again").trials][:2] == first


def test_a_trial_whose_run_waits_in_the_line_is_queued(bench: Bench) -> None:
    tuner = bench.serve(slots=1)
    far = {"learning_rate": {"low": 1e-6, "high": 2e-6}}
    values = {**STUDY, "trials": 2, "pruning": {"pruner": "none"}, "search": far}
    tuner.create(values, where="far.toml")
    wait_for(
        lambda: [one.state for one in tuner.detail("far").trials] == ["running", "queued"], "one in the line"
    )
    assert "0 of 2 done, 1 under way, 1 queued" in study_text(tuner.detail("far"))
    tuner.stop("far")


def test_a_trial_that_the_machine_took_down_goes_on(bench: Bench) -> None:
    tuner = bench.serve()
    far = {"learning_rate": {"low": 1e-6, "high": 2e-6}}
    tuner.create({**STUDY, "trials": 1, "pruning": {"pruner": "none"}, "search": far}, where="far.toml")
    wait_for(lambda: tuner.detail("far").trials[0].step == 2, "the trial to be under way")
    folder = RunFolder(bench.place.runs / "far-t000")
    first = folder.read_attempt()
    assert first is not None
    bench.end()
    for pid in (first.keeper_pid, first.job_pid):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(first.keeper_pid), "its keeper to be gone")

    tuner = bench.serve()
    wait_for(lambda: folder.read_attempt() != first, "another attempt")
    (trial,) = tuner.detail("far").trials
    assert (trial.state, trial.reason) == ("running", "")
    tuner.stop("far")


def test_a_stopped_study_does_its_trials_again_and_a_failing_one_is_held(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rlft_tui.server.tuner.MOST_FAILURES", 2)
    tuner = bench.serve()
    waiting = {**STUDY, "parallel": 1, "trials": 2, "pruning": {"pruner": "none"}}
    far = {"learning_rate": {"low": 1e-6, "high": 2e-6}}
    tuner.create({**waiting, "search": far}, where="far.toml")
    wait_for(lambda: tuner.detail("far").trials[0].step == 2, "the trial to be under way")
    assert tuner.stop("far").status == "stopped"
    tuner = bench.serve()
    (stopped,) = tuner.detail("far").trials
    assert (stopped.state, stopped.reason) == ("failed", "stopped with the study")
    tuner.resume("far")
    wait_for(lambda: len(tuner.detail("far").trials) == 2, "the trial again")
    assert tuner.detail("far").trials[1].params == stopped.params
    tuner.stop("far")

    tuner.create({**STUDY, "search": {"beta": [0.95, 0.96]}}, where="bad.toml")
    wait_for_status(tuner, "bad", "failed")
    held = tuner.detail("bad")
    assert "trials in a row failed" in held.study.error
    assert "beta is too much" in held.study.error

    # What no run of the method tells is no setting's fault: one trial says so.
    tuner.create({**STUDY, "name": "lost", "metric": "heldout/los", "parallel": 1}, where="lost.toml")
    wait_for_status(tuner, "lost", "failed")
    lost = tuner.detail("lost")
    assert "tells no heldout/los. Did you mean heldout/loss?" in lost.study.error
    assert lost.study.failed == 1

    with pytest.raises(RlftError, match="no model called"):
        tuner.create({**STUDY, "name": "none", "run": {"model": "nobody"}}, where="x.toml")
    assert not (bench.place.studies / "none").exists()
