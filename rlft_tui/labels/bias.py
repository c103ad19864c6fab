"""Which side, which length: what a labeller prefers whatever the answers say."""

from __future__ import annotations

import math

from rlft_tui.labels.agreement import SelfAgreement
from rlft_tui.labels.intervals import Z95, Share
from rlft_tui.record import Record


class Leaning(Record, frozen=True):
    """How one labeller's decided verdicts lean."""

    labeler: str
    left: Share
    """Chosen: the answer on the left. Imported verdicts have no sides."""
    longer: Share
    """Chosen: the answer with more characters; equally long ones are left out."""
    longer_logit: float | None
    """Log odds of choosing the longer answer."""
    longer_logit_ci95: tuple[float, float] | None
    repeats: SelfAgreement


class Bias(Record, frozen=True):
    """Of all labellers together, and of each, those with the most verdicts first."""

    everybody: Leaning
    labelers: tuple[Leaning, ...] = ()


def log_odds(count: int, n: int) -> tuple[float, tuple[float, float]] | tuple[None, None]:
    """Log odds of ``count`` of ``n`` and their 95 % interval, finite for 0 and n too.

    Half a case is added to either side (Haldane 1956, Anscombe 1956).
    """
    if n == 0:
        return None, None
    yes, no = count + 0.5, n - count + 0.5
    middle, half = math.log(yes / no), Z95 * math.sqrt(1 / yes + 1 / no)
    return middle, (middle - half, middle + half)
