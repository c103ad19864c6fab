"""The output of a run that printed ten gigabytes: opened, paged, searched, and what that keeps in memory.

    python -m benchmarks.long_log [--gigabytes 10]

The file is real and lies in BENCH_FOLDER (or the temporary folder); it is deleted afterwards. One
traceback stands in its middle and one just before its end. A search of all of it takes many
requests, as the Monitor makes them: the longest one is how long a key may wait meanwhile.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks._workbench_pty import Workbench, isolated_workspace
from benchmarks.monitor_live import ended_run
from benchmarks.series import KEYS, write_log
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.paths import Workspace
from rlft_tui.runs.log_search import LogLevel
from rlft_tui.runs.run_folder import RunFolder

TRACEBACK = b"Traceback (most recent call last):\n  File 'job.py', line 1\nValueError: the one looked for\n"
LAST = b"the last line of all\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=10.0)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="rlft-", dir=os.environ.get("BENCH_FOLDER")) as place,
        isolated_workspace(Path(place)) as (workspace, client),
    ):
        log = Path(place) / "log"
        write_log(log, 1_000, KEYS)
        ended_run(workspace, 0, log)
        (run,) = client.runs()
        size = write_output(RunFolder(Path(run.path)).output, int(options.gigabytes * 2**30))
        server = psutil.Process(client.health().pid)
        print(f"{size / 2**30:.1f} GB, {size / 120 / 1e6:.0f} million lines.\n\n| | |\n|---|---|")
        pages(client, run.id, size)
        searches(client, run.id)
        on_screen(workspace)
        print(f"| server, resident now | {server.memory_info().rss / 2**20:.0f} MB |")
    print(f"\nLoad {os.getloadavg()[0]:.1f} at the end.")


def write_output(path: Path, wanted: int) -> int:
    """Progress lines as a trainer prints them; the size in bytes."""
    lines = (
        f"step {n:>9}  loss {1 / (n + 1):.6f}  reward {n % 7:.3f}  grad_norm 1.0".encode()
        for n in range(560_000)
    )
    block = b"".join(line.ljust(119) + b"\n" for line in lines)
    with path.open("wb") as stream:
        for number in range(max(2, wanted // len(block))):
            if number == wanted // len(block) // 2:
                stream.write(TRACEBACK)
            stream.write(block)
        stream.write(TRACEBACK + LAST)
        return stream.tell()


def pages(client: WorkspaceClient, run_id: str, size: int) -> None:
    for name, start in (("the last page", -1), ("a page in the middle", size // 2), ("the first page", 0)):
        began = time.perf_counter()
        client.log(run_id, start=start)
        print(f"| {name} | {1000 * (time.perf_counter() - began):.1f} ms |")


SEARCHES: tuple[tuple[str, str, LogLevel, bool, int], ...] = (
    ("up from the end to the last traceback", "", "tracebacks", True, 1),
    ("up from the end to both tracebacks", "", "tracebacks", True, 2),
    ("all errors", "", "errors", False, 1000),
    ("words that are nowhere", "not in there", "", False, 1),
    ("an expression that matches nowhere", "/not in [a-z]+ there/", "", True, 1),
)
"""Name, text, level, whether upwards, and after how many lines found it ends."""


def searches(client: WorkspaceClient, run_id: str) -> None:
    for name, text, level, backwards, most in SEARCHES:
        show(client, run_id, name, text=text, level=level, backwards=backwards, most=most)


def show(
    client: WorkspaceClient, run_id: str, name: str, *, text: str, level: LogLevel, backwards: bool, most: int
) -> None:
    began, longest, found, asked = time.perf_counter(), 0.0, 0, 0
    at = -1 if backwards else 0
    while True:
        once = time.perf_counter()
        got = client.log_lines(
            run_id, text=text, level=level, start=at, backwards=backwards, limit=1 if most == 1 else 200
        )
        longest = max(longest, time.perf_counter() - once)
        found, asked, at = found + len(got.lines), asked + 1, got.searched
        if found >= most or at == (0 if backwards else got.size):
            break
    took = time.perf_counter() - began
    print(
        f"| {name}: {found} found | {took:.2f} s, {asked} requests, the longest {1000 * longest:.0f} ms |",
        flush=True,
    )


def on_screen(workspace: Workspace) -> None:
    with Workbench(workspace, command=("runs", "watch"), columns=120, rows=40) as bench:
        bench.wait_for("● ")
        bench.quiet(0.5)
        pressed = bench.press("o")
        bench.wait_for("the last line of all")
        print(f"| key to the end of the output on screen | {1000 * (time.monotonic() - pressed):.0f} ms |")
        pressed = bench.press("\x1b[1;5H")
        bench.wait_for("step         0 ")
        print(f"| key to its beginning | {1000 * (time.monotonic() - pressed):.0f} ms |")
        pressed = bench.press("e")
        bench.wait_for("the last line of all")
        print(f"| key back to its end | {1000 * (time.monotonic() - pressed):.0f} ms |")
        print(f"| workbench, resident | {bench.resident_mb():.0f} MB |")


if __name__ == "__main__":
    main()
