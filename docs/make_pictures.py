"""Take the README's pictures from the real workbench on a workspace that has been round the loop.

rlft demo --headless                                   # makes such a workspace
python docs/make_pictures.py [WORKSPACE [NAME ...]]    # default: the demo's newest one, all pictures
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from textual.pilot import Pilot

from rlft_tui.client.connection import connect
from rlft_tui.config import read_settings
from rlft_tui.demo.workspace import DEFAULT_FOLDER
from rlft_tui.models.model import Model
from rlft_tui.paths import Workspace
from rlft_tui.tui.app import RlftApp
from rlft_tui.tui.screenshot import save_png, svg_of

FOLDER = Path(__file__).parent / "pictures"
WIDE, SMALL, LARGE = (132, 40), (80, 24), (200, 60)
QUESTION = "Why does bread rise?"
DEADLINE = 180.0


async def until(pilot: Pilot[int], condition: Callable[[str], bool]) -> None:
    """Let the app work until its text satisfies the condition."""
    deadline = time.monotonic() + DEADLINE
    while not condition(_text(pilot)):
        if time.monotonic() > deadline:
            raise SystemExit(f"the screen never came:\n{_text(pilot)}")
        await pilot.pause(0.05)
    await pilot.pause(0.5)


def _text(pilot: Pilot[int]) -> str:
    strips = pilot.app.screen._compositor.render_strips(pilot.app.size)
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


async def picture(
    workspace: Workspace,
    name: str,
    screen: str,
    size: tuple[int, int],
    ready: Callable[[str], bool],
    *,
    keys: tuple[str, ...] = (),
    then: str = "",
    **arguments: object,
) -> None:
    """Open one screen, wait until it is ready and save what it shows.

    ``keys`` are pressed first, until ``then`` is shown. Not one that was not asked for.
    """
    if len(sys.argv) > 2 and name not in sys.argv[2:]:
        return
    settings = replace(read_settings(workspace.settings), labeler="ada")
    app = RlftApp(workspace, settings, screen="home")
    async with app.run_test(size=size, notifications=True) as pilot:
        app.show_screen(screen, **arguments)
        if screen == "compare":
            await until(pilot, lambda text: "has the prompt answered" in text)
            await pilot.press("ctrl+r")
        await until(pilot, ready)
        if keys:
            await pilot.press(*keys)
            await until(pilot, lambda text: then in text)
        save_png(svg_of(app, title="rlft"), FOLDER / f"{name}.png")
        await app.link.close()


async def watching(workspace: Workspace, suffix: str, size: tuple[int, int], run_id: str) -> None:
    """The monitor's views of one run."""

    def drawn(text: str) -> bool:
        return "loss" in text

    views: tuple[tuple[str, tuple[str, ...], str], ...] = (
        ("monitor", (), ""),
        ("curve", ("e", "z", "tab", "left", "shift+left"), "one chart"),
        ("samples", ("s", "d"), "diff with step"),
        ("output", ("o",), "KB"),
    )
    for name, keys, then in views:
        await picture(
            workspace, f"{name}{suffix}", "monitor", size, drawn, keys=keys, then=then, run_id=run_id
        )


async def take(workspace: Workspace) -> None:
    """All pictures, in the order of the loop."""
    with connect(workspace) as client:
        run = next(run for run in client.runs() if run.method == "dpo" and run.status == "finished")
        tuned: Model = next(model for model in client.models() if model.run_id == run.id)
    for suffix, size in (("", WIDE), ("-80x24", SMALL), ("-200x60", LARGE)):
        await watching(workspace, suffix, size, run.id)
    for suffix, size in (("", WIDE), ("-80x24", SMALL)):
        await picture(workspace, f"home{suffix}", "home", size, lambda text: "pairs" in text)
        await picture(workspace, f"label{suffix}", "label", size, lambda text: "left" in text)
        await picture(workspace, f"data{suffix}", "data", size, lambda text: "prompt" in text.lower())
        await picture(workspace, f"runs{suffix}", "runs", size, lambda text: run.id in text)
        await picture(workspace, f"launch{suffix}", "launch", size, lambda text: "Ready" in text)
        await picture(workspace, f"models{suffix}", "models", size, lambda text: tuned.name in text)
        await picture(
            workspace,
            f"compare{suffix}",
            "compare",
            size,
            lambda text: "better" in text,
            models=(tuned.base, tuned.name),
            prompt=QUESTION,
        )


def main() -> int:
    if len(sys.argv) > 1:
        root = Path(sys.argv[1])
    else:
        rounds = sorted(DEFAULT_FOLDER.glob("headless-*"), key=lambda folder: folder.stat().st_mtime)
        if not rounds:
            raise SystemExit("no demo workspace here: run rlft demo --headless first")
        root = rounds[-1]
    FOLDER.mkdir(exist_ok=True)
    asyncio.run(take(Workspace(root.resolve())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
