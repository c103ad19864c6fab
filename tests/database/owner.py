"""A process that owns a workspace's database, for tests that kill it or race with it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from rlft_tui.database.connection import open_database
from rlft_tui.errors import ConflictError
from rlft_tui.paths import Workspace


def main(root: str, first: int, count: int, then: str) -> None:
    """Store labellers, print each once it is committed, then ``die`` without closing, or ``wait``."""
    database = open_database(Workspace(Path(root)))
    say("open")
    for number in range(first, first + count):
        with database.write() as connection:
            connection.execute("insert into labelers values ($1, $2, 0)", [f"k{number:06}", "e" * 40])
        say(f"k{number:06}")
    if then == "wait":
        sys.stdin.read()
        database.close()
    else:
        os._exit(0)


def race(root: str, first: int, count: int) -> None:
    """Open, commit one row, close, ``count`` times, against others that do the same."""
    for number in range(first, first + count):
        while True:
            try:
                database = open_database(Workspace(Path(root)))
            except ConflictError:
                time.sleep(0.001)
            else:
                break
        with database, database.write() as connection:
            connection.execute("insert into labelers values ($1, '', 0)", [f"k{number:06}"])
        say(f"k{number:06}")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    root, first, count, then = sys.argv[1:]
    if then == "race":
        race(root, int(first), int(count))
    else:
        main(root, int(first), int(count), then)
