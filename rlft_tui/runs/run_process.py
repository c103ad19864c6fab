"""Processes that outlive us, told from strangers by pid and start time together."""

from __future__ import annotations

import contextlib
import os
import signal

import psutil

_CLOCK_TOLERANCE = 2.0
"""Seconds; psutil's start time moves a little when the system clock is set."""


def start_time(pid: int) -> float | None:
    """Unix seconds at which the process started; None when there is no living one."""
    if pid <= 0:
        return None
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return float(process.create_time())
    except psutil.Error:
        return None


def is_alive(pid: int, started: float) -> bool:
    """Whether this very process still runs, and not a later one with the same pid."""
    now = start_time(pid)
    return now is not None and abs(now - started) <= _CLOCK_TOLERANCE


def send_signal(pid: int, started: float, number: signal.Signals) -> bool:
    """Signal this very process; False when it is gone. Never reaches a stranger."""
    # A descriptor names the process for good: checked after it was opened, it cannot be reused.
    try:
        descriptor = os.pidfd_open(pid)
    except (OSError, ValueError):
        return False
    try:
        if not is_alive(pid, started):
            return False
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, number)
            return True
        return False
    finally:
        os.close(descriptor)
