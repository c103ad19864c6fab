"""A store of 1,000,000 pairs with 1,000,000 verdicts: what each question to it costs.

    python -m benchmarks.million [--rows 1000000] [--keys 30]

The rows are imported with their verdicts (twelve models, three pairs a prompt). Then, through the
server's socket: the first pairs in each order, the next ones, verdicts, search, statistics, ratings,
history, sets to be ranked; each question is asked after a verdict, so that no kept answer can serve.
At last the label screen on a pseudo-terminal while statistics and searches run one after another.
The processor time is the server's; a busy machine changes it less than the wall clock.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks._workbench_pty import Workbench, isolated_workspace, sample_pairs
from benchmarks.key_to_paint import SHOWN, SILENCE, percentile
from rlft_tui.client.connection import connect
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.ids import new_id
from rlft_tui.labels.preference import Preference
from rlft_tui.labels.queue_item import QueueItem
from rlft_tui.labels.queue_view import Order, QueueView
from rlft_tui.paths import Workspace

_WORDS = ("the", "quick", "brown", "lazy", "fox", "jumps", "over", "a", "dog", "while", "some", "answer")
ORDERS: tuple[Order, ...] = ("random", "oldest", "least", "active", "ranking")
_TICKS = os.sysconf("SC_CLK_TCK")
OPENINGS = 6
PAGE_DOWN, PAGE_UP = "\x1b[6~", "\x1b[5~"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--keys", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rlft-", dir=os.environ.get("BENCH_FOLDER")) as folder:
        file = Path(folder) / "rows.jsonl"
        write_rows(file, options.rows)
        with isolated_workspace(Path(folder)) as (workspace, client):
            print(f"{options.rows:,} pairs, as many verdicts.\n")
            print(
                "| what | times | p50 ms | p95 ms | worst ms | server's CPU ms |\n|---|---|---|---|---|---|"
            )
            table = Table(client)
            label_while_importing(workspace, client, table, file)
            file.unlink()
            ask(client, table)
            workspace.settings.write_text('labeler = "ben"\ndaily_backups = 0\n')
            print(f"\nServer: at most {peak_mb(table.pid):.0f} MB resident.")
            keys_meanwhile(workspace, options.keys)
            pages_of_the_table(workspace, options.keys)
    print(f"Load {os.getloadavg()[0]:.1f} at the end.")


def write_rows(file: Path, rows: int) -> None:
    chance = random.Random(0)
    pool = [" ".join(chance.choices(_WORDS, k=chance.randint(20, 90))) for _ in range(3000)]
    with file.open("w") as stream:
        for n in range(rows):
            first, second = chance.sample(range(12), 2)
            row = {
                "prompt": f"Question {n // 3}?",
                "response_a": f"Answer A{n}. {chance.choice(pool)}",
                "response_b": f"Answer B{n}. {chance.choice(pool)}",
                "model_a": f"model-{first}",
                "model_b": f"model-{second}",
                "choice": "a" if chance.random() < 1 / (1 + 1.2 ** (second - first)) else "b",
                "created_at": 1_700_000_000 + n,
            }
            stream.write(json.dumps(row) + "\n")


class Table:
    """Prints a row for each question: wall time as the client sees it, and the server's processor time."""

    def __init__(self, client: WorkspaceClient) -> None:
        self.pid = client.health().pid

    def row(self, name: str, call: Callable[[], object], times: int = 1) -> None:
        spent = []
        used = cpu_seconds(self.pid)
        for _ in range(times):
            begin = time.perf_counter()
            call()
            spent.append((time.perf_counter() - begin) * 1000)
        self.show(name, spent, (cpu_seconds(self.pid) - used) / times * 1000)

    def show(self, name: str, spent: list[float], used: float) -> None:
        print(
            f"| {name} | {len(spent)} | {statistics.median(spent):.1f} | {percentile(spent, 95):.1f} "
            f"| {max(spent):.1f} | {used:.0f} |",
            flush=True,
        )


def ask(client: WorkspaceClient, table: Table) -> None:
    for order in ORDERS:
        label(client, table, order, 150)
    # 2,000 pairs are read at once: this many go past the next reading
    label(client, table, "random", 2000)
    fresh = iter(client.queue("ben", limit=50).items)

    def verdict() -> None:
        judge(client, next(fresh))

    for name, call in {
        "search pairs": lambda: client.pairs(search="lazy fox"),
        "search pairs, found once": lambda: client.pairs(search="answer a777777."),
        "a page of pairs, in the middle": lambda: client.pairs(offset=500_000),
        "queue with a search": lambda: client.queue("ben", view=QueueView(search="lazy fox"), peek=True),
        "statistics of labels": client.label_stats,
        "pace": client.pace,
        "bias": client.bias,
        "agreement": client.agreement,
        "reliability": client.reliability,
        "separations": client.separations,
        "ratings": client.ratings,
        "history opens": lambda: client.history("ada", limit=100),
        "history, a page in the middle": lambda: client.history("ada", limit=100, offset=500_000),
        "history, search": lambda: client.history("ada", limit=100, search="Question 777."),
        "sets to be ranked, first time": lambda: client.next_sets("ben"),
        "sets to be ranked": lambda: client.next_sets("ben"),
        "answers to be scored": lambda: client.next_answers("ben"),
        "home": lambda: client.home("ada"),
    }.items():
        verdict()
        table.row(name, call)


def label_while_importing(workspace: Workspace, client: WorkspaceClient, table: Table, file: Path) -> None:
    """The import, and verdicts ten times a second meanwhile."""
    client.add_pairs(sample_pairs(5000, words=20))
    ended = threading.Event()
    spent: list[float] = []

    def judge_on() -> None:
        with connect(workspace) as other:
            waiting = list(other.queue("carol", limit=200).items)
            while not ended.wait(0.1):
                begin = time.perf_counter()
                judge(other, waiting.pop(0), "carol")
                spent.append((time.perf_counter() - begin) * 1000)
                if not waiting:
                    waiting = list(other.queue("carol", limit=200).items)

    with ThreadPoolExecutor(1) as pool:
        judging = pool.submit(judge_on)
        table.row("import", lambda: client.import_pairs(file.name, file, labeler="ada"))
        ended.set()
        judging.result()
    table.show("verdict durable while that is imported", spent, 0)


def label(client: WorkspaceClient, table: Table, order: Order, verdicts: int) -> None:
    """As the label screen does it: a verdict, then the pair that comes after the three held."""
    view = QueueView(order=order, repeats=True)
    held: list[QueueItem] = []
    table.row(f"first pairs, {order}", lambda: held.extend(client.queue("ben", limit=4, view=view).items))
    times: dict[str, list[float]] = {"next pair": [], "verdict durable": []}

    def one() -> None:
        begin = time.perf_counter()
        judge(client, held.pop(0))
        stored = time.perf_counter()
        keys = tuple(item.key for item in held)
        held.extend(client.queue("ben", limit=1, exclude=keys, view=view).items)
        times["verdict durable"].append((stored - begin) * 1000)
        times["next pair"].append((time.perf_counter() - stored) * 1000)

    used = cpu_seconds(table.pid)
    for _ in range(verdicts):
        one()
    used = (cpu_seconds(table.pid) - used) / verdicts * 1000
    for name, spent in times.items():
        table.show(f"{name}, {order}", spent, used)


def judge(client: WorkspaceClient, item: QueueItem, labeler: str = "ben") -> None:
    client.add_label(
        Preference(
            *(new_id(), item.pair.id, labeler, "a"),
            shown_first=item.left,
            source=item.source,
            arm=item.arm,
            time_spent_ms=900,
        )
    )


def keys_meanwhile(workspace: Workspace, keys: int) -> None:
    ended = threading.Event()

    def load() -> None:
        with connect(workspace) as client:
            questions = (client.label_stats, client.ratings, client.agreement, client.separations)
            while not ended.is_set():
                for question in questions:
                    question()
                client.pairs(search="lazy fox")

    with Workbench(workspace, screen="label", columns=160, rows=45) as bench:
        opened = bench.wait_for("Answer")
        bench.quiet(1.0)
        other = threading.Thread(target=load)
        other.start()
        times = []
        for n in range(keys):
            old = SHOWN.findall(bench.text())
            pressed = bench.press("12"[n % 2])
            ended_at = bench.frame(SILENCE)
            while SHOWN.findall(bench.text()) == old:
                ended_at = bench.frame(SILENCE)
            times.append((ended_at - pressed) * 1000)
            time.sleep(max(0.0, pressed + 0.3 - time.monotonic()))
        ended.set()
        other.join()
    print(
        f"\nLabel screen opened after {opened:.2f} s. Key to next pair while statistics and searches run: "
        f"p50 {statistics.median(times):.0f} ms, p95 {percentile(times, 95):.0f} ms, "
        f"worst {max(times):.0f} ms."
    )


def pages_of_the_table(workspace: Workspace, keys: int) -> None:
    """The table of all pairs: from the start to the last byte of its first page; from a key to the first byte
    of the next page, and to the last one of the pair's text beside it."""
    opened = []
    for _ in range(OPENINGS):
        with Workbench(workspace, screen="data", columns=160, rows=45) as bench:
            opened.append(bench.settled("Question") - bench.started)
    with Workbench(workspace, screen="data", columns=160, rows=45) as bench:
        bench.settled("Question")
        first: list[float] = []
        last: list[float] = []
        for key in (PAGE_DOWN, PAGE_UP):
            for _ in range(keys):
                pressed = bench.press(key)
                came = bench.take(5.0) or math.inf
                first.append((came - pressed) * 1000)
                while (at := bench.take(SILENCE)) is not None:
                    came = at
                last.append((came - pressed) * 1000)
    print(
        f"\nTable of the pairs: settled after {opened[0]:.2f} s while the labels are still to be counted, "
        f"then {statistics.median(opened[1:]):.2f} s ({min(opened[1:]):.2f} to {max(opened[1:]):.2f}). "
        f"A page further or back: first byte p50 "
        f"{statistics.median(first):.0f} ms, p95 {percentile(first, 95):.0f} ms; with the pair's text beside "
        f"it p50 {statistics.median(last):.0f} ms, p95 {percentile(last, 95):.0f} ms."
    )


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
