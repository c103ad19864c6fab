"""A process that imports a file of pairs, for tests that kill it half-way."""

from __future__ import annotations

import sys
from pathlib import Path

from rlft_tui.database.connection import open_database
from rlft_tui.pairs.import_pairs import import_pairs
from rlft_tui.paths import Workspace


def main(root: str, path: str) -> None:
    """Import, say so, and keep the transaction open until told to go on."""
    with open_database(Workspace(Path(root))) as database, database.write() as connection:
        outcome = import_pairs(connection, path, Path(path), now=0.0)
        sys.stdout.write(f"{outcome.report.imported}\n")
        sys.stdout.flush()
        sys.stdin.readline()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
