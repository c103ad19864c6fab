"""The monitor in a real terminal: first plot, live refreshes, overlays; bytes, time and memory.

    python -m benchmarks.monitor_live [--columns 200 --rows 50]

``first plot``: from starting ``rlft runs watch`` to the last byte of the first settled screen, the server
up and the run not read yet. ``live``: a run gets a row every 0.3 s; bytes that each look adds.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks._workbench_pty import Workbench, isolated_workspace
from benchmarks.series import KEYS, write_log
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.paths import Workspace
from rlft_tui.runs.run_event import EventWriter
from rlft_tui.runs.run_folder import Attempt, RunFolder
from rlft_tui.runs.run_process import start_time
from rlft_tui.runs.run_spec import parse_spec, write_spec
from rlft_tui.runs.run_status import Exit

AGAIN = 5
SERVER_SETTLES = 2.0
"""Seconds after which a server has loaded what it can answer its first requests without."""
LOOKS = 30
OVERLAID = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--rows", type=int, default=50)
    size = vars(parser.parse_args())
    print(f"| {size['columns']}x{size['rows']} | |\n|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder)
        write_log(logs / "wide", 100_000, KEYS)
        write_log(logs / "long", 1_000_000, KEYS[:1])
        for name, log, count in (
            ("5 metrics x 100,000 steps", "wide", 1),
            ("1 metric x 1,000,000 steps", "long", 1),
            (f"{OVERLAID} runs x 100,000 steps overlaid", "wide", OVERLAID),
        ):
            first_plot(name, logs / log, count, **size)
        live(**size)


def ended_run(workspace: Workspace, number: int, log: Path) -> None:
    """A finished run with this event log."""
    folder = made(workspace, f"dpo-0101-0000-{number:04d}")
    os.link(log, folder.events)
    folder.model.mkdir()
    (folder.model / "adapter_config.json").write_text("{}")
    folder.write_exit(Exit(0, None, "finished", time.time()))


def made(workspace: Workspace, run_id: str) -> RunFolder:
    folder = RunFolder(workspace.runs / run_id)
    folder.root.mkdir(parents=True)
    model = {"name": "m", "path": "/m"}
    values = {"id": run_id, "method": "dpo", "model": model, "dataset": "d", "max_steps": 1000}
    write_spec(parse_spec(values), folder.spec)
    folder.output.write_text("")
    return folder


def first_plot(name: str, log: Path, count: int, *, columns: int, rows: int) -> None:
    if count > 1:
        with runs_of(log, count) as (workspace, client):
            overlaid(name, workspace, client, count, columns=columns, rows=rows)
        return

    def settled(workspace: Workspace) -> float:
        with Workbench(workspace, command=("runs", "watch"), columns=columns, rows=rows) as bench:
            return bench.settled("● ") - bench.started

    unread, again, fresh = [], [], []
    for _ in range(AGAIN):
        with runs_of(log, count) as (workspace, _):
            time.sleep(SERVER_SETTLES)
            unread.append(settled(workspace))
            again.append(settled(workspace))
        with runs_of(log, count) as (workspace, _):
            fresh.append(settled(workspace))
    for what, times in (
        ("first settled plot, nothing read yet", unread),
        ("the same, the server has just started", fresh),
        ("again, the server has it", again),
    ):
        print(f"| {name}: {what} | {statistics.median(times):.2f} s ({min(times):.2f} to {max(times):.2f}) |")
    with runs_of(log, count) as (workspace, client):
        with Workbench(workspace, command=("runs", "watch"), columns=columns, rows=rows) as bench:
            bench.settled("● ")
            memory(bench, client)


@contextmanager
def runs_of(log: Path, count: int) -> Iterator[tuple[Workspace, WorkspaceClient]]:
    """A workspace whose server has not read any of its ended runs."""
    with (
        tempfile.TemporaryDirectory(dir=log.parent) as place,
        isolated_workspace(Path(place)) as (workspace, client),
    ):
        for number in range(count):
            ended_run(workspace, number, log)
        yield workspace, client


def overlaid(
    name: str, workspace: Workspace, client: WorkspaceClient, count: int, *, columns: int, rows: int
) -> None:
    with Workbench(workspace, screen="runs", columns=columns, rows=rows) as bench:
        bench.wait_for("finished")
        bench.quiet(1.5)
        for _ in range(count):
            bench.press(" ")
            bench.quiet(0.05)
        began = bench.press("\r")
        print(f"| {name}: Enter to the last byte | {bench.settled('● ', '▲ ', silence=0.5) - began:.2f} s |")
        memory(bench, client)


def memory(bench: Workbench, client: WorkspaceClient) -> None:
    server = psutil.Process(client.health().pid).memory_info().rss / 2**20
    print(f"| memory: workbench, server | {bench.resident_mb():.0f} MB, {server:.0f} MB |")


def live(*, columns: int, rows: int) -> None:
    """A run that this process pretends to be, a row at a time."""
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as place, isolated_workspace(Path(place)) as (workspace, _):
        folder = made(workspace, "dpo-0101-0000-live")
        log = EventWriter(folder.events)
        log.write("start", method="dpo", attempt=1, versions={}, host="", device="cpu", steps=1000, pid=0)
        mine = start_time(os.getpid()) or 0.0
        folder.write_attempt(Attempt(1, os.getpid(), mine, os.getpid(), mine))

        def row(step: int) -> None:
            falling = math.exp(-step / 300)
            log.metrics(step, {key: falling + rng.gauss(0, 0.02) for key in KEYS}, steps=1000)

        for step in range(1, 400):
            row(step)
        with Workbench(workspace, screen="monitor", columns=columns, rows=rows) as bench:
            bench.wait_for("● ")
            bench.quiet(1.0)
            process = psutil.Process(bench.pid)
            sizes, lags = [], []
            before, began = process.cpu_times(), time.monotonic()
            for step in range(400, 400 + LOOKS):
                size, at = bench.received, time.monotonic()
                row(step)
                lags.append(bench.frame(0.35) - at)
                sizes.append(bench.received - size)
            spent = process.cpu_times()
            cpu = (spent.user + spent.system - before.user - before.system) / (time.monotonic() - began)
            idle = bench.received
            end = time.monotonic() + 5
            while time.monotonic() < end:
                bench.read(0.5)
            idle = bench.received - idle
        print(f"| live: bytes a look, median and p95 | {statistics.median(sizes):.0f}, "
              f"{sorted(sizes)[int(len(sizes) * 0.95)]:.0f} |")  # fmt: skip
        print(f"| live: row to last byte, median and worst | {1000 * statistics.median(lags):.0f} ms, "
              f"{1000 * max(lags):.0f} ms |")  # fmt: skip
        print(f"| live: processor of the workbench | {cpu:.0%} of a core |")
        print(f"| nothing new for 5 s | {idle} bytes |")
        folder.write_exit(Exit(0, None, "finished", time.time()))


if __name__ == "__main__":
    main()
