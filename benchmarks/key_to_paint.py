"""Verdict key to next pair painted, the verdict durable in between, in the real workbench.

    python -m benchmarks.key_to_paint [--pairs 100000] [--keys 40] [--words 300 2000 6000]

A store of ``--pairs`` short pairs; then, for each length, pairs with Markdown answers of that many
words that come first in the queue. At 160x45 on a pseudo-terminal: one key every 300 ms, timed from
the write of the key to the last byte of the frame that shows the next pair (bytes are read raw and
interpreted afterwards). The verdicts are counted in the store at the end. Then the same at 20 keys a
second: how long after its key each frame ended. Prints one JSON object a length.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks._workbench_pty import Workbench, isolated_workspace, sample_pairs
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.ids import new_id
from rlft_tui.labels.preference import Mark, Revocation
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.paths import Workspace

LABELER = "ada"
SILENCE = 0.12
"""Seconds without a byte after which a frame is over."""
SHOWN = re.compile(r"Answer [AB](\d+)\.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=40)
    parser.add_argument("--words", type=int, nargs="*", default=[300, 2000, 6000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rlft-") as folder:
        with isolated_workspace(Path(folder)) as (workspace, client):
            fill(client, options.pairs)
            for words in options.words:
                put_first(client, sample_pairs(2 * options.keys + 10, words=words))
                print(json.dumps(measure(workspace, client, words, options.keys)), flush=True)


def fill(client: WorkspaceClient, count: int) -> None:
    for start in range(0, count, 5000):
        client.add_pairs(
            [
                ResponsePair(f"short-{n}", f"Question {n}?", f"First {n}.", f"Second {n}.")
                for n in range(start, min(count, start + 5000))
            ]
        )


def put_first(client: WorkspaceClient, pairs: list[ResponsePair]) -> None:
    """Store pairs and make them the next ones: what was set aside and taken back comes first."""
    client.add_pairs(pairs)
    for pair in pairs:
        mark = Mark(new_id(), pair.id, LABELER, "skip")
        client.add_label(mark)
        client.add_label(Revocation(new_id(), mark.id, LABELER))


def measure(workspace: Workspace, client: WorkspaceClient, words: int, keys: int) -> dict[str, object]:
    before = len(client.labels(labeler=LABELER, limit=1_000_000))
    with Workbench(workspace, screen="label", columns=160, rows=45) as bench:
        bench.wait_for("Answer")
        bench.quiet(1.0)
        times, sizes = [], []
        for n in range(keys):
            old = SHOWN.findall(bench.text())
            key = "12"[n % 2]
            pressed, received = bench.press(key), bench.received
            ended = bench.frame(SILENCE)
            new = SHOWN.findall(bench.text())
            if len(new) != 2 or new == old:
                raise RuntimeError(f"no next pair after the key: {old} then {new}\n{bench.text()}")
            times.append((ended - pressed) * 1000)
            sizes.append(bench.received - received)
            time.sleep(max(0.0, pressed + 0.3 - time.monotonic()))
        lags = burst(bench, keys)
        memory = bench.resident_mb()
    stored = len(client.labels(labeler=LABELER, limit=1_000_000)) - before
    return {
        "words": words,
        "p50_ms": round(statistics.median(times), 1),
        "p95_ms": round(percentile(times, 95), 1),
        "worst_ms": round(max(times), 1),
        "bytes": round(statistics.median(sizes)),
        "stored": stored,
        "burst_p50_ms": round(statistics.median(lags), 1),
        "burst_p95_ms": round(percentile(lags, 95), 1),
        "resident_mb": round(memory),
        "load": os.getloadavg()[0],
    }


def burst(bench: Workbench, keys: int) -> list[float]:
    """One key every 50 ms; milliseconds from each key to the last byte before the next key."""
    lags = []
    for n in range(keys):
        pressed = bench.press("12"[n % 2])
        last = pressed
        while (left := pressed + 0.05 - time.monotonic()) > 0:
            last = bench.take(left) or last
        lags.append((last - pressed) * 1000)
    bench.quiet(SILENCE)
    return lags


def percentile(values: list[float], share: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share / 100 * (len(ordered) - 1)))]


if __name__ == "__main__":
    main()
