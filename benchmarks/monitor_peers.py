"""The Monitor beside W&B's terminal viewer (``wandb leet``) and TensorBoard, on the same numbers.

    RLFT_PEERS_PYTHON=/path/to/python python -m benchmarks.monitor_peers [--steps 100000]

The interpreter named there has the packages ``wandb`` and ``tensorboard``; what it lacks is told and
left out. Five metrics are logged by each program's own writer: an event log of ours, an offline
run of W&B, TensorBoard event files. ``settled``: from starting the program to the last change of a
character on its screen, or, of TensorBoard, until its HTTP server has sent every metric's values.
``live``: five rows a second; ``age`` is the time from a row being logged until its number stands on
the screen, or in TensorBoard's answer (its page asks every 30 s by itself: not counted).
Processor time and memory are those of the program and all its children, our server included.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import psutil
import pyte

from benchmarks._pty import PtyProcess
from benchmarks._workbench_pty import isolated_workspace
from benchmarks.monitor_live import ended_run
from benchmarks.monitor_slow import living_run, write_row
from benchmarks.series import KEYS, write_log

PEERS = os.environ.get("RLFT_PEERS_PYTHON", "")
COLUMNS, ROWS = 200, 50
QUIET = 4.0
"""Seconds without a changed character after which a screen is settled."""
LIVE_SECONDS = 30.0
WRITER = """
import math, random, sys, time
where, steps, pause, kind = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
keys = sys.argv[5].split(",")
chance = random.Random(0)
if kind == "wandb":
    import wandb
    options = wandb.Settings(x_disable_stats=True, x_disable_meta=True, disable_git=True, silent=True)
    run = wandb.init(project="bench", dir=where, mode="offline", settings=options)
    write, end = (lambda step, values: run.log(values, step=step)), run.finish
else:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    file = EventFileWriter(where, flush_secs=1)
    def write(step, values):
        parts = [Summary.Value(tag=key, simple_value=value) for key, value in values.items()]
        file.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=parts)))
    end = file.close
for step in range(1, steps + 1):
    write(step, {key: math.exp(-step / max(steps, 300)) + chance.gauss(0, 0.1) for key in keys})
    if pause and step >= 100:
        print(step, time.monotonic(), flush=True)
        time.sleep(pause)
end()
"""


class Screen(PtyProcess):
    """A program on a terminal that is read as fast as it writes; what it wrote is looked at afterwards."""

    ANSWERS: ClassVar[dict[bytes, bytes]] = {
        b"\x1b[6n": b"\x1b[1;1R",
        b"\x1b[?2026$p": b"\x1b[?2026;2$y",
        b"\x1b[?2027$p": b"\x1b[?2027;0$y",
        b"\x1b]10;?": b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\",
        b"\x1b]11;?": b"\x1b]11;rgb:0000/0000/0000\x1b\\",
        b"\x1b[c": b"\x1b[?62c",
    }
    """What programs ask a terminal, and what one says."""

    def __init__(self, program: list[str]) -> None:
        self.started = time.monotonic()
        self.pieces: list[tuple[float, bytes]] = []
        """What came, and when since the start."""
        run = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"
        super().__init__(["-c", run, *program], COLUMNS, ROWS)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := os.read(self.terminal, 1 << 16):
                self.pieces.append((time.monotonic() - self.started, data))
                for question, answer in self.ANSWERS.items():
                    if question in data:
                        os.write(self.terminal, answer)

    def settle(self, most: float) -> float | None:
        """Seconds until the last change of a character; None when it goes on changing after ``most``."""
        wait = 2 * QUIET
        while True:
            time.sleep(max(0.0, wait - (time.monotonic() - self.started)))
            changes = [at for at, _ in frames(list(self.pieces))]
            if changes and wait - changes[-1] >= QUIET:
                return changes[-1]
            if wait >= most:
                return None
            wait = min(most, 2 * wait)

    def size(self, since: float = 0.0, until: float = float("inf")) -> int:
        """Bytes that came in this time from the start on."""
        return sum(len(data) for at, data in self.pieces if since <= at <= until)


def frames(pieces: list[tuple[float, bytes]]) -> Iterator[tuple[float, list[str]]]:
    """The screen after each piece that changed a character above its last row, and when.

    The last row is left out: a mark that pulses there is no news.
    """
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    last: list[str] = []
    for at, data in pieces:
        stream.feed(data)
        if (now := list(screen.display))[:-1] != last:
            last = now[:-1]
            yield at, now


class Spent:
    """Processor time and memory of processes and their children."""

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._began, self._cpu = time.monotonic(), self._seconds()

    def _processes(self) -> list[psutil.Process]:
        found = [psutil.Process(pid) for pid in self._pids]
        return found + [child for each in found for child in each.children(recursive=True)]

    def _seconds(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self._processes())

    @property
    def share(self) -> float:
        """Of a core, since the start."""
        return (self._seconds() - self._cpu) / (time.monotonic() - self._began)

    @property
    def megabytes(self) -> str:
        return " + ".join(f"{process.memory_info().rss / 2**20:.0f}" for process in self._processes()) + " MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--patience", type=float, default=60.0, help="seconds for a screen to settle")
    options = parser.parse_args()
    with_wandb, with_tensorboard = has("wandb"), has("tensorboard")
    print(f"{len(KEYS)} metrics x {options.steps:,} steps, {COLUMNS}x{ROWS}.\n\n| | |\n|---|---|")
    with tempfile.TemporaryDirectory(prefix="rlft-", dir=os.environ.get("BENCH_FOLDER")) as folder:
        ours(Path(folder) / "ours", options.steps, options.patience)
        if with_wandb:
            leet(Path(folder) / "wandb", options.steps, options.patience)
        if with_tensorboard:
            tensorboard(Path(folder) / "tensorboard", options.steps)
    print(f"\nLoad {os.getloadavg()[0]:.1f} at the end.")


def has(package: str) -> bool:
    """Whether the peers' interpreter has it; tells when not."""
    if not PEERS:
        print(f"{package}: left out. RLFT_PEERS_PYTHON names no interpreter that has it.")
        return False
    done = subprocess.run(
        [PEERS, "-c", f"import importlib.metadata as m; print(m.version({package!r}))"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    print(
        f"{package} {done.stdout.strip()}"
        if not done.returncode
        else f"{package}: left out, {PEERS} lacks it."
    )
    return not done.returncode


def say(who: str, what: str, value: str) -> None:
    print(f"| {who}: {what} | {value} |", flush=True)


def opened(screen: Screen, who: str, patience: float) -> None:
    settled = screen.settle(patience)
    said = f"{settled:.2f} s" if settled is not None else f"not within {patience:.0f} s"
    say(who, "settled, bytes until then", f"{said}, {screen.size(until=settled or patience):,}")


def ours(folder: Path, steps: int, patience: float) -> None:
    folder.mkdir()
    rlft = [sys.executable, "-m", "rlft_tui.cli.main"]
    with isolated_workspace(folder) as (workspace, client):
        write_log(folder / "log", steps, KEYS)
        ended_run(workspace, 0, folder / "log")
        server = client.health().pid
        for name in ("nothing read yet", "again"):
            with Screen([*rlft, "-w", str(workspace.root), "runs", "watch"]) as screen:
                opened(screen, f"rlft, {name}", patience)
                idle(screen, "rlft", Spent(screen.pid, server))
    shutil.rmtree(folder)
    folder.mkdir()
    with isolated_workspace(folder) as (workspace, client):
        with (
            living_run(workspace, 100) as (_, log),
            Screen([*rlft, "-w", str(workspace.root), "runs", "watch"]) as screen,
        ):
            time.sleep(5)
            written: dict[int, float] = {}
            ended = threading.Event()

            def train() -> None:
                step = 100
                while not ended.wait(0.2):
                    write_row(log, step)
                    written[step] = time.monotonic()
                    step += 1

            thread = threading.Thread(target=train)
            thread.start()
            live(screen, "rlft", written, re.compile(r"([\d,]+)/1,000,000"), client.health().pid)
            ended.set()
            thread.join()


def leet(folder: Path, steps: int, patience: float) -> None:
    folder.mkdir()
    wandb = str(Path(PEERS).parent / "wandb")
    write("wandb", folder, steps)
    with Screen([wandb, "leet", "run", str(run_of(folder))]) as screen:
        opened(screen, "wandb leet", patience)
        idle(screen, "wandb leet", Spent(screen.pid))
    shutil.rmtree(folder)
    folder.mkdir()
    with writing("wandb", folder) as written:
        with Screen([wandb, "leet", "run", str(run_of(folder))]) as screen:
            time.sleep(5)
            live(screen, "wandb leet", written, re.compile(r"_step +(\d+)"))


def run_of(folder: Path) -> Path:
    return next((folder / "wandb").glob("offline-run-*"))


def idle(screen: Screen, who: str, spent: Spent) -> None:
    began = time.monotonic() - screen.started
    time.sleep(5)
    say(who, "nothing new: bytes a second, processor", f"{screen.size(began) / 5:,.0f}, {spent.share:.0%}")
    say(who, "memory", spent.megabytes)


def live(screen: Screen, who: str, written: dict[int, float], newest: re.Pattern[str], *others: int) -> None:
    """Watch a run that is being written; ``newest`` finds the last step on the screen."""
    began, spent = time.monotonic() - screen.started, Spent(screen.pid, *others)
    time.sleep(LIVE_SECONDS)
    say(who, "live: processor", f"{spent.share:.0%} of a core")
    size = screen.size(began)
    ages, seen = [], 0
    for at, rows in frames(list(screen.pieces)):
        found = newest.search("\n".join(rows))
        step = int(found[1].replace(",", "")) if found else 0
        if step > seen and step in written and at > began:
            ages.append(at + screen.started - written[step])
            seen = step
    say(who, "live: bytes a second", f"{size / LIVE_SECONDS:,.0f}")
    if ages:
        say(who, "live: looks with news, bytes for each", f"{len(ages)}, {size / len(ages):,.0f}")
        told_ages(who, ages)
    else:
        say(who, "live: age of the newest row", f"no new step within {LIVE_SECONDS:.0f} s")


def told_ages(who: str, ages: list[float]) -> None:
    value = f"{statistics.median(ages):.2f} s, {max(ages):.2f} s"
    say(who, "live: age of the newest row when it came, median and worst", value)


def tensorboard(folder: Path, steps: int) -> None:
    folder.mkdir()
    write("tensorboard", folder, steps)
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    say("TensorBoard", "event files", f"{size:.0f} MB")
    for name, flags in (
        ("as it comes (1,000 points a tag)", []),
        ("every point", ["--samples_per_plugin", "scalars=200000"]),
    ):
        with board(folder, flags) as (port, pid, started):
            took, size = served(
                port,
                started,
                lambda found: (
                    len(found) == len(KEYS) and min(max(each) for each in found.values()) >= 0.99 * steps
                ),
            )
            say("TensorBoard", f"settled, {name}", f"{took:.2f} s")
            say("TensorBoard", "JSON of all metrics", f"{size / 1000:,.0f} kB (and its page of JavaScript)")
            spent = Spent(pid)
            time.sleep(5)
            say("TensorBoard", "nothing new: processor", f"{spent.share:.0%}")
            say("TensorBoard", "memory", spent.megabytes)
    shutil.rmtree(folder)
    folder.mkdir()
    with writing("tensorboard", folder) as written, board(folder, []) as (port, pid, started):
        served(port, started, lambda found: bool(found))
        spent, ages, seen, began = Spent(pid), [], 0, time.monotonic()
        while time.monotonic() - began < LIVE_SECONDS:
            found = last_steps(port)[0]
            step = int(found.get(KEYS[0], [0])[-1])
            if step > seen and step in written:
                ages.append(time.monotonic() - written[step])
                seen = step
            time.sleep(0.2)
        if ages:
            told_ages("TensorBoard", ages)
        say("TensorBoard", "live: processor, asked 5 times a second", f"{spent.share:.0%} of a core")


@contextlib.contextmanager
def board(folder: Path, flags: list[str]) -> Iterator[tuple[int, int, float]]:
    """A TensorBoard on a free port: port, process, moment of its start."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = time.monotonic()
    command = [
        PEERS,
        "-m",
        "tensorboard.main",
        "--logdir",
        str(folder),
        "--port",
        str(port),
        "--host",
        "127.0.0.1",
        *flags,
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield port, process.pid, started
    finally:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.terminate()
        process.terminate()
        process.wait()


def served(port: int, started: float, enough: Callable[[dict[str, list[float]]], bool]) -> tuple[float, int]:
    """Seconds since ``started`` until the answers hold what is wanted, and their bytes."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError, KeyError):
            found, size = last_steps(port)
            if enough(found):
                return time.monotonic() - started, size
        time.sleep(0.05)
    raise TimeoutError("TensorBoard served nothing")


def last_steps(port: int) -> tuple[dict[str, list[float]], int]:
    """Steps by metric, from the endpoints that its page asks; and the bytes of the answers."""
    place = f"http://127.0.0.1:{port}/data/plugin/scalars"
    with urllib.request.urlopen(f"{place}/tags", timeout=60) as answer:
        tags = json.load(answer)
    found, size = {}, 0
    for run, keys in tags.items():
        for key in keys:
            query = urllib.parse.urlencode({"run": run, "tag": key})
            with urllib.request.urlopen(f"{place}/scalars?{query}", timeout=60) as answer:
                data = answer.read()
            found[key] = [point[1] for point in json.loads(data)]
            size += len(data)
    return found, size


def write(kind: str, folder: Path, steps: int) -> None:
    command = [PEERS, "-c", WRITER, str(folder), str(steps), "0", kind, ",".join(KEYS)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def writing(kind: str, folder: Path) -> Iterator[dict[int, float]]:
    """A run of the peer's own that gets five rows a second; when each was logged."""
    command = [PEERS, "-c", WRITER, str(folder), "100000", "0.2", kind, ",".join(KEYS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    written: dict[int, float] = {}

    def take() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            step, at = line.split()
            written[int(step)] = float(at)

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    try:
        while not written:
            time.sleep(0.1)
        yield written
    finally:
        process.kill()
        process.wait()
        thread.join()


if __name__ == "__main__":
    main()
