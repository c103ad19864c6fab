"""HH-RLHF (Bai et al. 2022): whole transcripts as chosen and rejected, turns marked Human and Assistant."""

from __future__ import annotations

from typing import Any

from rlft_tui.pairs.formats import trl
from rlft_tui.pairs.pair_row import Origin, PairRow

SAYS = "HH-RLHF transcripts"
_BEGINNING = "\n\nHuman:"


def matches(values: dict[str, Any]) -> bool:
    """By its text: the columns are those of any implicit-prompt preference file."""
    return _is_transcript(values.get("chosen")) or (
        "chosen" in values and _is_transcript(values.get("prompt"))
    )


def parse(line: int, values: dict[str, Any], origin: Origin) -> tuple[PairRow, ...]:
    """The pair; a row whose transcripts differ before the last answer is refused (RowError)."""
    return (trl.preference(line, values, origin),)


def _is_transcript(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_BEGINNING)
