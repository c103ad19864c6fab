"""The demo's own workspaces: one to look around in, a fresh one for each headless round."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from rlft_tui.client.connection import connect
from rlft_tui.config import create_workspace
from rlft_tui.demo.demo_data import demo_file
from rlft_tui.demo.loop import BASE, Report, run_loop
from rlft_tui.models.pull import pull_model
from rlft_tui.paths import SETTINGS_NAME, Workspace

DEFAULT_FOLDER = Path(".demo")


def open_demo(folder: Path, report: Report) -> Workspace:
    """A workspace with the shipped prompts, pairs and model in it; kept from one time to the next."""
    root = folder / "workspace"
    workspace = Workspace(root.resolve()) if (root / SETTINGS_NAME).exists() else create_workspace(root)
    model = pull_model(BASE, report)
    with connect(workspace) as client:
        client.add_model(model)
        for name, put in (("prompts.jsonl", client.import_prompts), ("pairs.jsonl", client.import_pairs)):
            file = demo_file(name)
            extra = {"labeler": "demo"} if name == "pairs.jsonl" else {}
            imported = put(file.name, file.read_bytes(), **extra).imported  # type: ignore[operator]
            report(f"{imported} new rows of {name}")
    return workspace


def fresh_workspace(folder: Path) -> Workspace:
    """``headless-1``, or the first number that is free."""
    root = next(folder / f"headless-{n}" for n in count(1) if not (folder / f"headless-{n}").exists())
    return create_workspace(root)


__all__ = ["DEFAULT_FOLDER", "fresh_workspace", "open_demo", "run_loop"]
