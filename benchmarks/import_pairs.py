"""How fast and in how much memory files are imported: pairs, and pairs that bring verdicts.

ROWS=1000000 python -m benchmarks.import_pairs (about 1 KB a row). Time of the processor counts
too, because it does not depend on what else the machine does.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
from pathlib import Path

from rlft_tui.client.connection import connect
from rlft_tui.config import create_workspace

ROWS = int(os.environ.get("ROWS", "200000"))
_WORDS = "the quick brown fox jumps over a lazy dog while some answer reads better"
_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    print(f"| {ROWS:,} rows | rows/s | rows/s of CPU | server's peak MB |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="rlft-bench-", dir=os.environ.get("BENCH_FOLDER")) as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        for name, columns in (
            ("pairs", ("response_a", "response_b")),
            ("pairs with verdicts (TRL rows)", ("chosen", "rejected")),
        ):
            file = Path(folder) / "rows.jsonl"
            _write(file, columns)
            _row(name, file, Path(folder) / columns[0])


def _row(name: str, file: Path, root: Path) -> None:
    with connect(create_workspace(root)) as client:
        pid = client.health().pid
        begin, used = time.perf_counter(), _seconds(pid)
        report = client.import_pairs(file.name, file, labeler="ada")
        wall, used = time.perf_counter() - begin, _seconds(pid) - used
        assert (report.imported, report.refused) == (ROWS, 0)
        print(f"| {name} | {ROWS / wall:,.0f} | {ROWS / used:,.0f} | {_peak_mb(pid):.0f} |")
        client.shutdown()


def _write(file: Path, columns: tuple[str, str]) -> None:
    chance = random.Random(0)
    words = _WORDS.split()
    pool = [" ".join(chance.choices(words, k=chance.randint(30, 150))) for _ in range(3000)]
    with file.open("w") as stream:
        for n in range(ROWS):
            texts = (f"{n} {chance.choice(pool)}", f"{chance.choice(pool)} {n}")
            row = {"prompt": f"Question {n // 3}?", **dict(zip(columns, texts, strict=True))}
            stream.write(json.dumps(row) + "\n")


def _seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
