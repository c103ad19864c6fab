"""How long a user's function may take: one that hangs would hang its run, and nobody would be told."""

from __future__ import annotations

import faulthandler
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

LIMIT_SECONDS = 600.0
"""Of one call, where nothing else is set: a function that asks a model behind an address takes minutes."""
GRACE_SECONDS = 10.0
"""So much later the process is ended, if the exception did not get through."""


class TookTooLong(BaseException):
    """Not an Exception, so that the function's own handlers do not swallow it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TookTooLong in the code inside, at the line where it is, once it has taken so many seconds.

    Code that no exception reaches (a call into C that never returns, a bare ``except``, an alarm of its
    own) is ended with its process, GRACE_SECONDS later; the dump on standard error names the line. That
    is also all there is outside the main thread, for only there Python hears signals.
    """
    faulthandler.dump_traceback_later(seconds + GRACE_SECONDS, exit=True, file=2)
    try:
        if threading.current_thread() is threading.main_thread():
            with _alarm(seconds):
                yield
        else:
            yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """The process's alarm clock, lent; whoever had set it finds it as it would be by now."""
    began = time.monotonic()
    handler = signal.signal(signal.SIGALRM, _raise)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if handler is None else handler)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(1e-3, left - (time.monotonic() - began)), interval)


def _raise(number: int, frame: FrameType | None) -> NoReturn:
    raise TookTooLong
