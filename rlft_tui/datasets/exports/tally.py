"""What an export wrote and left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rlft_tui.datasets.verdicts_table import Verdict, WrittenAnswer
from rlft_tui.labels.labelled_pair import LabelledPair

TIE = "tie"


@dataclass(slots=True)
class Tally:
    """Counts of one export."""

    margins: bool = False
    """Whether rows have a margin: a column that TRL reads has to be in all of them or in none."""
    rows: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """Verdicts and written answers without a row, by reason."""


def verdicts_of(item: LabelledPair) -> list[Verdict]:
    """The pair's verdicts in the form that data sets are made of."""
    pair = item.pair
    return [
        Verdict(
            example_id=pair.id,
            labeler_id=one.labeler_id,
            choice=one.choice,
            confidence=one.confidence,
            prompt=pair.prompt,
            context=pair.context,
            response_a=pair.response_a,
            response_b=pair.response_b,
            category=pair.category,
            flagged=item.flagged,
            strength=one.strength,
            quality=one.quality,
        )
        for one in item.verdicts
    ]


def written_of(item: LabelledPair) -> list[WrittenAnswer]:
    """The pair's written answers, each with its writer's verdict."""
    pair = item.pair
    choices = {one.labeler_id: one.choice for one in item.verdicts}
    return [
        WrittenAnswer(
            id=one.id,
            text=one.text,
            example_id=pair.id,
            labeler_id=one.labeler_id,
            prompt=pair.prompt,
            context=pair.context,
            response_a=pair.response_a,
            response_b=pair.response_b,
            category=pair.category,
            flagged=item.flagged,
            choice=choices.get(one.labeler_id, ""),
        )
        for one in item.written
    ]
