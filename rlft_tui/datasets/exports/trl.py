"""TRL's conversational preference rows: prompt, chosen, rejected and, where strengths were given, margin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rlft_tui.datasets.exports.tally import TIE, Tally, verdicts_of, written_of
from rlft_tui.datasets.select_preferences import select_written
from rlft_tui.datasets.selection import FLAGGED, IDENTICAL
from rlft_tui.labels.labelled_pair import LabelledPair
from rlft_tui.prompts.prompt import conversation

SAYS = "TRL preference rows; with a margin once a verdict has a strength"


def rows(item: LabelledPair, tally: Tally) -> Iterator[dict[str, Any]]:
    """One row a decided verdict, and one for each answer that a written one beats."""
    pair = item.pair
    for verdict in verdicts_of(item):
        if verdict.choice == "tie":
            tally.left_out[TIE] += 1
        elif item.flagged:
            tally.left_out[FLAGGED] += 1
        elif pair.response_a == pair.response_b:
            tally.left_out[IDENTICAL] += 1
        else:
            answers = (pair.response_a, pair.response_b)
            chosen, rejected = answers if verdict.choice == "a" else reversed(answers)
            row: dict[str, Any] = {
                "prompt": conversation(pair.prompt, pair.context),
                "chosen": [{"role": "assistant", "content": chosen}],
                "rejected": [{"role": "assistant", "content": rejected}],
            }
            yield _with_margin(row, verdict.strength, tally)
    if item.written:
        selection = select_written(written_of(item))
        tally.left_out.update(selection.left_out)
        for one in selection.rows:
            row = {"prompt": one.prompt, "chosen": one.chosen, "rejected": one.rejected}
            yield _with_margin(row, None, tally)


def _with_margin(row: dict[str, Any], strength: int | None, tally: Tally) -> dict[str, Any]:
    """0 (negligibly, or not asked) to 1 (significantly): Llama 2 (arXiv 2307.09288), "margin small"."""
    if tally.margins:
        row["margin"] = 0.0 if strength is None else (strength - 1) / 3
    return row
