"""Start of the workbench in a real pseudo-terminal: first frame, first data, resident memory.

    python benchmarks/startup.py [--runs 5] [--screen home]

Makes a workspace with a few pairs in a temporary folder, starts its server, then starts the
workbench again and again at 120x40 and times, from the exec of the interpreter, the first bytes
of a frame and the first frame that shows data from the server. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.workbench_pty import Workbench, isolated_workspace, sample_pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--screen", default="home", choices=["home", "label"])
    options = parser.parse_args()
    data = {"home": "unlabelled", "label": "left"}[options.screen]
    with tempfile.TemporaryDirectory(prefix="rlft-") as folder:
        with isolated_workspace(Path(folder)) as (workspace, client):
            client.add_pairs(sample_pairs(50, words=300))
            frames, useful, memory = [], [], []
            for _ in range(options.runs + 1):
                with Workbench(workspace, screen=options.screen, columns=120, rows=40) as bench:
                    frames.append(bench.wait_for("Home"))
                    useful.append(bench.wait_for(data))
                    memory.append(bench.resident_mb())
    print(
        json.dumps(
            {
                "screen": options.screen,
                "first_frame_ms": round(statistics.median(frames[1:]) * 1000),
                "first_data_ms": round(statistics.median(useful[1:]) * 1000),
                "first_data_worst_ms": round(max(useful[1:]) * 1000),
                "resident_mb": round(statistics.median(memory)),
                "runs": options.runs,
                "load": os.getloadavg()[0],
            }
        )
    )


if __name__ == "__main__":
    main()
