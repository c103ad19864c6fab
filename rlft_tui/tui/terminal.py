"""Leaving the terminal as it was found, whatever ends the workbench."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

RESTORE = (
    b"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l"  # mouse off
    b"\x1b[?2004l\x1b[?2048l\x1b[?1004l\x1b[?7h"  # paste, in-band resize and focus reports off, wrap on
    b"\x1b[<u\x1b[?1049l\x1b[?25h\x1b[0m"  # keyboard protocol off, main screen, cursor, plain text
)
"""What undoes every mode that Textual's driver sets."""
GRACE_SECONDS = 2.0
"""How long an orderly exit may take after a signal; a terminal that is gone can block it for ever."""
ENDING_SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT)


def shows_colours(environment: Mapping[str, str]) -> bool:
    """Whether the terminal can show any; one whose TERM says dumb gets none."""
    return environment.get("TERM", "") not in ("dumb", "unknown")


def window_name() -> str:
    """This terminal's name, the same when the workbench is opened in it again; empty without a terminal."""
    try:
        return f"{socket.gethostname()} {os.ttyname(0)}"
    except OSError:
        return ""


@contextlib.contextmanager
def restored_by_signals(leave: Callable[[int], None]) -> Iterator[None]:
    """While inside, a signal that ends the process calls ``leave(128 + number)`` on the running loop.

    When that has not ended the process within GRACE_SECONDS, the terminal is restored from here
    and the process ends at once: the loop may be blocked on a terminal that no longer reads.
    """
    loop = asyncio.get_running_loop()
    before = _attributes()
    former: dict[int, Any] = {}

    def handle(number: int, _: FrameType | None) -> None:
        watchdog = threading.Timer(GRACE_SECONDS, _leave_now, (128 + number, before))
        watchdog.daemon = True
        watchdog.start()
        loop.call_soon_threadsafe(leave, 128 + number)

    for ending in ENDING_SIGNALS:
        former[ending] = signal.signal(ending, handle)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _attributes() -> list[Any] | None:
    try:
        return termios.tcgetattr(sys.__stdin__.fileno()) if sys.__stdin__ is not None else None
    except (termios.error, ValueError):
        return None


def _leave_now(code: int, before: list[Any] | None) -> None:
    with contextlib.suppress(OSError, ValueError, termios.error):
        if sys.__stderr__ is not None:
            descriptor = sys.__stderr__.fileno()
            os.set_blocking(descriptor, False)
            os.write(descriptor, RESTORE)
    with contextlib.suppress(OSError, ValueError, termios.error):
        if before is not None and sys.__stdin__ is not None:
            termios.tcsetattr(sys.__stdin__.fileno(), termios.TCSANOW, before)
    os._exit(code)
