"""TRL's prompt-completion rows (SFT): the answers worth imitating."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rlft_tui.datasets.exports.tally import TIE, Tally, verdicts_of
from rlft_tui.datasets.selection import EMPTY, FLAGGED
from rlft_tui.labels.labelled_pair import LabelledPair
from rlft_tui.prompts.prompt import conversation

SAYS = "prompt-completion rows: written answers, else the winner or both good ones"


def rows(item: LabelledPair, tally: Tally) -> Iterator[dict[str, Any]]:
    """Each good answer of a pair once; where an answer was written, only what was written."""
    if item.flagged:
        tally.left_out[FLAGGED] += len(item.verdicts) + len(item.written)
        return
    for text in dict.fromkeys(_texts(item, tally)):
        yield {
            "prompt": conversation(item.pair.prompt, item.pair.context),
            "completion": [{"role": "assistant", "content": text}],
        }


def _texts(item: LabelledPair, tally: Tally) -> Iterator[str]:
    if item.written:
        yield from (one.text for one in item.written)
        return
    answers = {"a": item.pair.response_a, "b": item.pair.response_b}
    for verdict in verdicts_of(item):
        good = [answers[verdict.choice]] if verdict.choice in answers else []
        if verdict.quality == "both_good":
            good = list(answers.values())
        kept = [text for text in good if text.strip()]
        if not kept:
            tally.left_out[EMPTY if good else TIE] += 1
        yield from kept
