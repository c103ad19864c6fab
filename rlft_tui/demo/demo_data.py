"""The prompts and pairs that ship with the program."""

from __future__ import annotations

from pathlib import Path

import rlft_tui
from rlft_tui.errors import NotFoundError


def demo_file(name: str) -> Path:
    """A file of ``data/``: inside an installed package, or beside it in a checkout."""
    package = Path(next(iter(rlft_tui.__path__)))
    for folder in (package / "data", package.parent / "data"):
        if (folder / name).is_file():
            return folder / name
    raise NotFoundError(
        f"the demo data {name} is missing", where=str(package), remedy="Install rlft_tui again"
    )
