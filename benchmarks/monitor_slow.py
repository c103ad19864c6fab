"""The monitor where it is hard: four live charts over a slow link, and a run that logs 1,000 rows a second.

    python -m benchmarks.monitor_slow [--rate 10000] [--latency 0.2]

The slow link is that of slow_link: ``--rate`` bytes a second, ``--latency`` seconds each way, 64 KB of
buffers. A row is written every 0.3 s; keys move the cursor on the charts. Floor: twice the latency and
the bytes' own time. Flood: how old the newest row on screen is, by the step it shows.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import re
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks._workbench_pty import FRAME_END, Workbench, isolated_workspace
from benchmarks.monitor_live import made
from benchmarks.series import KEYS
from benchmarks.slow_link import SlowLink
from rlft_tui.paths import Workspace
from rlft_tui.runs.run_event import EventWriter
from rlft_tui.runs.run_folder import Attempt, RunFolder
from rlft_tui.runs.run_process import start_time
from rlft_tui.runs.run_status import Exit

SIZE = {"columns": 200, "rows": 50}
KEYS_PRESSED = 8
CURSOR = re.compile(r"at step (\d+)")
"""In the heading of a chart that has a cursor."""
FLOOD = 1000
"""Rows a second."""
FLOOD_SECONDS = 15.0
SHOWN = re.compile(r"([\d,]+)/1,000,000")


@contextmanager
def living_run(workspace: Workspace, rows: int) -> Iterator[tuple[RunFolder, EventWriter]]:
    """A run that this process pretends to be, with so many rows so far."""
    folder = made(workspace, "dpo-0101-0000-live")
    log = EventWriter(folder.events)
    log.write("start", method="dpo", attempt=1, versions={}, host="", device="cpu", steps=10**6, pid=0)
    mine = start_time(os.getpid()) or 0.0
    folder.write_attempt(Attempt(1, os.getpid(), mine, os.getpid(), mine))
    for step in range(1, rows):
        write_row(log, step)
    yield folder, log
    folder.write_exit(Exit(0, None, "finished", time.time()))


def write_row(log: EventWriter, step: int) -> None:
    falling = math.exp(-step / 300)
    log.metrics(step, {key: falling + random.gauss(0, 0.02) for key in KEYS}, steps=10**6)


def slow_link(rate: float, latency: float) -> None:
    with tempfile.TemporaryDirectory() as place, isolated_workspace(Path(place)) as (workspace, _):
        with living_run(workspace, 400) as (_, log), Workbench(workspace, screen="monitor", **SIZE) as bench:
            bench.wait_for("● ")
            bench.quiet(1.0)
            os.write(bench.terminal, b"\t")
            bench.quiet(1.0)
            link = SlowLink(bench, rate, latency, 1 << 16)
            ended = threading.Event()

            def train() -> None:
                step = 400
                while not ended.wait(0.3):
                    write_row(log, step)
                    step += 1

            threading.Thread(target=train, daemon=True).start()
            link.run(5.0)
            watched = show(bench, link)
            after, beyond, frames = [], [], []
            for _ in range(KEYS_PRESSED):
                link.run(2.0)
                show(bench, link)
                before = CURSOR.search(bench.text())
                pressed = link.press("\x1b[C")
                data = b""
                while (now := CURSOR.search(bench.text())) is None or (before and now[1] == before[1]):
                    link.run(0.02)
                    data += show(bench, link)
                at, taken = time.monotonic(), len(data)
                after.append(at - pressed)
                beyond.append(at - pressed - taken / rate)
                frames.append(data.count(FRAME_END))
            ended.set()
    print(f"\n{rate / 1000:g} KB/s, {latency * 1000:g} ms each way, four charts, a row every 0.3 s:\n")
    print("| | |\n|---|---|")
    print(f"| watching, bytes a second | {len(watched) / 5:,.0f} |")
    print(f"| cursor seen after its key, p50 and worst of {KEYS_PRESSED} "
          f"| {statistics.median(after):.2f} s, {max(after):.2f} s |")  # fmt: skip
    print(f"| the same less the time of the bytes that came since, p50 and worst "
          f"| {statistics.median(beyond):.2f} s, {max(beyond):.2f} s |")  # fmt: skip
    print(f"| frames that came before it, worst | {max(frames) - 1} |", flush=True)


def show(bench: Workbench, link: SlowLink) -> bytes:
    """Paint what the user has seen meanwhile; its bytes."""
    data, _ = link.take()
    bench.paint(data)
    return data


def flood() -> None:
    with tempfile.TemporaryDirectory() as place, isolated_workspace(Path(place)) as (workspace, _):
        with living_run(workspace, 400) as (_, log), Workbench(workspace, screen="monitor", **SIZE) as bench:
            bench.wait_for("● ")
            bench.quiet(1.0)
            written: dict[int, float] = {}
            ended = threading.Event()

            def train() -> None:
                step, began = 400, time.monotonic()
                while not ended.is_set():
                    while step - 400 < (time.monotonic() - began) * FLOOD:
                        write_row(log, step)
                        written[step] = time.monotonic()
                        step += 1
                    time.sleep(0.005)

            threading.Thread(target=train, daemon=True).start()
            ages, until, received = [], time.monotonic() + FLOOD_SECONDS, bench.received
            seen = 0
            while time.monotonic() < until:
                if (at := bench.read(0.2)) is None:
                    continue
                shown = SHOWN.search(bench.text())
                step = int(shown.group(1).replace(",", "")) if shown else 0
                if step > seen and step in written:
                    ages.append(at - written[step])
                    seen = step
            ended.set()
            size = bench.received - received
    print(f"\n{FLOOD:,} rows a second, {len(KEYS)} metrics each:\n\n| | |\n|---|---|")
    print(f"| newest row on screen, age when its frame ended, p50 | {statistics.median(ages):.2f} s |")
    print(f"| worst of {len(ages)} looks | {max(ages):.2f} s |")
    print(f"| time between two looks, mean | {FLOOD_SECONDS / max(1, len(ages)):.2f} s |")
    print(f"| bytes a second | {size / FLOOD_SECONDS:,.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rate", type=float, default=10_000)
    parser.add_argument("--latency", type=float, default=0.2)
    options = parser.parse_args()
    slow_link(options.rate, options.latency)
    flood()
    print(f"\nLoad {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
