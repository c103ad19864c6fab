"""Waiting for a server that is being started: as long as it gets on, and saying what it is at."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from pathlib import Path

SAID_AFTER_SECONDS = 3.0
"""What takes longer is told of."""
STALLED_SECONDS = 30.0
"""A server that says nothing and uses no processor time for so long is given up."""
LONGEST_SECONDS = 900.0
"""Longer than the replay of any journal on a slow machine."""
_LOOK_SECONDS = 1.0


def await_start(descriptor: int, say: Callable[[str], None]) -> str:
    """Wait until the server is ready; what it said went wrong, or nothing.

    It holds the write end of the pipe (see server/start_report.py): the end of the file
    without a last line means that it died, of which its log may tell.
    """
    begun = moved = time.monotonic()
    pid, used = 0, 0.0
    doing, told = "loading its code", ""
    received = b""
    while True:
        readable = select.select([descriptor], [], [], _LOOK_SECONDS)[0]
        now = time.monotonic()
        if readable:
            block = os.read(descriptor, 4096)
            if not block:
                return ""
            *lines, received = (received + block).split(b"\n")
            for line in lines:
                text = line.decode(errors="replace").strip()
                kind, _, rest = text.partition(" ")
                if kind == "pid" and rest.isdecimal():
                    pid = int(rest)
                elif kind == "doing":
                    doing = rest
                else:
                    return "" if text == "ready" else text
            moved = now
        elif (time_used := _processor_seconds(pid)) != used:
            used, moved = time_used, now
        if now - begun > SAID_AFTER_SECONDS and told != doing:
            told = doing
            say(f"starting the workspace server: {doing} …")
        if now - moved > STALLED_SECONDS:
            return f"process {pid or '?'} has done nothing for {STALLED_SECONDS:.0f} s while {doing}"
        if now - begun > LONGEST_SECONDS:
            return f"process {pid or '?'} is still {doing} after {LONGEST_SECONDS / 60:.0f} minutes"


def _processor_seconds(pid: int) -> float:
    """Processor time a process has used; 0 where that cannot be read."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0
