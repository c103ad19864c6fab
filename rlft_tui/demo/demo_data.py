"""The prompts and pairs that ship with the program."""

from __future__ import annotations

from pathlib import Path

from rlft_tui.errors import NotFoundError
from rlft_tui.paths import PACKAGE


def demo_file(name: str) -> Path:
    """A file of ``data/``: inside an installed package, or beside it in a checkout."""
    for folder in (PACKAGE / "data", PACKAGE.parent / "data"):
        if (folder / name).is_file():
            return folder / name
    raise NotFoundError(
        f"the demo data {name} is missing", where=str(PACKAGE), remedy="Install rlft_tui again"
    )
