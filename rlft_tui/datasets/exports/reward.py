"""Rows for TRL's reward trainer: prompt, chosen, rejected and always a margin, 0 where none was given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rlft_tui.datasets.exports import trl
from rlft_tui.datasets.exports.tally import Tally
from rlft_tui.labels.labelled_pair import LabelledPair

SAYS = "preference rows with a margin in every row, for reward models"


def rows(item: LabelledPair, tally: Tally) -> Iterator[dict[str, Any]]:
    """The rows of ``trl`` with their margin."""
    tally.margins = True
    yield from trl.rows(item, tally)
