"""Runs programs that a model wrote, each in a cell of its own (see cell.py for what that is and is not)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import asdict

from rlft_tui.errors import RlftError, UnavailableError
from rlft_tui.record import Record

End = Literal["passed", "error", "exit", "time", "memory", "killed"]
"""passed its tests · an exception · ended before its tests did · too long · too much memory · by a signal."""
_CELL = Path(__file__).with_name("cell.py")
_SLACK_SECONDS = 20.0
NOT_KEPT_OUT = (
    "Programs run in a sandbox of Linux namespaces: no network, no files of yours, a throw-away folder, "
    "limits on time, memory, processes and disk. It does not protect from faults of the kernel."
)


class Limits(Record, frozen=True):
    """What one program may use."""

    seconds: float = 10.0
    memory_mb: int = 512
    """Address space of each process."""
    disk_mb: int = 16
    """All its files together."""
    processes: int = 16
    """Processes and threads."""


class Outcome(Record, frozen=True):
    """How one program ended."""

    end: End
    detail: str = ""
    """The error, or which limit."""
    output: str = ""
    """The last 2,000 characters that it printed."""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return self.end == "passed"


_USUAL = Limits()


def run_program(program: str, limits: Limits = _USUAL) -> Outcome:
    """Run a program with its tests at its end; it passes when it reaches its end.

    UnavailableError where this machine gives no namespaces: nothing was run then.
    """
    python = os.path.realpath(sys.executable)
    asked = {**asdict(limits), "python": python, "prefix": sys.base_prefix}
    try:
        done = subprocess.run(
            [python, "-I", "-S", str(_CELL), json.dumps(asked)],
            input=program.encode("utf-8", "backslashreplace"),
            capture_output=True,
            check=False,
            timeout=limits.seconds + _SLACK_SECONDS,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return Outcome("time", f"the cell did not end after {limits.seconds + _SLACK_SECONDS:g} s")
    except OSError as error:
        raise UnavailableError(f"the sandbox cannot be started: {error.strerror}") from None
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise RlftError(f"the sandbox failed: {lines[-1]}", where=str(_CELL)) from None
    if said["end"] == "no cell":
        raise no_sandbox(said["detail"])
    return Outcome(**said)


def run_programs(
    programs: Sequence[str],
    limits: Limits = _USUAL,
    *,
    parallel: int = 0,
    done: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """The same for many, some at a time (0: one a processor); ``done`` is called after each."""

    def run(program: str) -> Outcome:
        outcome = run_program(program, limits)
        done()
        return outcome

    with ThreadPoolExecutor(parallel or os.cpu_count() or 1) as pool:
        return list(pool.map(run, programs))


def require_sandbox() -> None:
    """UnavailableError with the reason where no program can be run."""
    if sys.platform != "linux":
        raise no_sandbox(f"{sys.platform} has none")
    outcome = run_program("pass")
    if not outcome.passed:
        raise no_sandbox(outcome.detail or outcome.end)


def no_sandbox(reason: str) -> UnavailableError:
    return UnavailableError(
        f"programs of a model cannot be run safely here: {reason}",
        remedy="Allow user namespaces on this machine, or leave out the tasks of kind code",
    )
