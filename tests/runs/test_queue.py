"""The line for the device: order, requests, crashes of server, keeper and job while runs wait."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from rlft_tui.config import Settings, create_workspace
from rlft_tui.database.connection import Database, open_database
from rlft_tui.errors import ConflictError, RlftError, UnavailableError
from rlft_tui.paths import Workspace
from rlft_tui.runs import launcher
from rlft_tui.runs.queue_place import last_place
from rlft_tui.runs.run_event import EventReader
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_process import is_alive
from rlft_tui.runs.run_status import RunSummary
from rlft_tui.server import run_queue
from rlft_tui.server.supervisor import Supervisor
from tests.conftest import wait_for
from tests.runs.conftest import end_all
from tests.runs.scripted import FINISHING, TRAINING, command, dpo_spec

CRASHING = """
start()
log.metrics(folder.read_attempt().number, {"loss": 1.0})
os.kill(os.getpid(), signal.SIGSEGV)
"""
WAITING = """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
start()
log.metrics(9, {"loss": 1.0})
time.sleep(600)
"""
"""Ends when asked, without writing a word."""
ALARMED = """
start()
log.write("alert", step=3, name="kl critical", message="far", severity="critical", action="pause")
log.write("control", asked="alarm: kl critical", by="job", done="saved")
log.write("end", status="paused")
"""
STUCK = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
start()
log.metrics(9, {"loss": 1.0})
time.sleep(600)
"""
REFUSING = """
start()
log.write("error", type="RlftError", message="the loss has not been finite", traceback="")
sys.exit(1)
"""


class Line:
    """A workspace whose runs are small scripts, and the servers that follow them one after another."""

    def __init__(self, place: Workspace, database: Database, folder: Path) -> None:
        self.place = place
        self.database = database
        self.bodies: dict[str, str] = {}
        """What each run's job does, by its id."""
        self.model = folder / "model"
        self.data = folder / "data"
        for one in (self.model, self.data):
            one.mkdir()
        (self.data / "train.jsonl").write_text("{}\n")
        self.servers: list[Supervisor] = []

    def serve(self, slots: int = 1) -> Supervisor:
        """A new server; the one before is closed."""
        self.close()
        self.servers.append(Supervisor(self.place, Settings(parallel_runs=slots), self.database))
        self.servers[-1].start()
        return self.servers[-1]

    def close(self) -> None:
        for server in self.servers:
            server.close()

    def add(self, run_id: str, body: str, **more: object) -> RunFolder:
        """Put a run in line, as a server's launch does."""
        self.bodies[run_id] = body
        spec = dpo_spec(run_id, model={"name": "base", "path": str(self.model)}, **more)
        folders = [RunFolder(path) for path in self.place.runs.glob("[!.]*")]
        places = [found for folder in folders if (found := folder.current_place()) is not None]
        return launcher.prepare(self.place.runs, spec, dataset=self.data, place=last_place(places, 0))


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    place = create_workspace(tmp_path / "workspace")
    real = launcher._start_keeper
    with open_database(place) as database:
        made = Line(place, database, tmp_path)

        def start(folder: RunFolder, given: Sequence[str]) -> None:
            real(folder, command(made.bodies[folder.id]))

        monkeypatch.setattr(launcher, "_start_keeper", start)
        yield made
        made.close()


def status(server: Supervisor, run_id: str) -> str:
    return server.summary(run_id).status


def reaches(server: Supervisor, run_id: str, wanted: str) -> RunSummary:
    wait_for(lambda: status(server, run_id) == wanted, f"{run_id} to be {wanted}")
    return server.summary(run_id)


def trains(server: Supervisor, run_id: str) -> None:
    wait_for(lambda: server.summary(run_id).step > 3, f"steps of {run_id}")


def asked(folder: RunFolder) -> list[str]:
    """What was asked of a run, in order."""
    return [str(e.fields["asked"]) for e in EventReader(folder.events).read() if e.kind == "control"]


def in_line(server: Supervisor) -> list[str]:
    waiting = [run for run in server.summaries() if run.status == "queued"]
    return [run.id for run in sorted(waiting, key=lambda run: run.queue_place)]


def pids(folder: RunFolder) -> tuple[int, int]:
    attempt = folder.read_attempt()
    assert attempt is not None
    return attempt.keeper_pid, attempt.job_pid


def test_runs_start_by_themselves_in_order_one_at_a_time(line: Line) -> None:
    folders = [line.add(name, FINISHING) for name in ("c", "a", "b")]
    server = line.serve()
    for name in ("c", "a", "b"):
        reaches(server, name, "finished")
    started = [server.summary(name).started or 0.0 for name in ("c", "a", "b")]
    ended = [server.summary(name).ended or 0.0 for name in ("c", "a", "b")]
    assert started[1] >= ended[0]
    assert started[2] >= ended[1]
    assert all(folder.current_place() is None for folder in folders)


def test_a_waiting_run_says_its_place_and_the_server_is_needed(line: Line) -> None:
    line.add("first", TRAINING)
    line.add("second", FINISHING)
    third = line.add("third", FINISHING)
    server = line.serve()
    trains(server, "first")
    run = server.summary("third")
    assert (run.status, run.queue_place, run.stage) == ("queued", 2, "2 of 2 in line")
    assert in_line(server) == ["second", "third"]
    server.control.stop("first")
    reaches(server, "third", "finished")
    assert third.read_exit() is not None
    assert not server.is_needed()


def test_as_many_go_at_once_as_the_settings_say(line: Line) -> None:
    for name in ("a", "b", "c"):
        line.add(name, TRAINING)
    server = line.serve(slots=2)
    for name in ("a", "b"):
        trains(server, name)
    assert in_line(server) == ["c"]


def test_the_line_outlives_the_server_the_keeper_and_the_job(line: Line) -> None:
    going = line.add("going", TRAINING)
    for name in ("b", "c"):
        line.add(name, FINISHING)
    first = line.serve()
    trains(first, "going")
    first.control.move("c", "first")
    second = line.serve()
    assert in_line(second) == ["c", "b"]
    assert second.is_needed()
    keeper, job = pids(going)
    os.kill(keeper, signal.SIGKILL)
    time.sleep(0.6)
    assert in_line(second) == ["c", "b"], "the job goes on without its keeper, so the device is taken"
    os.kill(job, signal.SIGKILL)
    reaches(second, "b", "finished")
    assert (second.summary("c").started or 0) < (second.summary("b").started or 0)
    assert status(second, "going") == "lost"


def test_moving(line: Line) -> None:
    line.add("going", TRAINING)
    folders = {name: line.add(name, FINISHING) for name in ("a", "b", "c", "d")}
    server = line.serve()
    trains(server, "going")
    orders = []
    for run_id, to in (("d", "first"), ("a", "down"), ("c", "up"), ("d", "up"), ("b", "last")):
        server.control.move(run_id, to)
        orders.append("".join(in_line(server)))
    assert orders == ["dabc", "dbac", "dbca", "dbca", "dcab"]
    assert asked(folders["b"]) == ["move"]
    with pytest.raises(ConflictError, match="does not wait in line: it is running"):
        server.control.move("going", "up")
    with pytest.raises(RlftError, match="no such move"):
        server.control.move("a", "sideways")


def test_a_cancelled_run_never_started_and_can_be_queued_again(line: Line) -> None:
    line.add("going", TRAINING)
    folder = line.add("a", FINISHING)
    server = line.serve()
    trains(server, "going")
    run = server.control.cancel("a")
    assert (run.status, run.exit and run.exit.reason) == ("stopped", "cancelled before it started")
    assert asked(folder) == ["cancel"]
    with pytest.raises(ConflictError, match="does not wait: it is stopped"):
        server.control.cancel("a")
    with pytest.raises(ConflictError, match="it is running"):
        server.control.cancel("going")
    assert status(line.serve(), "a") == "stopped"
    server = line.serve()
    assert server.control.resume("a").status == "queued"
    server.control.stop("going")
    reaches(server, "a", "finished")


def test_a_paused_run_frees_the_device_and_is_first_in_line_when_resumed(line: Line) -> None:
    paused = line.add("paused", TRAINING)
    line.add("next", TRAINING)
    line.add("later", FINISHING)
    server = line.serve()
    trains(server, "paused")
    assert server.control.pause("paused").status in ("stopping", "paused")
    run = reaches(server, "paused", "paused")
    assert run.checkpoint.startswith("checkpoints/step-")
    assert not launcher.is_active(paused)
    trains(server, "next")
    server = line.serve()
    assert status(server, "paused") == "paused"
    before = server.summary("paused").step
    assert server.control.resume("paused").status == "queued"
    assert in_line(server) == ["paused", "later"]
    server.control.stop("next")
    wait_for(lambda: server.summary("paused").step > before, "more steps")
    assert asked(paused) == ["pause", "stop", "resume"]


def test_a_waiting_run_that_is_held_keeps_its_place(line: Line) -> None:
    line.add("going", TRAINING)
    folder = line.add("held", TRAINING)
    line.add("b", TRAINING)
    line.add("c", FINISHING)
    server = line.serve()
    trains(server, "going")
    assert server.control.pause("held").status == "paused"
    server.control.stop("going")
    trains(server, "b")
    assert server.control.resume("held").status == "queued"
    assert in_line(server) == ["held", "c"]
    assert asked(folder) == ["hold", "resume"]


def test_a_run_may_be_started_beside_the_others(line: Line) -> None:
    line.add("going", TRAINING)
    line.add("a", TRAINING)
    server = line.serve()
    trains(server, "going")
    server.control.resume("a", now=True)
    trains(server, "a")
    assert set(server.active_runs()) == {"going", "a"}


def test_kill_ends_the_job_at_once_and_says_who_asked(line: Line) -> None:
    folder = line.add("stuck", STUCK, auto_resume=3)
    server = line.serve()
    trains(server, "stuck")
    server.control.kill("stuck")
    run = reaches(server, "stuck", "killed")
    assert run.exit is not None
    assert (run.exit.signal, run.exit.reason) == ("SIGKILL", "killed on request")
    assert asked(folder) == ["kill"], "a kill that was asked for is not resumed"
    with pytest.raises(ConflictError, match="it is killed"):
        server.control.kill("stuck")


def test_kill_reaches_a_job_that_has_lost_its_keeper(line: Line) -> None:
    folder = line.add("orphan", TRAINING, auto_resume=3)
    server = line.serve()
    trains(server, "orphan")
    attempt = folder.read_attempt()
    assert attempt is not None
    os.kill(attempt.keeper_pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(attempt.keeper_pid, attempt.keeper_started), "the keeper's end")
    server.control.kill("orphan")
    reaches(server, "orphan", "killed")


def test_a_crash_is_resumed_so_often_as_was_asked_each_time_later(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_queue, "BACK_OFF_SECONDS", 0.1)
    folder = line.add("crashing", CRASHING, auto_resume=2)
    server = line.serve()
    wait_for(lambda: status(server, "crashing") == "killed", "the last crash")
    assert pids(folder)
    attempt = folder.read_attempt()
    assert attempt is not None
    assert attempt.number == 3
    done = [e.fields["done"] for e in EventReader(folder.events).read() if e.kind == "control"]
    assert done == [
        "resumes in 0 s, 1 of 2 times",
        "resumes in 0 s, 2 of 2 times",
        "not resumed: 2 times are the most it may be",
    ]
    assert status(line.serve(), "crashing") == "killed"


def test_a_crashed_run_waits_without_blocking_others_and_survives_the_server(line: Line) -> None:
    folder = line.add("crashing", CRASHING, auto_resume=1)
    line.add("b", FINISHING)
    server = line.serve()
    wait_for(lambda: server.summary("crashing").stage.startswith("resumes by itself in "), "the crash")
    reaches(server, "b", "finished")
    server = line.serve()
    assert status(server, "crashing") == "queued"
    assert server.is_needed()
    line.bodies["crashing"] = FINISHING
    server.control.resume("crashing")
    reaches(server, "crashing", "finished")
    assert asked(folder) == ["auto_resume", "resume"]


def test_a_run_that_an_alarm_paused_is_resumed_first_or_stopped(line: Line) -> None:
    folder = line.add("alarmed", ALARMED)
    line.add("going", TRAINING)
    line.add("b", FINISHING)
    server = line.serve()
    run = reaches(server, "alarmed", "paused")
    assert run.exit is not None
    assert run.exit.reason == "stopped by the alarm: kl critical"
    assert [(alert.severity, alert.action) for alert in run.alerts] == [("critical", "pause")]
    trains(server, "going")
    server.control.resume("alarmed")
    assert in_line(server) == ["alarmed", "b"]
    server.control.cancel("alarmed")
    assert server.control.stop("alarmed").status == "stopped"
    assert asked(folder) == ["alarm: kl critical", "resume", "cancel"]


@pytest.mark.parametrize("body", [REFUSING, TRAINING])
def test_neither_an_error_that_would_come_again_nor_a_stop_is_resumed(line: Line, body: str) -> None:
    folder = line.add("a", body, auto_resume=5)
    server = line.serve()
    if body == TRAINING:
        trains(server, "a")
        server.control.stop("a")
    reaches(server, "a", "failed" if body == REFUSING else "stopped")
    assert folder.current_place() is None


def test_a_cancelled_auto_resume_stays_cancelled(line: Line) -> None:
    line.add("crashing", CRASHING, auto_resume=5)
    server = line.serve()
    wait_for(lambda: server.summary("crashing").stage.startswith("resumes by itself in "), "the crash")
    assert server.control.cancel("crashing").status == "killed"
    assert status(line.serve(), "crashing") == "killed"


def test_what_a_queued_run_needs_may_have_gone_when_its_turn_comes(line: Line) -> None:
    line.add("going", TRAINING)
    line.add("no-model", FINISHING)
    line.add("no-data", FINISHING)
    line.add("good", FINISHING)
    server = line.serve()
    trains(server, "going")
    shutil.rmtree(line.data)
    shutil.rmtree(line.place.runs / "no-data" / "dataset")
    line.model.rename(line.model.with_name("moved"))
    server.control.stop("going")
    run = reaches(server, "no-model", "failed")
    assert "the model base is gone" in run.error
    assert str(line.model) in run.error
    assert "the run's data is gone" in reaches(server, "no-data", "failed").error
    line.model.with_name("moved").rename(line.model)
    server.control.resume("no-model")
    reaches(server, "no-model", "finished")


def test_on_a_full_disk_the_line_waits_and_says_so(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    full: Callable[..., None] = launcher.check_disk

    def refuse(folder: Path, spec: object) -> None:
        raise UnavailableError("only 3 MB free on the disk, a dpo run needs 500")

    line.add("a", FINISHING)
    line.add("b", FINISHING)
    monkeypatch.setattr(launcher, "check_disk", refuse)
    server = line.serve()
    wait_for(lambda: "3 MB free" in server.summary("a").stage, "the reason")
    assert in_line(server) == ["a", "b"]
    monkeypatch.setattr(launcher, "check_disk", full)
    reaches(server, "b", "finished")


@pytest.fixture
def small_disk(line: Line, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """All run folders stand on a disk of two megabytes."""
    runs = line.place.runs
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(runs)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    monkeypatch.setattr(launcher, "MINIMUM_FREE_MB", {"training": 0, "other": 0})
    yield runs
    line.close()
    end_all(runs)
    subprocess.run(["umount", "-l", str(runs)], check=True)


def test_a_disk_that_fills_up_while_runs_wait_loses_none_of_them(line: Line, small_disk: Path) -> None:
    line.add("going", WAITING)
    for name in ("a", "b"):
        line.add(name, FINISHING)
    server = line.serve()
    trains(server, "going")
    filler = small_disk / ".filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as stream:
        while True:
            stream.write(b"x" * 4096)
    with pytest.raises(UnavailableError, match="No space left"):
        server.control.move("b", "first")
    with pytest.raises(UnavailableError, match="cannot be written"):
        line.add("c", FINISHING)
    assert {path.name for path in small_disk.iterdir() if path.is_dir()} == {"going", "a", "b"}
    assert in_line(server) == ["a", "b"]
    server.control.stop("going")
    wait_for(lambda: "No space left" in server.summary("a").stage, "the reason")
    assert in_line(line.serve()) == ["a", "b"]
    filler.unlink()
    reaches(line.servers[-1], "b", "finished")
    assert status(line.servers[-1], "a") == "finished"


def test_deleting_a_waiting_run_takes_it_out_of_the_line(line: Line) -> None:
    line.add("going", TRAINING)
    line.add("a", FINISHING)
    line.add("b", FINISHING)
    server = line.serve()
    trains(server, "going")
    server.delete("a")
    assert in_line(server) == ["b"]
