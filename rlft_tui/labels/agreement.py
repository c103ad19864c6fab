"""How far labellers agree: with each other, with a judge, and with themselves.

Everything is computed from counts, so that a million verdicts cost as little as ten.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from rlft_tui.labels.intervals import Z95, Share, share
from rlft_tui.record import Record

MISSING_PACKAGE = "Krippendorff's alpha needs a package: pip install 'rlft_tui[agreement]'"
_NOTHING = 1e-12


class Kappa(Record, frozen=True):
    """Agreement of two: as a share, and beyond chance (Cohen 1960)."""

    first: str
    second: str
    agreed: Share
    kappa: float | None
    """1 is full agreement, 0 what chance gives; None where all verdicts are the same, or of one item."""
    ci95: tuple[float, float] | None


class Agreement(Record, frozen=True):
    """Agreement between labellers over the pairs that two or more of them judged."""

    pairs_judged_twice: int
    """Answer pairs with verdicts of at least two labellers."""
    between: tuple[Kappa, ...]
    """Each two labellers with a pair in common, those with the most first."""
    decided: Share
    """Among two verdicts that are no ties, how many are the same."""
    fleiss: float | None
    alpha: float | None
    """Krippendorff's, for nominal values."""
    notes: tuple[str, ...] = ()
    """Why a figure is missing."""
    sources: tuple[Kappa, ...] = ()
    """Verdicts of people against those of another source, such as a judge."""


class SelfAgreement(Record, frozen=True):
    """What the same labellers said when a pair came back with its sides swapped."""

    same: Share
    """The same answer was preferred again, or it was a tie again."""
    left_twice: int
    """Another answer was preferred, and both times it stood on the left."""
    right_twice: int
    ceiling: float | None
    """The best accuracy a reward model can show against these labels; see ``accuracy_ceiling``."""


def cohen(first: str, second: str, counts: Mapping[tuple[str, str], int]) -> Kappa:
    """Cohen's kappa with a 95 % interval, from how often each two values met.

    ``counts``: (value of the first, value of the second) to number of items. The interval is
    kappa ± 1.96 large-sample standard errors (Fleiss, Cohen and Everitt 1969).
    """
    total = sum(counts.values())
    agreed = sum(count for (one, other), count in counts.items() if one == other)
    observed = share(agreed, total)
    if observed.rate is None:
        return Kappa(first, second, observed, None, None)
    values = sorted({value for met in counts for value in met})
    cells = {met: count / total for met, count in counts.items()}
    rows = {value: sum(p for (one, _), p in cells.items() if one == value) for value in values}
    columns = {value: sum(p for (_, other), p in cells.items() if other == value) for value in values}
    chance = sum(rows[value] * columns[value] for value in values)
    if total == 1 or 1 - chance < _NOTHING:
        return Kappa(first, second, observed, None, None)
    kappa = (observed.rate - chance) / (1 - chance)
    on = sum(
        cells.get((value, value), 0.0) * (1 - (rows[value] + columns[value]) * (1 - kappa)) ** 2
        for value in values
    )
    off = sum(
        p * (columns[one] + rows[other]) ** 2 for (one, other), p in cells.items() if one != other
    ) * (1 - kappa) ** 2  # fmt: skip
    variance = (on + off - (kappa - chance * (1 - kappa)) ** 2) / (total * (1 - chance) ** 2)
    half = Z95 * math.sqrt(max(0.0, variance))
    return Kappa(first, second, observed, kappa, (max(-1.0, kappa - half), min(1.0, kappa + half)))


def fleiss(items: Mapping[tuple[int, ...], int]) -> float | None:
    """Fleiss' kappa (1971); items may have different numbers of verdicts, two at least.

    ``items``: how often each value was given to an item, to the number of such items. An item
    counts by its share of agreeing pairs of verdicts, whatever the number of its verdicts; with
    the same number for all this is the published formula. None where all verdicts are the same.
    """
    several = {values: count for values, count in items.items() if sum(values) > 1}
    total = sum(several.values())
    if not total:
        return None
    agreeing = sum(
        count * sum(value * (value - 1) for value in values) / (sum(values) * (sum(values) - 1))
        for values, count in several.items()
    )
    verdicts = sum(count * sum(values) for values, count in several.items())
    width = max(len(values) for values in several)
    given = [sum(count * values[at] for values, count in several.items()) for at in range(width)]
    chance = sum((one / verdicts) ** 2 for one in given)
    if 1 - chance < _NOTHING:
        return None
    return (agreeing / total - chance) / (1 - chance)


def krippendorff_alpha(items: Mapping[tuple[int, ...], int]) -> float | None:
    """Krippendorff's alpha for nominal values, by the krippendorff package.

    ``items`` as for ``fleiss``. None where there is nothing to compare. Raises ImportError
    without the package, which is GPL-3 and so is not required (docs/decisions).
    """
    import krippendorff
    import numpy

    several = {tuple(values): count for values, count in items.items() if sum(values) > 1}
    if (
        not several
        or sum(any(values[at] for values in several) for at in range(len(next(iter(several))))) < 2
    ):
        return None
    counts = numpy.repeat(
        numpy.array(list(several), dtype=numpy.int64), list(several.values()), axis=0
    )  # one row an item
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def self_agreement(same: int, left_twice: int, right_twice: int, total: int) -> SelfAgreement:
    """Of ``total`` hidden repeats, how many were judged the same."""
    agreed = share(same, total)
    return SelfAgreement(
        agreed, left_twice, right_twice, None if agreed.rate is None else accuracy_ceiling(agreed.rate)
    )


def accuracy_ceiling(rate: float) -> float | None:
    """The accuracy p of a labeller whose two independent verdicts agree with this rate.

    They agree when both are right or both wrong, p² + (1 − p)²; so p = (1 + √(2·rate − 1)) / 2.
    No model can be right more often than the labels it is measured against. None below one half.
    """
    return None if rate < 0.5 else (1 + math.sqrt(2 * rate - 1)) / 2
