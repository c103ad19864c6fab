"""Page-down and page-up in long answers: from the key to the last byte of the frame.

    python -m benchmarks.page_down [--keys 40] [--words 300 2000 6000]

The label screen at 160x45 on a pseudo-terminal, both answers scrolling together. Processor time is
that of the workbench's event loop, which a busy machine changes less than the wall clock.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks._workbench_pty import Workbench, isolated_workspace, sample_pairs
from benchmarks.key_to_paint import SILENCE, percentile, put_first
from rlft_tui.paths import Workspace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--keys", type=int, default=40)
    parser.add_argument("--words", type=int, nargs="*", default=[300, 2000, 6000])
    options = parser.parse_args()
    print("| words | pages | p50 ms | p95 ms | worst ms | CPU p50 ms | CPU p95 ms | bytes p50 |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="rlft-") as folder:
        with isolated_workspace(Path(folder)) as (workspace, client):
            for words in options.words:
                put_first(client, sample_pairs(12, words=words))
                print(measure(workspace, words, options.keys), flush=True)
    print(f"\nLoad {os.getloadavg()[0]:.1f}.")


def measure(workspace: Workspace, words: int, keys: int) -> str:
    times, used, sizes = [], [], []
    with Workbench(workspace, screen="label", columns=160, rows=45) as bench:
        bench.wait_for("Answer")
        bench.quiet(1.0)
        key = " "
        misses = 0
        while len(times) < keys and misses < 4:
            received, cpu = bench.received, bench.cpu_seconds()
            pressed = bench.press(key)
            ended = bench.take(0.25)
            if ended is None:  # the end or the start was reached: turn round
                key, misses = ("b" if key == " " else " "), misses + 1
                continue
            misses = 0
            while (at := bench.take(SILENCE)) is not None:
                ended = at
            times.append((ended - pressed) * 1000)
            used.append((bench.cpu_seconds() - cpu) * 1000)
            sizes.append(bench.received - received)
            time.sleep(0.1)
    if not times:
        raise RuntimeError(f"nothing scrolls at {words} words")
    return (
        f"| {words} | {len(times)} | {statistics.median(times):.1f} | {percentile(times, 95):.1f} "
        f"| {max(times):.1f} | {statistics.median(used):.1f} | {percentile(used, 95):.1f} "
        f"| {statistics.median(sizes):,.0f} |"
    )


if __name__ == "__main__":
    main()
