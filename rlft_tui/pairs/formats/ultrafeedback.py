"""UltraFeedback binarized, of Hugging Face H4 (messages) and of Argilla (ratings, models, source)."""

from __future__ import annotations

from typing import Any

from rlft_tui.pairs.formats import trl
from rlft_tui.pairs.pair_row import Origin, PairRow
from rlft_tui.prompts.messages import optional_text

SAYS = "UltraFeedback binarized"
_OWN = ("score_chosen", "chosen-rating", "prompt_id")


def matches(values: dict[str, Any]) -> bool:
    return "chosen" in values and any(column in values for column in _OWN)


def parse(line: int, values: dict[str, Any], origin: Origin) -> tuple[PairRow, ...]:
    """The pair, its scores in the settings; the source of the prompt becomes the category.

    ``chosen`` and ``rejected`` repeat the prompt. Raises RowError.
    """
    return (trl.preference(line, values, origin, category=optional_text(values, "source")),)
