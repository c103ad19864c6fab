"""Bytes that one key costs where the screen changes: screens, views of the Monitor, dialogs.

    python -m benchmarks.screen_bytes [--columns 200 --rows 50]

Two ended runs; every key twice, the second time with all that it needs at hand. At 10 KB/s a
kilobyte takes a tenth of a second.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks._workbench_pty import Workbench, isolated_workspace, sample_pairs
from benchmarks.monitor_live import ended_run
from benchmarks.series import KEYS, write_log

SCREENS = {
    "Home": "1", "Label": "2", "Data": "3", "Runs": "4", "Monitor": "5", "Compare": "6", "Models": "7",
    "Score": "\x1b[20~", "Statistics": "\x1b[19~", "Rounds": "\x1b[23~",
}  # fmt: skip
"""Function keys where the screen has no digit."""
VIEWS = {"Samples": "s", "Output": "o", "Alerts": "a", "Devices": "d", "Curves": "c"}
DIALOGS = {"help": "?", "metrics": "m"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--rows", type=int, default=50)
    size = vars(parser.parse_args())
    print(f"| {size['columns']}x{size['rows']} | first time, bytes | again |\n|---|---|---|")
    with (
        tempfile.TemporaryDirectory() as folder,
        isolated_workspace(Path(folder)) as (workspace, client),
    ):
        client.add_pairs(sample_pairs(30, words=300))
        log = Path(folder) / "log"
        write_log(log, 2_000, KEYS)
        for number in range(2):
            ended_run(workspace, number, log)
        with Workbench(workspace, screen="home", **size) as bench:
            bench.wait_for("Home", "finished")
            bench.quiet(1.0)
            rows = {name: [] for name in (*SCREENS, *VIEWS)}  # type: dict[str, list[int]]
            for _ in range(2):
                for name, key in SCREENS.items():
                    # through F-keys everywhere: digits are verdicts or text on some screens
                    rows[name].append(cost(bench, function_key(key)))
            bench.press(function_key("5"))
            bench.quiet(1.0)
            for _ in range(2):
                for name, key in VIEWS.items():
                    rows[name].append(cost(bench, key))
            for name, (first, again) in rows.items():
                print(f"| {name} | {first:,} | {again:,} |")
            for name, key in DIALOGS.items():
                first, again = (cost(bench, key) + cost(bench, "\x1b") for _ in range(2))
                print(f"| {name} opens and closes | {first:,} | {again:,} |")


def function_key(key: str) -> str:
    """F1 to F7 for a digit."""
    codes = {
        "1": "\x1bOP",
        "2": "\x1bOQ",
        "3": "\x1bOR",
        "4": "\x1bOS",
        "5": "\x1b[15~",
        "6": "\x1b[17~",
        "7": "\x1b[18~",
    }
    return codes.get(key, key)


def cost(bench: Workbench, key: str) -> int:
    """Bytes until nothing has come for 0.7 s."""
    before = bench.received
    bench.press(key)
    bench.quiet(0.7)
    return bench.received - before


if __name__ == "__main__":
    main()
