"""Start of the workbench in a real pseudo-terminal: first frame, first data, resident memory.

    python -m benchmarks.startup [--runs 5]

Makes a workspace with a few pairs in a temporary folder, starts its server, then starts the
workbench again and again at 120x40 and times, from the exec of the interpreter, the first bytes
of a frame and the first frame that shows data from the server; at the end also with the server down.
Prints one JSON object a line.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path

from benchmarks._workbench_pty import Workbench, isolated_workspace, sample_pairs
from rlft_tui.client.connection import connect
from rlft_tui.paths import Workspace

USEFUL = {"home": "unlabelled", "label": "0 labelled"}
"""Text that only data from the server brings."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rlft-") as folder:
        with isolated_workspace(Path(folder)) as (workspace, client):
            client.add_pairs(sample_pairs(50, words=300))
            for screen in USEFUL:
                print(json.dumps(measure(workspace, screen, options.runs, cold=False)), flush=True)
            print(json.dumps(measure(workspace, "home", options.runs, cold=True)), flush=True)


def measure(workspace: Workspace, screen: str, runs: int, *, cold: bool) -> dict[str, object]:
    frames, useful, memory = [], [], []
    for _ in range(runs + 1):
        if cold:
            with connect(workspace) as client:
                client.shutdown()
        with Workbench(workspace, screen=screen, columns=120, rows=40) as bench:
            frames.append(bench.wait_for("Home"))
            useful.append(bench.wait_for(USEFUL[screen]))
            memory.append(bench.resident_mb())
    return {
        "screen": screen,
        "server": "cold" if cold else "up",
        "first_frame_ms": round(statistics.median(frames[1:]) * 1000),
        "first_data_ms": round(statistics.median(useful[1:]) * 1000),
        "first_data_worst_ms": round(max(useful[1:]) * 1000),
        "resident_mb": round(statistics.median(memory)),
        "runs": runs,
        "load": round(os.getloadavg()[0], 1),
    }


if __name__ == "__main__":
    main()
