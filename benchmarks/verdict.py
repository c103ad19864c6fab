"""How long until a verdict is durable: through the socket, with 100,000 pairs in the store.

A verdict is written to the journal and committed by DuckDB, both flushed to disk,
before the answer comes. The floor is one append and flush of as many bytes.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from rlft_tui.client.connection import connect
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.config import create_workspace
from rlft_tui.ids import new_id
from rlft_tui.labels.preference import Preference
from rlft_tui.pairs.response_pair import ResponsePair

PAIRS = int(os.environ.get("PAIRS", "100000"))
VERDICTS = 500


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="rlft-bench-", dir=os.environ.get("BENCH_FOLDER")) as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        workspace = create_workspace(Path(folder) / "workspace")
        begin = time.perf_counter()
        with connect(workspace) as client:
            started = time.perf_counter() - begin
            _fill(client)
            print(
                f"| {PAIRS:,} pairs, {VERDICTS} verdicts each | p50 ms | p95 ms | max ms |\n|---|---|---|---|"
            )
            _row("append and flush alone (floor)", _floor(workspace.root / "floor"))
            _row("request that does nothing (health)", _measure(client.health))
            _row("verdict durable", _verdicts(client))
            _row("next 5 pairs", _measure(lambda: client.queue("ada", limit=5)))
            _row("verdict durable while statistics are read in a loop", _beside_readers(client))
            memory = _resident_mb(client.health().pid)
            print(f"\nServer: first answer after {started:.2f} s, resident {memory:.0f} MB at the end.")
            client.shutdown()


def _fill(client: WorkspaceClient, batch: int = 5000) -> None:
    answer = "This is one sentence of an answer of usual length. " * 8
    for start in range(0, PAIRS, batch):
        client.add_pairs(
            [
                ResponsePair(new_id(), f"Question {n}?", f"{answer}{n} a", f"{answer}{n} b", "base", "tuned")
                for n in range(start, min(start + batch, PAIRS))
            ]
        )


def _verdicts(client: WorkspaceClient) -> list[float]:
    """Judge the labeller's next pairs, fetched before as the label screen does."""
    times: list[float] = []
    while len(times) < VERDICTS:
        for item in client.queue("ada", limit=50).items:
            one = Preference(new_id(), item.pair.id, "ada", "a", shown_first=item.left, time_spent_ms=900)
            begin = time.perf_counter()
            client.add_label(one)
            times.append(time.perf_counter() - begin)
    return times


def _beside_readers(client: WorkspaceClient) -> list[float]:
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            client.label_stats()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        return _verdicts(client)
    finally:
        ended.set()
        reader.join()


def _floor(path: Path) -> list[float]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def append() -> None:
        os.write(descriptor, b"x" * 280)
        os.fdatasync(descriptor)

    times = _measure(append)
    os.close(descriptor)
    return times


def _measure(call: Callable[[], object]) -> list[float]:
    times = []
    for _ in range(VERDICTS):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return times


def _row(name: str, seconds: list[float]) -> None:
    ordered = sorted(1000 * one for one in seconds)
    p50, p95 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    print(f"| {name} | {p50:.1f} | {p95:.1f} | {ordered[-1]:.1f} |", flush=True)


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    sys.exit(main())
