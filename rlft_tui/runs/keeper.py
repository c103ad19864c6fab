"""Keeps one job: ``python -m rlft_tui.runs.keeper RUN_DIR [-- COMMAND …]``.

The first process returns (exit code 0) as soon as the keeper proper, in its own
session and nobody's child, has started the job. The keeper outlives the server,
the workbench and the SSH connection. It passes SIGTERM on to the job, kills the
job's process group when the grace is over or SIGUSR1 asks for it, and writes
``exit.json`` the moment the job ends. A job whose run folder is deleted is killed. When the keeper itself
is killed, the job goes on: the server finds it by the pid in ``attempt.json`` and
judges its end by its ``end`` event.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path
from types import FrameType

from msgspec.structs import asdict, replace

from rlft_tui.runs.exit_reason import MemoryKills, describe_end
from rlft_tui.runs.hung_reward import hung_reward
from rlft_tui.runs.job_environment import job_environment
from rlft_tui.runs.run_event import EventWriter
from rlft_tui.runs.run_folder import Attempt, RunFolder
from rlft_tui.runs.run_process import boot_id, start_time
from rlft_tui.runs.run_status import Exit

RESERVE_BYTES = 4096
_GRACE_SECONDS = 180.0
_RETRY_SECONDS = 1.0
_LOOK_SECONDS = 2.0
_MISSED_LOOKS = 2
"""A network file system may lose sight of a folder for a moment."""


class Keeper:
    """One attempt at one run."""

    def __init__(self, folder: RunFolder, command: list[str], grace: float) -> None:
        self.folder = folder
        self.command = command
        self.grace = grace
        self._job: subprocess.Popen[bytes] | None = None
        self._stop_asked = False
        self._killed_late = False
        self._kill_asked = False
        self._reaping = threading.Lock()

    def start(self) -> None:
        """Start the job; OSError when its files cannot be written."""
        _reserve(self.folder.exit_reserve)
        previous = self.folder.read_attempt()
        attempt = Attempt(
            number=previous.number + 1 if previous else 1,
            keeper_pid=os.getpid(),
            keeper_started=start_time(os.getpid()) or 0.0,
            boot=boot_id(),
        )
        # An attempt that was killed in the middle of a reward left its name.
        self.folder.reward_call.unlink(missing_ok=True)
        self._events_from = _size(self.folder.events)
        self._output_from = _size(self.folder.output)
        self._memory_kills = MemoryKills.now()
        self.folder.write_attempt(attempt)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._on_terminate)
        signal.signal(signal.SIGUSR1, self._on_kill)
        signal.signal(signal.SIGALRM, self._on_grace_over)
        with self.folder.output.open("ab", buffering=0) as output:
            job = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder.root,
                env=job_environment(),
                process_group=0,
            )
        self._job = job
        _prefer_for_memory_kill(job.pid)
        self.folder.write_attempt(replace(attempt, job_pid=job.pid, job_started=start_time(job.pid) or 0.0))
        if self._kill_asked:
            self._kill_group()
        elif self._stop_asked:
            job.send_signal(signal.SIGTERM)

    def finish(self) -> Exit:
        """Wait for the job, write how it ended."""
        job = self._job
        assert job is not None
        threading.Thread(target=self._end_with_folder, args=(job,), daemon=True).start()
        # The dead job is left unreaped while its group is cleared: its id cannot pass to a stranger.
        os.waitid(os.P_PID, job.pid, os.WEXITED | os.WNOWAIT)
        signal.alarm(0)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(job.pid, signal.SIGKILL)
        with self._reaping:
            code = job.wait()
        if code > 0:
            self._tell_hung_reward()
        record = Exit(
            code=code if code >= 0 else None,
            signal=_signal_name(-code) if code < 0 else None,
            reason=describe_end(
                self.folder,
                code,
                stop_asked=self._stop_asked,
                kill_asked=self._kill_asked,
                grace=self.grace if self._killed_late else None,
                memory_kills=MemoryKills.now() - self._memory_kills,
                events_from=self._events_from,
                output_from=self._output_from,
            ),
            ended=time.time(),
            asked=self._stop_asked or self._kill_asked,
        )
        _write_exit(self.folder, record)
        return record

    def _tell_hung_reward(self) -> None:
        """Write the error that a job ended by faulthandler could not; on a full disk only that is lost."""
        hung = hung_reward(self.folder, self._output_from)
        if hung is None:
            return
        with contextlib.suppress(OSError):
            log = EventWriter(self.folder.events)
            try:
                log.write("error", type="RlftError", message=str(hung), traceback="")
                log.write("end", status="failed")
            finally:
                log.close()

    def _end_with_folder(self, job: subprocess.Popen[bytes]) -> None:
        """A job whose run folder was deleted makes nothing that could be kept, and no command reaches it."""
        missed = 0
        while missed < _MISSED_LOOKS:
            time.sleep(_LOOK_SECONDS)
            missed = missed + 1 if _was_deleted(self.folder, job.pid) else 0
        with self._reaping, contextlib.suppress(ProcessLookupError, PermissionError):
            if job.returncode is None:
                os.killpg(job.pid, signal.SIGKILL)

    def _on_terminate(self, number: int, frame: FrameType | None) -> None:
        if self._stop_asked:
            return
        self._stop_asked = True
        signal.setitimer(signal.ITIMER_REAL, self.grace)
        if self._job is not None:
            self._job.send_signal(signal.SIGTERM)

    def _on_kill(self, number: int, frame: FrameType | None) -> None:
        self._kill_asked = True
        self._kill_group()

    def _on_grace_over(self, number: int, frame: FrameType | None) -> None:
        self._killed_late = self._kill_group()

    def _kill_group(self) -> bool:
        """Kill the job with its children; False when it has ended already."""
        if self._job is None or self._job.returncode is not None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._job.pid, signal.SIGKILL)
        return True


def main(arguments: list[str]) -> int:
    if not arguments or (len(arguments) > 1 and arguments[1] != "--"):
        sys.stderr.write("usage: python -m rlft_tui.runs.keeper RUN_DIR [-- COMMAND …]\n")
        return 2
    folder = RunFolder(Path(arguments[0]).resolve())
    try:
        spec = tomllib.loads(folder.spec.read_text(encoding="utf-8"))
        command = arguments[2:] or [
            sys.executable,
            "-P",
            "-m",
            f"rlft_tui.jobs.{spec['method']}",
            str(folder.root),
        ]
    except (OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"{folder.spec}: {error}\n")
        return 2
    keeper = Keeper(folder, command, float(spec.get("stop_seconds", _GRACE_SECONDS)))
    return _start_detached(keeper)


def _start_detached(keeper: Keeper) -> int:
    """Fork the keeper away; 0 once its job runs, 1 with a line on stderr when it could not start."""
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        with os.fdopen(reader, "rb") as answers:
            answer = answers.read()
        if answer == b"started":
            return 0
        sys.stderr.write(answer.decode(errors="replace") or "the keeper died before it could start the job\n")
        return 1
    os.close(reader)
    with contextlib.suppress(OSError):
        os.setsid()
    _detach_streams()
    try:
        keeper.start()
    except (OSError, ValueError) as error:
        os.write(writer, f"{error}\n".encode(errors="replace"))
        os._exit(1)
    os.write(writer, b"started")
    os.close(writer)
    keeper.finish()
    os._exit(0)


def _detach_streams() -> None:
    """No descriptor of the starter's terminal or pipes stays open."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)


def _reserve(path: Path) -> None:
    with path.open("wb") as stream:
        stream.write(b" " * RESERVE_BYTES)
        stream.flush()
        os.fsync(stream.fileno())


def _was_deleted(folder: RunFolder, pid: int) -> bool:
    """Whether the folder the job works in is gone; not so when it was only moved."""
    try:
        deleted = os.readlink(f"/proc/{pid}/cwd").endswith(" (deleted)")
    except OSError:
        return False
    return deleted and not folder.spec.exists()


def _write_exit(folder: RunFolder, record: Exit) -> None:
    """Write ``exit.json`` into the blocks kept for it; again and again until the disk takes it."""
    content = json.dumps(asdict(record)).encode().ljust(RESERVE_BYTES)
    while folder.root.is_dir():
        try:
            descriptor = os.open(folder.exit_reserve, os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                if os.pwrite(descriptor, content, 0) == len(content):
                    os.fsync(descriptor)
                    folder.exit_reserve.replace(folder.exit)
                    return
            finally:
                os.close(descriptor)
        except OSError:
            pass
        time.sleep(_RETRY_SECONDS)


def _prefer_for_memory_kill(pid: int) -> None:
    """When memory runs out, the job goes first, not its keeper or the server."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text("500")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
