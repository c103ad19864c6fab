"""Processes that outlive us, told from strangers by pid, start and boot together."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import psutil

_SAME = 0.02
"""Seconds; starts are counted in clock ticks of 0.01 s."""


def start_time(pid: int) -> float | None:
    """Seconds from the machine's boot to the start of this process; None when it does not live.

    Counted from the boot, so that setting the clock changes nothing. Where the system
    does not tell, it is unix seconds.
    """
    if pid <= 0:
        return None
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _portable_start_time(pid)
    if fields[0] in (b"Z", b"X"):
        return None
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def boot_id() -> str:
    """Names this boot of the machine; empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def is_alive(pid: int, started: float, boot: str = "") -> bool:
    """Whether this very process still runs, and not a later one with the same pid."""
    if boot and boot != boot_id():
        return False
    now = start_time(pid)
    return now is not None and abs(now - started) <= _SAME


def send_signal(pid: int, started: float, number: signal.Signals, boot: str = "") -> bool:
    """Signal this very process; False when it is gone. Never reaches a stranger."""
    # A descriptor names the process for good: checked after it was opened, it cannot be reused.
    try:
        descriptor = os.pidfd_open(pid)
    except (OSError, ValueError):
        return False
    try:
        if not is_alive(pid, started, boot):
            return False
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, number)
            return True
        return False
    finally:
        os.close(descriptor)


def _portable_start_time(pid: int) -> float | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None
