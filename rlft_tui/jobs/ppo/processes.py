"""Starts the other processes of a run; they never outlive the first."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rlft_tui.errors import RlftError
from rlft_tui.jobs.ppo.ranks import ALONE, Ranks

LAST_WORDS_SECONDS = 20.0
"""For the others to end by themselves once the first is done."""
_FIRST = "RLFT_FIRST_PROCESS"
_SET_PDEATHSIG = 1


@contextmanager
def joined(processes: int, folder: Path) -> Iterator[Ranks]:
    """This process among ``processes``, which it starts unless a launcher has started them all.

    ``folder`` is the run's. Whatever is raised inside ends them.
    """
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    if launched > 1:
        if processes not in (1, launched):
            raise RlftError(f"processes is {processes}, but {launched} were launched")
        _end_with_first()
        yield Ranks(int(os.environ["RANK"]), launched)
        return
    if processes == 1:
        yield ALONE
        return
    others = _start_others(processes, folder)
    try:
        yield Ranks(0, processes)
        for other in others:
            with suppress(subprocess.TimeoutExpired):
                other.wait(LAST_WORDS_SECONDS)
    finally:
        for other in others:
            if other.poll() is None:
                other.kill()
            other.wait()


def _start_others(processes: int, folder: Path) -> list[subprocess.Popen[bytes]]:
    """The job once more for each, told its number as torchrun would tell it."""
    os.environ |= {
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "RANK": "0",
        "LOCAL_RANK": "0",
        _FIRST: str(os.getpid()),
    }
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    safe = ["-P"] if sys.flags.safe_path else []
    return [
        subprocess.Popen(
            [sys.executable, *safe, "-m", "rlft_tui.jobs.ppo", str(folder)],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(1, processes)
    ]


def _end_with_first() -> None:
    """Have the kernel end this process when the one that started it has ended, however it did."""
    first = os.environ.get(_FIRST)
    if first is None:
        return
    ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(first):
        raise RlftError("the first process of this run has ended")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
