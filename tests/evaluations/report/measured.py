"""Runs that have measured models, as an evaluation's job leaves them: real folders, real figures."""

from __future__ import annotations

import random
import time
from pathlib import Path

from rlft_tui.evaluations.evaluation import Item
from rlft_tui.evaluations.item_log import ITEMS, append_items
from rlft_tui.evaluations.results import figures, write_results
from rlft_tui.runs.run_event import EventWriter
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import parse_spec, write_spec
from rlft_tui.runs.run_status import Exit

HOSTILE = "<script>alert(1)</script> \x1b[31m |pipe| =1+1"


def items_of(accuracy: float, nats: float, count: int = 60) -> list[Item]:
    """Items of an arithmetic task and of a text; the same ones are hard for every model."""
    chance = random.Random(1)
    found = []
    for n in range(count):
        right = float(chance.random() < accuracy)
        answer = f"The answer is {2 * n if right else 2 * n + 1}. {HOSTILE}"
        found.append(
            Item(
                "basics", "sums", f"i{n}", f"What is {n} + {n}?", answer, str(2 * n),
                {"accuracy": right}, {"reason": "it was compared"}, settings="s1",
            )
        )  # fmt: skip
    for n in range(count):
        tokens = 20 + n % 7
        parts = {"nats": tokens * (nats + 0.1 * chance.gauss(0, 1)), "tokens": tokens}
        found.append(
            Item(
                "basics", "text", f"t{n}", f"Text {n}", scores={"perplexity": 1.0}, parts=parts, settings="s2"
            )
        )
    return found


def measured_run(runs: Path, model: str, run_id: str, accuracy: float, nats: float) -> RunFolder:
    """A finished evaluation's folder."""
    folder = RunFolder(runs / run_id)
    folder.root.mkdir(parents=True)
    spec = {"id": run_id, "method": "evaluate", "suite": "basics", "model": {"name": model, "path": "/m"}}
    write_spec(parse_spec(spec), folder.spec)
    folder.output.write_text("")
    items = items_of(accuracy, nats)
    with (folder.root / ITEMS).open("wb") as stream:
        append_items(stream, items)
    rows = [
        row
        for task in ("sums", "text")
        for row in figures(
            [item for item in items if item.task == task], model=model, run_id=run_id, created_at=time.time()
        )
    ]
    write_results(folder.root, model, "basics", rows)
    log = EventWriter(folder.events)
    log.write("start", method="evaluate", attempt=1, versions={}, host="here", device="cpu", steps=120, pid=0)
    log.write("end", status="finished")
    log.close()
    folder.write_exit(Exit(0, None, "finished", time.time()))
    return folder


def three_models(runs: Path) -> None:
    """A base, one that is better at both tasks, one that is no better at sums and worse at text."""
    measured_run(runs, "base", "evaluate-1", 0.4, 1.36)
    measured_run(runs, "tuned", "evaluate-2", 0.75, 1.17)
    measured_run(runs, "ppo", "evaluate-3", 0.38, 1.5)
