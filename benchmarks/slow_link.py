"""The label screen over a slow link: how late a key is seen, and whether stale frames queue up.

    python -m benchmarks.slow_link [--rate 10000] [--latency 0.2] [--buffer 65536] [--words 2000]

The workbench at 160x45 on a pseudo-terminal behind a link of ``--rate`` bytes a second that delays
both ways by ``--latency`` seconds and holds up to ``--buffer`` bytes, as SSH and the kernel do; the
terminal's answers travel the same way. For each key: seconds from the press to the last byte of what
it changed as the user sees it, less the time those bytes take at that rate. Floor: twice the latency.
A burst of ten page-downs, 50 ms apart: frames and bytes that it cost, and when the last one was seen.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import time
from collections import deque
from pathlib import Path

from benchmarks._workbench_pty import FRAME_END, Workbench, isolated_workspace, sample_pairs
from benchmarks.key_to_paint import put_first
from rlft_tui.paths import Workspace

ASK, ANSWER = b"\x1b[6n", b"\x1b[1;1R"
TICK = 0.005
SETTLED = 1.5
"""Seconds without a byte after which nothing more is to come: longer than a round trip."""


class SlowLink:
    """Stands between the user and the workbench's pseudo-terminal. One thread: ``run`` moves the bytes."""

    def __init__(self, bench: Workbench, rate: float, latency: float, buffer: int) -> None:
        self._terminal = bench.terminal
        self._rate, self._latency, self._buffer = rate, latency, buffer
        self._up: deque[tuple[float, bytes]] = deque()
        self._sent = bytearray()
        """Written by the workbench, still on this side of the slow line."""
        self._down: deque[tuple[float, bytes]] = deque()
        self._credit = 0.0
        self._moved = time.monotonic()
        self.seen: list[tuple[float, bytes]] = []
        """What the user has seen, and when."""
        os.set_blocking(self._terminal, False)

    def press(self, keys: str) -> float:
        now = time.monotonic()
        self._up.append((now + self._latency, keys.encode()))
        return now

    def run(self, seconds: float) -> None:
        """Move bytes for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._move()
            time.sleep(TICK)

    def settle(self) -> None:
        """Move bytes until nothing has come for a while."""
        last = len(self.seen)
        quiet = time.monotonic()
        while time.monotonic() - quiet < SETTLED or self._sent or self._down or self._up:
            self.run(0.05)
            if len(self.seen) != last:
                last, quiet = len(self.seen), time.monotonic()

    def take(self) -> tuple[bytes, float]:
        """Everything seen since the last call, and when the last byte was."""
        data = b"".join(piece for _, piece in self.seen)
        at = self.seen[-1][0] if self.seen else 0.0
        self.seen.clear()
        return data, at

    def _move(self) -> None:
        now = time.monotonic()
        while self._up and self._up[0][0] <= now:
            os.write(self._terminal, self._up.popleft()[1])
        room = self._buffer - len(self._sent)
        if room > 0:
            with contextlib.suppress(BlockingIOError):
                self._sent += os.read(self._terminal, min(room, 1 << 16))
        self._credit = min(self._credit + (now - self._moved) * self._rate, self._rate * 4 * TICK)
        self._moved = now
        if not self._sent:
            self._credit = min(self._credit, self._rate * TICK)
        count = min(len(self._sent), int(self._credit))
        if count:
            self._credit -= count
            self._down.append((now + self._latency, bytes(self._sent[:count])))
            del self._sent[:count]
        while self._down and self._down[0][0] <= now:
            at, piece = self._down.popleft()
            tail = self.seen[-1][1][-3:] if self.seen else b""
            self.seen.append((at, piece))
            for _ in range((tail + piece).count(ASK)):
                self._up.append((now + self._latency, ANSWER))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rate", type=float, default=10_000)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--buffer", type=int, default=65_536)
    parser.add_argument("--words", type=int, default=2000)
    parser.add_argument("--keys", type=int, default=6)
    options = parser.parse_args()
    print(
        f"{options.rate / 1000:g} KB/s, {options.latency * 1000:g} ms each way, "
        f"{options.buffer >> 10} KB of buffers, {options.words} words, 160x45.\n"
    )
    print("| key | bytes p50 | frames p50 | seen after s p50 | beyond its bytes s p50 | worst |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="rlft-") as folder:
        with isolated_workspace(Path(folder)) as (workspace, client):
            put_first(client, sample_pairs(4 * options.keys + 10, words=options.words))
            measure(workspace, options)
    print(f"\nLoad {os.getloadavg()[0]:.1f}.")


def measure(workspace: Workspace, options: argparse.Namespace) -> None:
    with Workbench(workspace, screen="label", columns=160, rows=45) as bench:
        bench.wait_for("Answer")
        bench.quiet(1.0)
        link = SlowLink(bench, options.rate, options.latency, options.buffer)
        for name, keys in (("verdict", "12"), ("page down", "  "), ("page up", "bb"), ("line down", "jj")):
            sizes, frames, times, beyond = [], [], [], []
            for number in range(options.keys):
                pressed = link.press(keys[number % 2])
                link.settle()
                data, at = link.take()
                sizes.append(len(data))
                frames.append(data.count(FRAME_END))
                times.append(at - pressed)
                beyond.append(at - pressed - len(data) / options.rate)
            middle = statistics.median
            print(
                f"| {name} | {middle(sizes):,.0f} | {middle(frames):g} | {middle(times):.2f} "
                f"| {middle(beyond):.2f} | {max(beyond):.2f} |",
                flush=True,
            )
        link.press("1")
        link.settle()
        link.take()
        last = 0.0
        for _ in range(10):
            last = link.press(" ")
            link.run(0.05)
        link.settle()
        data, at = link.take()
        print(
            f"\nTen page-downs, 50 ms apart: {data.count(FRAME_END)} frames, {len(data):,} bytes, "
            f"the last one seen {at - last:.2f} s after its key."
        )


if __name__ == "__main__":
    main()
