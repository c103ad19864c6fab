"""A pair with everything that stands about it: what an export is made of."""

from __future__ import annotations

from rlft_tui.labels.preference import BetterAnswer, Preference
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.record import Record


class LabelledPair(Record, frozen=True):
    """A pair and its current verdicts and written answers, of one labeller or of all."""

    pair: ResponsePair
    verdicts: tuple[Preference, ...] = ()
    """Oldest first."""
    written: tuple[BetterAnswer, ...] = ()
    flagged: bool = False
    """Whether somebody flagged the pair as broken and has not taken it back."""


class ExportHead(Record, frozen=True):
    """What an export needs to know before its first row."""

    pairs: int
    verdicts: int
    strengths: int
    """Verdicts that say how much better."""
    stored_pairs: int
    """All pairs of the workspace, labelled or not."""
