"""The keeper: how a job's end is recorded, whatever that end is."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from rlft_tui.runs import launcher
from rlft_tui.runs.exit_reason import MemoryKills, describe_end
from rlft_tui.runs.log_search import search_log
from rlft_tui.runs.run_event import EventReader
from rlft_tui.runs.run_folder import RunFolder
from tests.conftest import is_alive, wait_for
from tests.runs.scripted import FINISHING, TRAINING, start_job, wait_for_end


def test_a_job_that_ends_well_is_recorded_with_code_zero(runs: Path) -> None:
    folder = start_job(runs, FINISHING)
    wait_for_end(folder)
    record = folder.read_exit()
    assert record is not None
    assert (record.code, record.signal, record.reason) == (0, None, "ended by itself")


def test_a_killed_job_is_recorded_with_its_signal_and_its_output_kept(runs: Path) -> None:
    folder = start_job(runs, 'print("the last words", flush=True)\ntime.sleep(600)')
    wait_for(lambda: folder.output.read_bytes(), "output")
    attempt = folder.read_attempt()
    assert attempt is not None
    os.kill(attempt.job_pid, signal.SIGKILL)
    wait_for_end(folder)
    record = folder.read_exit()
    assert record is not None
    assert (record.code, record.signal) == (None, "SIGKILL")
    assert "SIGKILL" in record.reason
    assert folder.output.read_text() == "the last words\n"


def test_a_failed_job_is_recorded_with_the_last_line_of_its_traceback(runs: Path) -> None:
    folder = start_job(runs, 'start()\nraise ValueError("no such column: \\x1b[31mred")')
    wait_for_end(folder)
    record = folder.read_exit()
    assert record is not None
    assert record.code == 1
    assert record.reason == "exit code 1: ValueError: no such column: red"


@pytest.mark.parametrize("code", [0, 3])
def test_a_reward_that_ended_the_process_is_the_reason(runs: Path, code: int) -> None:
    body = f"""
from rlft_tui.jobs.reward_functions import RunRewards
from rlft_tui.runs.specs.rewards import RewardPart
start()
folder.rewards.mkdir()
(folder.rewards / "exit.py").write_text("import os\\ndef exit(**x):\\n    os._exit({code})\\n")
parts = (RewardPart.model_validate("rewards/exit.py"),)
rewards = RunRewards(parts, folder.rewards, load_model=None)
rewards.reward([[]], [[{{"role": "assistant", "content": "x"}}]], [[1]], {{}})
"""
    folder = start_job(runs, body)
    wait_for_end(folder)
    record = folder.read_exit()
    assert record is not None
    assert record.reason == f"rewards/exit.py ended the process (exit code {code})"


def test_a_reward_that_hangs_and_swallows_everything_is_ended_with_its_process(runs: Path) -> None:
    body = """
from rlft_tui.jobs.reward_functions import RunRewards
from rlft_tui.rewards import time_limit
from rlft_tui.runs.specs.rewards import RewardPart
start()
folder.rewards.mkdir()
loop = "def hang(**x):\\n  while 1:\\n    try:\\n      [0 for _ in iter(int, 1)]\\n    except: pass\\n"
(folder.rewards / "hang.py").write_text(loop)
time_limit.GRACE_SECONDS = 0.1
parts = (RewardPart.model_validate("rewards/hang.py"),)
rewards = RunRewards(parts, folder.rewards, load_model=None, seconds=0.1)
rewards.reward([[]], [[{"role": "assistant", "content": "x"}]], [[1]], {})
"""
    folder = start_job(runs, body)
    wait_for_end(folder)
    record = folder.read_exit()
    assert record is not None
    told = "rewards/hang.py:4: it did not return in time and heeded no exception. Correct it there and resume"
    assert record.reason.startswith(told)
    error, end = list(EventReader(folder.events).read())[-2:]
    assert (error.kind, error.fields["type"]) == ("error", "RlftError")  # of this type: not resumed by itself
    assert error.fields["message"].startswith(told)
    assert (end.kind, end.fields["status"]) == ("end", "failed")
    (dumped,) = search_log(folder.output, level="tracebacks").lines
    assert "hang.py" in folder.output.read_text()[dumped.start :]


def test_the_error_event_is_the_reason_rather_than_the_last_output(runs: Path) -> None:
    body = """
trace = "Traceback:\\n  x\\nRuntimeError: shapes differ"
log.write("error", type="RuntimeError", message="shapes differ", traceback=trace)
print("a warning at exit")
sys.exit(3)
"""
    folder = start_job(runs, body)
    wait_for_end(folder)
    record = folder.read_exit()
    assert record is not None
    assert record.reason == "exit code 3: RuntimeError: shapes differ"


def test_sigterm_to_the_keeper_reaches_the_job_which_ends_by_itself(runs: Path) -> None:
    folder = start_job(runs, TRAINING)
    wait_for(lambda: folder.events.exists() and b"metrics" in folder.events.read_bytes(), "metrics")
    attempt = folder.read_attempt()
    assert attempt is not None
    os.kill(attempt.keeper_pid, signal.SIGTERM)
    wait_for_end(folder)
    record = folder.read_exit()
    assert record is not None
    assert (record.code, record.reason, record.asked) == (0, "stopped on request", True)
    assert list(folder.checkpoints.iterdir())


def test_a_job_whose_run_folder_was_deleted_is_ended(runs: Path) -> None:
    folder = start_job(runs, TRAINING)
    wait_for(lambda: folder.events.exists() and b"metrics" in folder.events.read_bytes(), "metrics")
    attempt = folder.read_attempt()
    assert attempt is not None
    moved = folder.root.rename(folder.root.with_name("moved"))
    shutil.rmtree(moved)
    wait_for(lambda: not is_alive(attempt.job_pid), "the job's end")
    wait_for(lambda: not is_alive(attempt.keeper_pid), "the keeper's end")


def test_a_job_that_ignores_the_stop_is_killed_with_its_group_after_the_grace(runs: Path) -> None:
    body = """
import subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "600"])
print(child.pid, flush=True)
start()
time.sleep(600)
"""
    folder = start_job(runs, body, stop_seconds=0.2)
    wait_for(lambda: folder.events.exists() and folder.events.stat().st_size, "the start event")
    child = int(folder.output.read_text())
    assert launcher.stop(folder)
    wait_for_end(folder)
    record = folder.read_exit()
    assert record is not None
    assert record.signal == "SIGKILL"
    assert record.reason == "killed: it had not stopped 0.2 s after it was asked to"
    wait_for(lambda: _gone(child), "the job's child to be killed")


def test_hanging_up_neither_ends_keeper_nor_job(runs: Path) -> None:
    folder = start_job(runs, TRAINING)
    attempt = folder.read_attempt()
    assert attempt is not None
    for pid in (attempt.keeper_pid, attempt.job_pid):
        os.kill(pid, signal.SIGHUP)
    size = folder.events.stat().st_size if folder.events.exists() else 0
    wait_for(lambda: folder.events.exists() and folder.events.stat().st_size > size + 1000, "more metrics")
    assert launcher.is_active(folder)


def test_the_keeper_is_in_its_own_session_and_nobodys_child(runs: Path) -> None:
    folder = start_job(runs, TRAINING)
    attempt = folder.read_attempt()
    assert attempt is not None
    assert os.getsid(attempt.keeper_pid) != os.getsid(0)
    assert psutil.Process(attempt.keeper_pid).ppid() != os.getpid()
    assert os.getpgid(attempt.job_pid) == attempt.job_pid


def test_the_exit_record_goes_into_blocks_that_were_kept_for_it(runs: Path) -> None:
    folder = start_job(runs, TRAINING)
    reserve = folder.exit_reserve.stat()
    attempt = folder.read_attempt()
    assert attempt is not None
    os.kill(attempt.job_pid, signal.SIGKILL)
    wait_for_end(folder)
    written = folder.exit.stat()
    assert (written.st_ino, written.st_size) == (reserve.st_ino, reserve.st_size)


def test_a_kernel_kill_for_memory_is_named_as_such(tmp_path: Path) -> None:
    def reason(kills: MemoryKills) -> str:
        return describe_end(
            RunFolder(tmp_path),
            -signal.SIGKILL,
            stop_asked=False,
            grace=None,
            memory_kills=kills,
            events_from=0,
            output_from=0,
        )

    assert reason(MemoryKills(1, 1)).startswith("out of memory: the kernel killed it")
    assert "want of memory" in reason(MemoryKills(0, 1))
    assert reason(MemoryKills(0, 0)).endswith("perhaps out of memory")


def test_a_keeper_that_cannot_start_says_why(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "rlft_tui.runs.keeper", str(tmp_path)]
    result = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "run.toml" in result.stderr


def test_the_keeper_loads_neither_pydantic_nor_torch() -> None:
    check = (
        "import sys, rlft_tui.runs.keeper\n"
        "print([name for name in ('pydantic', 'torch', 'duckdb', 'httpx') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def _gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
