"""Scores texts with a reward function, in a process of its own: ``python -m rlft_tui.rewards.trial_process``.

The request, one JSON object, comes on standard input; one JSON object a line goes out on what
was standard output. What the function itself prints goes to standard error.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from rlft_tui.errors import RlftError
from rlft_tui.rewards.built_in import build
from rlft_tui.rewards.checked_rewards import Scores, check_rewards
from rlft_tui.rewards.python_file import choose_function, functions_in, last_line, load_function, told
from rlft_tui.rewards.reward_function import RewardFunction
from rlft_tui.rewards.stress_texts import REFERENCE, TrialCase, TrialText
from rlft_tui.rewards.trial import LOAD, TOO_SLOW, Request, Result


class _TooSlow(BaseException):
    """Not an Exception, so that the function's own handlers do not swallow it."""


def main() -> int:
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGALRM, _alarm)

    def tell(result: Result) -> None:
        out.write(json.dumps(msgspec.to_builtins(result)) + "\n")
        out.flush()

    # Where even a signal does not get through (a call into C that never returns), the dump names the line.
    faulthandler.dump_traceback_later(request.load_seconds + 2, exit=True)
    begun = time.perf_counter()
    try:
        signal.setitimer(signal.ITIMER_REAL, request.load_seconds)
        function = _function(request)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except RlftError as error:
        tell(
            Result(
                LOAD, time.perf_counter() - begun, error=error.what, where=error.where, remedy=error.remedy
            )
        )
        return 0
    except _TooSlow as error:
        tell(Result(LOAD, time.perf_counter() - begun, error=str(error), where=_where(request, error)))
        return 0
    tell(Result(LOAD, time.perf_counter() - begun))
    for case in request.cases:
        faulthandler.dump_traceback_later(request.seconds + 2, exit=True)
        result = _score(function, case, request)
        faulthandler.cancel_dump_traceback_later()
        tell(result)
        if result.error == TOO_SLOW:
            break  # it would hang on the next ones too
    return 0


def _function(request: Request) -> RewardFunction:
    if request.file:
        return load_function(Path(request.file), request.name)
    return build(request.name, request.options, Path(request.folder) if request.folder else None)


def _score(function: RewardFunction, case: TrialCase, request: Request) -> Result:
    """One call, checked; once more to see whether it is steady, and once the other way round."""
    begun = time.perf_counter()
    try:
        signal.setitimer(signal.ITIMER_REAL, request.seconds)
        first = _call(function, case.texts, request)
        took = time.perf_counter() - begun
        again = _call(function, case.texts, request) if took < request.seconds / 4 else first
        turned = _call(function, case.texts[::-1], request) if took < request.seconds / 4 else None
        signal.setitimer(signal.ITIMER_REAL, 0)
    except _TooSlow as error:
        return Result(case.name, time.perf_counter() - begun, error=str(error), where=_where(request, error))
    except RlftError as error:
        return Result(
            *(case.name, time.perf_counter() - begun),
            error=error.what,
            where=error.where or _home(request),
            remedy=error.remedy,
        )
    except Exception as error:
        return Result(case.name, time.perf_counter() - begun, error=told(error), where=_where(request, error))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return Result(
        case.name,
        took,
        rewards=first.rewards,
        nonfinite=first.nonfinite,
        where=_home(request) if first.nonfinite else "",
        steady=first == again,
        by_itself=turned is None or turned.rewards[::-1] == first.rewards,
    )


def _call(function: RewardFunction, texts: Sequence[TrialText], request: Request) -> Scores:
    """As a trainer calls it: conversations, token ids, the columns of the rows, and what TRL adds."""
    names = {name for text in texts for name in text.columns} | set(request.columns)
    columns: dict[str, Any] = {name: [text.columns.get(name, REFERENCE) for text in texts] for name in names}
    logged: list[Any] = []
    returned = function(
        prompts=[[{"role": "user", "content": text.prompt}] for text in texts],
        completions=[[{"role": "assistant", "content": text.completion}] for text in texts],
        # Bytes stand in for tokens: a reward may count them, it cannot decode them.
        completion_ids=[list(text.completion.encode("utf-8", "replace")) for text in texts],
        **columns,
        trainer_state=None,
        log_extra=lambda name, values: logged.append((name, values)),
        log_metric=lambda name, value: logged.append((name, value)),
    )
    return check_rewards(returned, len(texts))


def _home(request: Request) -> str:
    """The function's own place, for a fault that no line of it raised."""
    if not request.file:
        return f"reward {request.name}"
    file = Path(request.file)
    chosen = choose_function(file, request.name)
    lines = [found.line for found in functions_in(file) if found.name == chosen]
    return f"{file}:{lines[0]}" if lines else str(file)


def _where(request: Request, error: BaseException) -> str:
    """The line an exception passed through last, or the function's own place."""
    if request.file and (line := last_line(Path(request.file), error.__traceback__)):
        return f"{request.file}:{line}"
    return _home(request)


def _alarm(number: int, frame: FrameType | None) -> None:
    raise _TooSlow(TOO_SLOW)


if __name__ == "__main__":
    sys.exit(main())
