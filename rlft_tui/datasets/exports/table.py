"""Every current verdict as a row of CSV, for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from rlft_tui.datasets.exports.tally import Tally
from rlft_tui.labels.labelled_pair import LabelledPair

SAYS = "every verdict as a row for a spreadsheet"
COLUMNS = (
    "prompt",
    "response_a",
    "response_b",
    "choice",
    "confidence",
    "labeler",
    "model_a",
    "model_b",
    "category",
    "note",
    "shown_first",
    "time_spent_ms",
    "created_at",
    "pair_id",
    "label_id",
    "strength",
    "quality",
)


def head() -> bytes:
    """The row of column names."""
    return _encoded(COLUMNS)


def lines(item: LabelledPair, tally: Tally) -> Iterator[bytes]:
    """A row for each verdict, ties among them; written answers have none."""
    pair = item.pair
    for label in item.verdicts:
        tally.rows += 1
        yield _encoded(
            (
                pair.prompt,
                pair.response_a,
                pair.response_b,
                label.choice,
                "" if label.confidence is None else label.confidence,
                label.labeler_id,
                pair.model_a,
                pair.model_b,
                pair.category,
                label.reasoning,
                label.shown_first,
                label.time_spent_ms,
                label.created_at,
                pair.id,
                label.id,
                "" if label.strength is None else label.strength,
                label.quality,
            )
        )


def _encoded(values: tuple[object, ...]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(values)
    return text.getvalue().encode("utf-8", errors="backslashreplace")
