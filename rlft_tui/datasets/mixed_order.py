"""The order in which judged answers are trained on: wanted and unwanted ones in every batch."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence

from rlft_tui.datasets.rows import JudgedRow

_LOOKED_AHEAD = 64


def mixed_order(rows: Sequence[JudgedRow], batch_size: int, seed: int) -> list[JudgedRow]:
    """The rows shuffled, with the rarer label spread as evenly as it goes.

    TRL's KTO trainer goes through the rows in the order given, and estimates the KL within each
    batch from answers to the other prompts in it (Ethayarajh et al. 2024, section 4.1). So a batch
    should hold both labels, or one side's loss and metrics are missing, and no prompt twice, or an
    answer would be held against its own prompt. A last batch of one row is left out: it has no other.
    """
    generator = random.Random(seed)
    queues = {label: deque(row for row in rows if row.label is label) for label in (True, False)}
    totals = {label: len(queue) for label, queue in queues.items()}
    for label in (True, False):
        shuffled = list(queues[label])
        generator.shuffle(shuffled)
        queues[label] = deque(shuffled)
    ordered: list[JudgedRow] = []
    asked: set[str] = set()
    for place in range(len(rows)):
        if place % batch_size == 0:
            asked = set()
        # The label that lags most behind its share of the rows so far.
        label = max(
            (one for one in (True, False) if queues[one]),
            key=lambda one: totals[one] * (place + 1) / len(rows) - (totals[one] - len(queues[one])),
        )
        row = _take(queues[label], asked)
        asked.add(repr(row.prompt))
        ordered.append(row)
    if batch_size > 1 and len(ordered) % batch_size == 1 and len(ordered) > 1:
        ordered.pop()
    return ordered


def one_sided_batches(rows: Sequence[JudgedRow], batch_size: int) -> int:
    """How many batches of rows in this order hold answers of one label only."""
    labels = [row.label for row in rows]
    batches = (labels[start : start + batch_size] for start in range(0, len(labels), batch_size))
    return sum(len(set(batch)) == 1 for batch in batches)


def _take(queue: deque[JudgedRow], asked: set[str]) -> JudgedRow:
    """The next row whose prompt is not in the batch yet, or the next one when many in a row are."""
    for place in range(min(_LOOKED_AHEAD, len(queue))):
        if repr(queue[place].prompt) not in asked:
            row = queue[place]
            del queue[place]
            return row
    return queue.popleft()
