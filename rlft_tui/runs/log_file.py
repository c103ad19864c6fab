"""Opening what a run writes: its event log and its output."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_log(path: Path) -> BinaryIO:
    """Raises OSError also for what is not an ordinary file: a pipe would have us wait, a device never end."""
    stream = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise OSError(errno.EINVAL, "not an ordinary file", str(path))
    return stream
