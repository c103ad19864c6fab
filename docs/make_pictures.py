"""Take the pictures of the README and of docs/screens.md from the real workbench, and write that page.

rlft demo --headless                                   # makes a workspace that has been round the loop
python docs/make_pictures.py [WORKSPACE [NAME ...]]    # default: the demo's newest one, all pictures

Evaluations and Studies show what the workspace has of them: ``rlft eval run`` and ``rlft tune`` come first.
"""

from __future__ import annotations

import asyncio
import io
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from PIL import Image
from textual.pilot import Pilot

from rlft_tui.client.connection import connect
from rlft_tui.config import Settings, read_settings
from rlft_tui.demo.workspace import DEFAULT_FOLDER
from rlft_tui.paths import Workspace
from rlft_tui.tui.app import RlftApp
from rlft_tui.tui.screenshot import png_of, svg_of

DOCS = Path(__file__).parent
FOLDER = DOCS / "pictures"
SIZES = ((80, 24), (120, 40), (200, 60))
PIXELS = {80: 1000, 120: 1320, 200: 2000}
"""Width of a picture by its columns."""
COLOURS = 64
"""Of a picture: a screen has few, and their edges; half the bytes of all of them."""
QUESTION = "Why does bread rise?"
DEADLINE = 180.0


@dataclass(frozen=True)
class Picture:
    """One screen in one state."""

    name: str
    says: str
    """What it shows, under the picture."""
    screen: str
    ready: str
    """Text that is there once the screen has been drawn."""
    keys: tuple[str, ...] = ()
    """Pressed then, until ``then`` is there."""
    then: str = ""
    arguments: Mapping[str, object] = field(default_factory=dict)


def pictures(run: str, base: str, tuned: str) -> tuple[Picture, ...]:
    """All of them, in the order of the loop; of a finished run and its model."""
    watched = {"run_id": run}
    return (
        Picture("home", "Where everything stands, and what comes next", "home", "pairs"),
        Picture("label", "Two answers, no names, one key", "label", "left"),
        Picture(
            "statistics", "Labels: pace, agreement, bias", "statistics", "Agreement", ("a",), "everybody"
        ),
        Picture("data", "Prompts, pairs, labels and data sets", "data", "rompt"),
        Picture("launch", "A run: method, preset, settings, checked as they are typed", "launch", "Ready"),
        Picture("runs", "All runs, and the line for the device", "runs", run),
        Picture("monitor", "Curves of a run", "monitor", "loss", arguments=watched),
        Picture(
            *("curve", "One curve, smoothed, with the value cursor", "monitor", "loss"),
            *(("e", "z", "tab", "left", "shift+left"), "one chart", watched),
        ),
        Picture(
            *("samples", "What the model wrote at a step, beside the step before", "monitor", "loss"),
            *(("s", "d"), "diff with step", watched),
        ),
        Picture("output", "What the job printed", "monitor", "loss", ("o",), "finished after", watched),
        Picture(
            "alerts", "What deserves a look, and the limits", "monitor", "loss", ("a",), "limit", watched
        ),
        Picture("devices", "Processor, memory, disk and GPU", "monitor", "loss", ("d",), "memory", watched),
        Picture(
            *("compare", "Base and tuned model side by side, streaming", "compare", "better"),
            arguments={"models": (base, tuned), "prompt": QUESTION},
        ),
        Picture("models", "Models and where they come from", "models", tuned),
        Picture("rounds", "Rounds: data, run, win rate, verdict", "rounds", "win"),
        Picture("evaluations", "Models by measures, against a baseline", "evaluations", "baseline"),
        Picture(
            "studies", "A search for settings and its trials", "studies", "trials", ("enter",), "complete"
        ),
        Picture("help", "The keys of a screen", "home", "pairs", ("question_mark",), "Keys"),
    )


async def until(pilot: Pilot[int], text: str) -> None:
    """Let the app work until its screen has the text."""
    deadline = time.monotonic() + DEADLINE
    while text not in _text(pilot):
        if time.monotonic() > deadline:
            raise SystemExit(f"{text!r} never came:\n{_text(pilot)}")
        await pilot.pause(0.05)
    await pilot.pause(0.5)


def _text(pilot: Pilot[int]) -> str:
    strips = pilot.app.screen._compositor.render_strips(pilot.app.size)
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


async def take(workspace: Workspace, settings: Settings, wanted: Picture, size: tuple[int, int]) -> None:
    """Open the screen, wait until it is ready, and save what it shows."""
    app = RlftApp(workspace, settings, screen="home")
    async with app.run_test(size=size, notifications=True) as pilot:
        app.show_screen(wanted.screen, **wanted.arguments)
        if wanted.screen == "compare":
            await until(pilot, "has the prompt answered")
            await pilot.press("ctrl+r")
        await until(pilot, wanted.ready)
        if wanted.keys:
            await pilot.press(*wanted.keys)
            await until(pilot, wanted.then)
        png = png_of(svg_of(app, title="rlft"), width=PIXELS[size[0]])
        with Image.open(io.BytesIO(png)) as image:
            image.convert("RGB").quantize(COLOURS).save(FOLDER / file_name(wanted, size), optimize=True)
        await app.link.close()


def file_name(wanted: Picture, size: tuple[int, int]) -> str:
    columns, rows = size
    return f"{wanted.name}-{columns}x{rows}.png"


def page(all_pictures: tuple[Picture, ...]) -> str:
    """docs/screens.md."""
    lines = [
        "# The screens",
        "",
        "Written by `python docs/make_pictures.py`, like the pictures themselves.",
        "",
    ]
    for each in all_pictures:
        small, middle, large = (f"pictures/{file_name(each, size)}" for size in SIZES)
        lines += [
            f"## {each.name.capitalize()}",
            "",
            f"{each.says}. In [80×24]({small}) and [200×60]({large}) cells, here in 120×40:",
            "",
            f"![{each.says}]({middle})",
            "",
        ]
    return "\n".join(lines)


def main() -> int:
    if len(sys.argv) > 1:
        root = Path(sys.argv[1])
    else:
        rounds = sorted(DEFAULT_FOLDER.glob("headless-*"), key=lambda folder: folder.stat().st_mtime)
        if not rounds:
            raise SystemExit("no demo workspace here: run rlft demo --headless first")
        root = rounds[-1]
    FOLDER.mkdir(exist_ok=True)
    workspace = Workspace(root.resolve())
    settings = msgspec.structs.replace(read_settings(workspace.settings), labeler="ada")
    with connect(workspace) as client:
        *_, run = (one for one in client.runs() if one.method == "dpo" and one.status == "finished")
        tuned = next(model for model in client.models() if model.run_id == run.id)
    all_pictures = pictures(run.id, tuned.base, tuned.name)
    for wanted in all_pictures:
        for size in SIZES:
            if wanted.name in (sys.argv[2:] or [wanted.name]):
                asyncio.run(take(workspace, settings, wanted, size))
    (DOCS / "screens.md").write_text(page(all_pictures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
