"""Bytes and processor time of a live chart refresh, and of a stream.

    python -m benchmarks.charts [--refreshes 40]

Four charts of two series each on a pseudo-terminal that answers position requests; every refresh
appends one point to each series. Beside them plotext drawn the usual way: the same plotext 6
pictures put into Static widgets. Then two text panes that stream 50 pieces a second each; every fifth
piece is a number, and the time from its append to the end of the frame that shows it is its age.
"""

from __future__ import annotations

import argparse
import math
import random
import re
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

import pyte

from benchmarks._widget_pty import PtyApp
from rlft_tui.runs.run_status import Series

SIZES = ((80, 24), (120, 40), (200, 50))
START, TOTAL = 400, 1000
MARKED = 5
"""Every so many pieces one is a number."""
NUMBER = re.compile(r"\bn(\d+)\b")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--refreshes", type=int, default=40)
    parser.add_argument("--app", choices=("spans", "static", "stream"), help=argparse.SUPPRESS)
    parser.add_argument("--times", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.app == "stream":
        run_stream(options.times)
        return
    if options.app:
        run_charts(options.app)
        return
    print("| charts | size | bytes a refresh p50 | p95 | CPU ms a refresh |")
    print("|---|---|---|---|---|")
    for columns, rows in SIZES:
        for technique, name in (("spans", "four charts, changed cells"), ("static", "plotext in Static")):
            print(f"| {name} | {columns}x{rows} | {refreshes(technique, columns, rows, options.refreshes)} |")
    print()
    print(stream())


def refreshes(technique: str, columns: int, rows: int, count: int) -> str:
    with PtyApp("benchmarks.charts", ["--app", technique], columns, rows) as app:
        app.until("ready")
        app.quiet(1.0)
        sizes = []
        before = app.cpu_seconds()
        for _ in range(count):
            app.press(" ")
            data = app.quiet(0.25)
            sizes.append(len(data))
        used = (app.cpu_seconds() - before) / count * 1000
    ordered = sorted(sizes)
    return f"{statistics.median(ordered):,.0f} | {ordered[int(count * 0.95)]:,} | {used:.1f}"


def stream() -> str:
    seconds = 6
    with tempfile.TemporaryDirectory() as folder:
        times = Path(folder) / "times"
        with PtyApp("benchmarks.charts", ["--app", "stream", "--times", str(times)], 160, 45) as app:
            app.until("ready")
            app.quiet(0.5)
            app.press(" ")
            # Markdown is loaded with the first piece, once: that is no rate.
            begun = _read(app, 1.0)
            before = app.cpu_seconds()
            pieces = _read(app, seconds)
            used = app.cpu_seconds() - before
        appended = {int(n): float(at) for n, at in map(str.split, times.read_text().splitlines())}
    size = sum(len(data) for data, _ in pieces)
    seen = ages(begun + pieces, appended)
    return (
        f"Two streams of 50 pieces/s at 160x45: {size / seconds / 1000:.0f} KB/s, "
        f"{used / seconds:.1%} of a core; from a piece to the end of its frame "
        f"p50 {seen[len(seen) // 2] * 1000:.0f} ms, p95 {seen[int(len(seen) * 0.95)] * 1000:.0f} ms, "
        f"worst of {len(seen)} {seen[-1] * 1000:.0f} ms."
    )


def _read(app: PtyApp, seconds: float) -> list[tuple[bytes, float]]:
    start, pieces = time.monotonic(), []
    while time.monotonic() - start < seconds:
        if (piece := app.take(0.1)) is not None:
            pieces.append(piece)
    return pieces


def ages(pieces: list[tuple[bytes, float]], appended: dict[int, float]) -> list[float]:
    """Seconds from each number's append to the moment when it stood on screen, rising."""
    screen = pyte.Screen(160, 45)
    terminal = pyte.ByteStream(screen)
    found, newest = [], 0
    for data, at in pieces:
        terminal.feed(data)
        shown = max((int(number) for number in NUMBER.findall("\n".join(screen.display))), default=0)
        found += [at - appended[number] for number in range(newest + 1, shown + 1) if number in appended]
        newest = max(newest, shown)
    return sorted(found)


def noisy(count: int, height: float, seed: int) -> Series:
    chance = random.Random(seed)
    mean: list[float | None] = [
        height * math.exp(-index / 300) + chance.gauss(0, 0.02) * height for index in range(count)
    ]
    low = [None if value is None else value - 0.03 * height for value in mean]
    high = [None if value is None else value + 0.03 * height for value in mean]
    return Series("loss", "nats", 1, list(range(count)), mean, low, high, [0] * count, count)


def run_charts(technique: str) -> None:
    """The app under test."""
    from rich.text import Text
    from textual.app import App, ComposeResult
    from textual.containers import Grid
    from textual.widgets import Static

    from rlft_tui.tui.widgets.chart import Chart
    from rlft_tui.tui.widgets.chart_axis import step_axis, value_axis
    from rlft_tui.tui.widgets.chart_plot import plot
    from rlft_tui.tui.widgets.chart_points import trace, value_range
    from rlft_tui.tui.widgets.terminal_pace import pace_of

    class Charts(App[None]):
        CSS = "Grid { grid-size: 2 2; height: 1fr; }"
        BINDINGS: ClassVar[list[Any]] = [("space", "more", "More")]
        count = START

        def compose(self) -> ComposeResult:
            yield Static("ready")
            with Grid():
                for number in range(4):
                    yield Chart(id=f"c{number}") if technique == "spans" else Static(id=f"c{number}")

        def on_mount(self) -> None:
            self.animation_level = "none"
            self.call_after_refresh(self.action_more)

        def on_cursor_position(self) -> None:
            pace_of(self).answered()

        def action_more(self) -> None:
            self.count += 1
            for number in range(4):
                lines = [noisy(self.count, 1.0, number), noisy(self.count, 0.6, number + 9)]
                widget = self.query_one(f"#c{number}")
                if isinstance(widget, Chart):
                    widget.show(lines, steps=TOTAL, names=["base", "tuned"], live=True)
                elif isinstance(widget, Static):
                    width, height = widget.size
                    x = step_axis(self.count, TOTAL)
                    span = value_range(lines, x) or (0.0, 1.0)
                    traces = [trace(one, x, width - 9) for one in lines]
                    rows = plot(traces, x, value_axis(*span, None), width, height)
                    text = Text()
                    for row in rows:
                        for glyph in row:
                            text.append(
                                glyph.character, f"color({glyph.line + 2})" if glyph.line >= 0 else ""
                            )
                        text.append("\n")
                    widget.update(text)

    Charts().run()


def run_stream(times: Path) -> None:
    """The app under test."""
    from textual.app import App, ComposeResult
    from textual.containers import Horizontal
    from textual.widgets import Static

    from rlft_tui.tui.widgets.text_pane import TextPane

    words = ["the", "**model**", "answers", "`slowly`", "and", "with", "several", "words", "because\n\n"]

    class Streams(App[None]):
        BINDINGS: ClassVar[list[Any]] = [("space", "begin", "Begin")]
        number = 0

        def compose(self) -> ComposeResult:
            yield Static("ready")
            with Horizontal():
                yield TextPane()
                yield TextPane()

        def on_mount(self) -> None:
            self.animation_level = "none"

        def action_begin(self) -> None:
            self.panes = list(self.query(TextPane))
            for pane in self.panes:
                pane.stream_start()
                pane.append("word " * 2000)
            self.set_interval(0.02, self.more)

        def more(self) -> None:
            self.number += 1
            piece = words[self.number % len(words)]
            if self.number % MARKED == 0:
                piece = f"n{self.number}"
                print(self.number, time.monotonic(), file=log, flush=True)
            for pane in self.panes:
                pane.append(piece + " ")

    with times.open("w") as log:
        Streams().run()


if __name__ == "__main__":
    main()
