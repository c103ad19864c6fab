"""TRL's unpaired preference rows (KTO): prompt, completion, label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rlft_tui.datasets.exports.tally import TIE, Tally, verdicts_of
from rlft_tui.datasets.select_answers import judged_rows
from rlft_tui.datasets.selection import EMPTY, FLAGGED
from rlft_tui.labels.labelled_pair import LabelledPair

SAYS = "unpaired rows: a winner is good and a loser bad, both-good and both-bad count twice"


def rows(item: LabelledPair, tally: Tally) -> Iterator[dict[str, Any]]:
    """Two rows a verdict; a tie that says neither good nor bad has none."""
    for verdict in verdicts_of(item):
        found = list(judged_rows([verdict]))
        if not found:
            reason = FLAGGED if item.flagged else TIE if verdict.choice == "tie" else EMPTY
            tally.left_out[reason] += 1
        for row in found:
            yield {"prompt": row.prompt, "completion": row.completion, "label": row.label}
