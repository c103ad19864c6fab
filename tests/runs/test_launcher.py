"""Launch, stop, resume and delete on real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from rlft_tui.errors import ConflictError, RlftError, UnavailableError
from rlft_tui.runs import launcher
from rlft_tui.runs.run_folder import Attempt
from rlft_tui.runs.run_process import is_alive, send_signal, start_time
from rlft_tui.runs.run_spec import parse_spec, read_spec
from tests.conftest import wait_for
from tests.runs.scripted import FINISHING, TRAINING, command, dpo_spec, generate_spec, start_job, wait_for_end


def test_the_folder_holds_spec_and_data_before_the_job_begins(runs: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "train.jsonl").write_text("{}\n")
    body = 'assert (folder.dataset / "train.jsonl").is_file() and folder.spec.is_file()'
    folder = launcher.launch(runs, dpo_spec(), dataset=data, command=command(body))
    wait_for_end(folder)
    record = folder.read_exit()
    assert record is not None
    assert record.code == 0
    assert read_spec(folder.spec) == dpo_spec()
    assert [path.name for path in runs.iterdir()] == ["dpo-test"]


def test_prompt_rows_become_the_prompts_of_a_generate_run(runs: Path) -> None:
    rows = [{"id": "p1", "prompt": "Why is the sky blue?\n"}]
    folder = launcher.launch(runs, generate_spec(), prompt_rows=rows, command=command("pass"))
    wait_for_end(folder)
    assert folder.prompts.read_text().count("\n") == 1


def test_a_run_id_is_used_once(runs: Path) -> None:
    folder = start_job(runs, FINISHING)
    before = folder.spec.read_bytes()
    with pytest.raises(ConflictError, match="a run with this id exists"):
        start_job(runs, FINISHING, beta=0.5)
    assert folder.spec.read_bytes() == before
    assert [path.name for path in runs.iterdir()] == ["dpo-test"]


@pytest.mark.parametrize("run_id", ["", "..", "../x", "a/b", ".hidden", "a\nb", "x" * 200])
def test_a_run_id_that_is_no_safe_folder_name_is_refused(runs: Path, run_id: str) -> None:
    with pytest.raises(RlftError, match="not a run id"):
        start_job(runs, FINISHING, run_id=run_id)
    assert not runs.exists()


def test_a_full_disk_refuses_a_launch_and_leaves_nothing(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "MINIMUM_FREE_MB", {"training": 1 << 40, "other": 1 << 40})
    with pytest.raises(UnavailableError, match="MB free on the disk"):
        start_job(runs, FINISHING)
    assert list(runs.iterdir()) == []


def test_a_job_that_cannot_be_started_leaves_no_run(runs: Path) -> None:
    with pytest.raises(UnavailableError, match="did not start"):
        launcher.launch(runs, dpo_spec(), command=["/no/such/program"])
    assert list(runs.iterdir()) == []


def test_stop_is_asked_once_however_often_it_is_called(runs: Path) -> None:
    folder = start_job(runs, TRAINING)
    wait_for(lambda: folder.events.exists() and b"metrics" in folder.events.read_bytes(), "metrics")
    assert launcher.stop(folder)
    asked = folder.stop_request.read_text()
    launcher.stop(folder)
    assert folder.stop_request.read_text() == asked
    wait_for_end(folder)
    record = folder.read_exit()
    assert record is not None
    assert record.reason == "stopped on request"
    assert launcher.stop(folder) is False


def test_resume_counts_attempts_and_keeps_the_old_exit_record(runs: Path) -> None:
    folder = start_job(runs, TRAINING)
    with pytest.raises(ConflictError, match="still going"):
        launcher.start(folder)
    launcher.stop(folder)
    wait_for_end(folder)
    old = folder.exit.read_bytes()
    launcher.start(folder, command=command(FINISHING))
    attempt = folder.read_attempt()
    assert attempt is not None
    assert attempt.number == 2
    assert (folder.root / "exit-1.json").read_bytes() == old
    assert not folder.stop_request.exists()
    wait_for_end(folder)
    assert folder.read_exit() is not None


def test_a_job_whose_keeper_was_killed_goes_on_and_can_be_stopped(runs: Path) -> None:
    folder = start_job(runs, TRAINING)
    wait_for(lambda: folder.events.exists() and b"metrics" in folder.events.read_bytes(), "metrics")
    attempt = folder.read_attempt()
    assert attempt is not None
    os.kill(attempt.keeper_pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(attempt.keeper_pid, attempt.keeper_started), "the keeper to die")
    assert launcher.is_active(folder)
    assert launcher.stop(folder)
    wait_for(lambda: not launcher.is_active(folder), "the job to stop")
    assert b'"status": "stopped"' in folder.events.read_bytes()
    assert folder.read_exit() is None


def test_a_job_without_keeper_that_ignores_the_stop_is_killed_after_the_grace(runs: Path) -> None:
    folder = start_job(runs, "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nstart()\ntime.sleep(600)")
    wait_for(lambda: folder.events.exists() and folder.events.stat().st_size, "the start event")
    attempt = folder.read_attempt()
    assert attempt is not None
    os.kill(attempt.keeper_pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(attempt.keeper_pid, attempt.keeper_started), "the keeper to die")
    launcher.stop(folder)
    launcher.enforce_stop(folder, grace=3600.0)
    assert is_alive(attempt.job_pid, attempt.job_started)
    launcher.enforce_stop(folder, grace=0.0)
    wait_for(lambda: not launcher.is_active(folder), "the job to be killed")


def test_a_stranger_with_the_pid_of_an_old_job_is_neither_taken_for_it_nor_signalled(runs: Path) -> None:
    folder = start_job(runs, FINISHING)
    wait_for_end(folder)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as stranger:
        began = start_time(stranger.pid)
        assert began is not None
        earlier = Attempt(1, stranger.pid, began - 60.0, stranger.pid, began - 60.0)
        folder.write_attempt(earlier)
        assert not launcher.is_active(folder)
        assert launcher.stop(folder) is False
        assert not send_signal(earlier.job_pid, earlier.job_started, signal.SIGKILL)
        assert stranger.poll() is None
        folder.write_attempt(replace(earlier, job_started=began, boot="another boot"))
        assert not launcher.is_active(folder)
        folder.write_attempt(replace(earlier, job_started=began))
        assert launcher.is_active(folder)
        stranger.kill()


def test_an_active_run_is_not_deleted(runs: Path) -> None:
    folder = start_job(runs, TRAINING)
    with pytest.raises(ConflictError, match="still going"):
        launcher.delete(folder)
    launcher.stop(folder)
    wait_for_end(folder)
    launcher.delete(folder)
    assert list(runs.iterdir()) == []


def test_a_zombie_is_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    began = start_time(process.pid)
    assert began is not None
    assert is_alive(process.pid, began)
    process.kill()
    wait_for(lambda: start_time(process.pid) is None, "the process to end")
    assert not is_alive(process.pid, began)
    process.wait()


def test_a_generate_run_without_a_seed_has_one_of_its_own_that_is_written_down() -> None:
    source = {"name": "m", "path": "m"}
    values = {"method": "generate", "model_a": source, "model_b": source}
    one, other = (parse_spec({**values, "id": name}) for name in ("generate-one", "generate-other"))
    assert one.seed != other.seed
    assert one.seed >= 0
    assert parse_spec(one.model_dump()) == one
    assert parse_spec({**values, "id": "generate-one"}) == one
    assert parse_spec({**values, "id": "generate-one", "seed": 7}).seed == 7
