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
    with connect(workspace, say=report) as client:
        client.add_model(model)
        prompts, pairs = demo_file("prompts.jsonl"), demo_file("pairs.jsonl")
        new_prompts = client.import_prompts(prompts.name, prompts.read_bytes()).imported
        new_pairs = client.import_pairs(pairs.name, pairs.read_bytes(), labeler="demo").imported
        report(f"{new_prompts} new prompts, {new_pairs} new pairs")
    return workspace


def fresh_workspace(folder: Path) -> Workspace:
    """``headless-1``, or the first number that is free."""
    root = next(folder / f"headless-{n}" for n in count(1) if not (folder / f"headless-{n}").exists())
    return create_workspace(root)


__all__ = ["DEFAULT_FOLDER", "fresh_workspace", "open_demo", "run_loop"]
