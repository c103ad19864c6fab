"""Key to both answers painted: the text pane beside Textual's own Markdown widget.

    python -m benchmarks.pair_switch [--keys 30] [--words 300 2000 6000]

Two panes at 160x45 on a pseudo-terminal. One key shows the next pair; timed from the write of the
key to the last byte of the frame, and in processor time of the event loop, which a busy machine
changes less. ``prefetched``: the next pair was given to ``prefetch`` before;
``not prefetched``: the pane sees it for the first time; ``20 keys/s``: one key every 50 ms, not
prefetched. One row a technique and length.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import ClassVar

from benchmarks._widget_pty import FRAME_END, PtyApp, spread
from benchmarks._workbench_pty import sample_pairs

PAIRS = 60
COLUMNS, ROWS = 160, 45


_MARKS = {"a": 0x0410, "b": 0x0100}
"""The first letter of each side's marks: Cyrillic, and Latin with accents; all take one cell."""


def mark(side: str, number: int) -> str:
    """What the answer of a pair begins with: no cell is that of another pair, so that all are sent."""
    return chr(_MARKS[side] + number % PAIRS) * 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--keys", type=int, default=30)
    parser.add_argument("--words", type=int, nargs="*", default=[300, 2000, 6000])
    parser.add_argument("--app", choices=TECHNIQUES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.app:
        run_app(options.app, options.words[0])
        return
    print("| technique | words | p50 ms | p95 ms | worst ms | CPU p50 ms | CPU p95 ms | bytes | frames |")
    print("|---|---|---|---|---|---|---|---|---|")
    for words in options.words:
        for technique in TECHNIQUES:
            keys = options.keys if technique != "Markdown" else min(6, options.keys)
            print(row(technique, words, measure(technique, words, keys)), flush=True)
        print(row("20 keys/s", words, hurry(words, options.keys)), flush=True)


def row(name: str, words: int, found: dict[str, float]) -> str:
    return (
        f"| {name} | {words} | {found['p50_ms']} | {found['p95_ms']} | {found['worst_ms']} "
        f"| {found.get('cpu_p50', '')} | {found.get('cpu_p95', '')} "
        f"| {found['bytes']:,.0f} | {found['frames']:g} |"
    )


def measure(technique: str, words: int, keys: int) -> dict[str, float]:
    times, used, sizes, frames = [], [], [], []
    with started(technique, words) as app:
        for number in range(1, keys + 1):
            before = app.cpu_seconds()
            pressed = app.press(" ")
            frame = app.until(mark("a", number), mark("b", number))
            times.append((frame.at - pressed) * 1000)
            used.append((frame.cpu - before) * 1000)
            sizes.append(len(frame.data))
            frames.append(frame.data.count(FRAME_END))
            app.quiet(0.35)
    cpu = spread(used)
    return {
        **spread(times),
        "cpu_p50": cpu["p50_ms"],
        "cpu_p95": cpu["p95_ms"],
        "bytes": statistics.median(sizes),
        "frames": statistics.median(frames),
    }


def hurry(words: int, keys: int) -> dict[str, float]:
    """How long after its key each pair was painted when keys come every 50 ms."""
    with started("not prefetched", words) as app:
        pressed: list[float] = []
        data, seen, times = b"", 0, []
        next_key = time.monotonic()
        deadline = next_key + 60
        while seen < keys and time.monotonic() < deadline:
            if len(pressed) < keys and time.monotonic() >= next_key:
                pressed.append(app.press(" "))
                next_key += 0.05
            piece = app.take(0.002)
            if piece is None:
                continue
            data += piece[0]
            while seen < len(pressed) and any(
                mark("b", later).encode() in data for later in range(seen + 1, len(pressed) + 1)
            ):
                times.append((piece[1] - pressed[seen]) * 1000)
                seen += 1
    return {**spread(times), "bytes": len(data) / keys, "frames": data.count(FRAME_END) / keys}


def started(technique: str, words: int) -> PtyApp:
    app = PtyApp("benchmarks.pair_switch", ["--app", technique, "--words", str(words)], COLUMNS, ROWS)
    app.until(mark("a", 0), mark("b", 0))
    app.quiet(1.0)
    return app


TECHNIQUES = ("prefetched", "not prefetched", "Markdown")


def run_app(technique: str, words: int) -> None:
    """The app under test."""
    from textual.app import App, ComposeResult
    from textual.binding import BindingType
    from textual.containers import Horizontal, VerticalScroll
    from textual.widgets import Markdown, Static

    from rlft_tui.garbage import collect_rarely, freeze_what_stays
    from rlft_tui.tui.widgets.text_pane import TextPane

    answers = [
        {"a": f"{mark('a', n)} {pair.response_a}", "b": f"{mark('b', n)} {pair.response_b}"}
        for n, pair in enumerate(sample_pairs(PAIRS, words=words))
    ]

    class Panes(App[None]):
        BINDINGS: ClassVar[list[BindingType]] = [("space", "next", "Next")]
        number = 0

        def compose(self) -> ComposeResult:
            yield Static("pair switch")
            with Horizontal():
                for side in ("a", "b"):
                    if technique == "Markdown":
                        with VerticalScroll():
                            yield Markdown("", id=side)
                    else:
                        yield TextPane(id=side)

        async def on_mount(self) -> None:
            self.animation_level = "none"
            await self.show()
            collect_rarely()
            self.call_after_refresh(freeze_what_stays)

        async def action_next(self) -> None:
            self.number += 1
            await self.show()

        async def show(self) -> None:
            following = answers[(self.number + 1) % PAIRS]
            for side, text in answers[self.number % PAIRS].items():
                if technique == "Markdown":
                    await self.query_one(f"#{side}", Markdown).update(text)
                    continue
                pane = self.query_one(f"#{side}", TextPane)
                pane.show(text)
                if technique == "prefetched":
                    pane.prefetch(following[side])

    Panes().run()


if __name__ == "__main__":
    sys.exit(main())
