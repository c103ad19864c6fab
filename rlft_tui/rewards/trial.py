"""Tries a reward function before anything is trained with it: on given texts, and on nasty ones.

The function runs in a process of its own with a time limit; this module starts it and judges.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import msgspec

from rlft_tui.errors import RlftError, UnavailableError
from rlft_tui.rewards.python_file import columns_asked
from rlft_tui.rewards.reward_function import Reward
from rlft_tui.rewards.stress_texts import STRESS, TrialCase

LOAD = "load"
"""Name of the first result: reading and running the file."""
TOO_SLOW = "did not end in the time it has"
"""The error of a call that was ended; no further case is tried."""
LOAD_SECONDS = 120.0
"""A file may import a deep learning library."""
CALL_SECONDS = 10.0
"""What one call may take, whatever the texts."""
SLOW_SECONDS = 0.05
"""Seconds a text beyond which the reward will be felt in training."""

_MOST_ERRORS = 1 << 20
"""Bytes read of what the function printed last."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the process is asked to do."""

    cases: tuple[TrialCase, ...]
    file: str = ""
    """Python file; empty for a built-in."""
    name: str = ""
    """Function in the file, or the built-in's name."""
    options: dict[str, Any] = field(default_factory=dict)
    folder: str = ""
    """Where a built-in looks for its files."""
    columns: tuple[str, ...] = ()
    """Columns that every row has."""
    seconds: float = CALL_SECONDS
    load_seconds: float = LOAD_SECONDS


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one case."""

    case: str
    seconds: float
    """Of one call with all its texts."""
    rewards: tuple[Reward, ...] = ()
    nonfinite: tuple[int, ...] = ()
    """Texts that got NaN or an infinity."""
    steady: bool = True
    """A second call gave the same."""
    by_itself: bool = True
    """The same texts in another order got the same rewards."""
    error: str = ""
    where: str = ""
    """File and line of the error."""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """All results, and what they mean."""

    results: tuple[Result, ...]
    warnings: tuple[str, ...]
    fault: Result | None
    """The first result with an error, or with a reward that is no finite number."""

    def raise_for_fault(self) -> None:
        """RlftError in the user's terms when the function is not fit for training."""
        if (fault := self.fault) is None:
            return
        at = "" if fault.case == LOAD else f" (on {fault.case})"
        if fault.error:
            raise RlftError(f"{fault.error}{at}", where=fault.where, remedy=fault.remedy)
        raise RlftError(
            f"NaN or an infinity as reward of text {fault.nonfinite[0] + 1}{at}",
            where=fault.where,
            remedy="Return None where a text cannot be judged",
        )


def try_file(
    file: Path, function: str, cases: Sequence[TrialCase], *, seconds: float = CALL_SECONDS
) -> Trial:
    """Try a function of a Python file on the cases and on every stress text."""
    columns = tuple(sorted(columns_asked(file, function)))
    request = Request((*cases, *STRESS), str(file.resolve()), function, columns=columns, seconds=seconds)
    return _judge(_run(request))


def try_built_in(
    name: str,
    options: Mapping[str, Any],
    folder: Path | None,
    cases: Sequence[TrialCase],
    *,
    seconds: float = CALL_SECONDS,
) -> Trial:
    """Try a built-in with these options."""
    request = Request(
        (*cases, *STRESS),
        name=name,
        options=dict(options),
        folder=str(folder or ""),
        columns=(str(options.get("column", "answer")),),
        seconds=seconds,
    )
    return _judge(_run(request))


def _run(request: Request) -> list[Result]:
    """The process's results; what it did not get to is missing, and the last one says why."""
    limit = request.load_seconds + 4 + (request.seconds + 4) * len(request.cases)
    with TemporaryFile() as given, TemporaryFile() as answers, TemporaryFile() as errors:
        given.write(msgspec.json.encode(request))
        given.seek(0)
        try:
            # Files, not pipes: a child that the function leaves running would keep a pipe open.
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "rlft_tui.rewards.trial_process"],
                stdin=given,
                stdout=answers,
                stderr=errors,
                start_new_session=True,
            )
        except OSError as error:
            raise UnavailableError(f"the trial's process did not start: {error}") from None
        overdue = threading.Timer(limit, _kill, (process,))
        overdue.start()
        try:
            # Left unreaped while its family is ended: its group's id cannot pass to a stranger.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        finally:
            overdue.cancel()
            overdue.join()
            _kill(process)
            process.wait()
        answers.seek(0)
        out = answers.read()
        errors.seek(max(0, errors.seek(0, os.SEEK_END) - _MOST_ERRORS))
        err = errors.read()
    results = [msgspec.json.decode(line, type=Result) for line in out.splitlines() if line.strip()]
    if (missing := len(request.cases) + 1 - len(results)) and not (results and results[-1].error):
        names = [LOAD, *(case.name for case in request.cases)]
        results.append(_lost(names[-missing], process.returncode, err.decode(errors="replace"), request))
    return results


def _lost(case: str, code: int, errors: str, request: Request) -> Result:
    """A case that ended the process: killed by its time limit, or by itself."""
    line = re.search(rf'File "{re.escape(request.file)}", line (\d+)', errors) if request.file else None
    where = f"{request.file}:{line[1]}" if line else request.file or f"reward {request.name}"
    if "Timeout (" in errors:
        return Result(case, request.seconds, error=TOO_SLOW, where=where)
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return Result(case, 0.0, error=f"ended its process ({how})", where=where)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The trial's process with all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _judge(results: list[Result]) -> Trial:
    fault = next((one for one in results if one.error or one.nonfinite), None)
    scored = [one for one in results if one.rewards]
    given = [reward for one in scored for reward in one.rewards]
    warnings = []
    if scored and all(reward is None for reward in given):
        warnings.append("it judged no text: every reward was None")
    elif len({reward for reward in given if reward is not None}) == 1:
        warnings.append("every text got the same reward, so there is nothing to learn from")
    if any(not one.steady for one in scored):
        warnings.append("the same texts got other rewards the second time")
    if any(not one.by_itself for one in scored):
        warnings.append("a text's reward depends on the texts beside it")
    slowest = max(scored, key=lambda one: one.seconds / len(one.rewards), default=None)
    if slowest is not None and (each := slowest.seconds / len(slowest.rewards)) > SLOW_SECONDS:
        warnings.append(f"slow: {each:.2g} s a text on {slowest.case}")
    return Trial(tuple(results), tuple(warnings), fault)
