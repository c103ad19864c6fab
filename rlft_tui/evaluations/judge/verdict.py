"""What a judge's answer says, and what its answers in both orders say together.

An answer without a clear verdict stays one: it is counted as unparsable, and becomes neither a
score nor a tie.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from rlft_tui.evaluations.judge.rubric import Mode
from rlft_tui.labels.preference import Choice, Side
from rlft_tui.record import Record

LABELS: dict[Mode, tuple[str, ...]] = {"pair": ("A", "B", "tie"), "rating": ("1", "2", "3", "4", "5")}
"""What a judge may answer; A is the answer shown first."""
Combine = Literal["agree", "average"]

_MARKUP = re.compile(r"[*_`#\[\](){}<>\"'“”‘’]")
_PAIR = re.compile(
    r"\bverdict\s*(?:is)?\s*[:=\-–]?\s*(?:(?:answer|response)\s+)?(a|b|tie)\b(?!\s*(?:or|/|,))", re.I
)
_RATING = re.compile(
    r"\brating\s*(?:is)?\s*[:=\-–]?\s*([0-9]+(?:\.[0-9]+)?)(?:\s*(?:/|out of|of)\s*5)?(?![\d.]*\s*/)", re.I
)
_BARE: dict[Mode, re.Pattern[str]] = {
    "pair": re.compile(r"(?:(?:answer|response)\s+)?(a|b|tie)", re.I),
    "rating": re.compile(r"([1-5])(?:\s*/\s*5)?"),
}


def parse_verdict(text: str, mode: Mode) -> str:
    """The label that a judge's answer gives, empty where it gives none or several.

    Looked for in lines that say "Verdict:" or "Rating:", then in a last line that is nothing but a
    label. Markdown and quotation marks are passed over. Two lines that contradict give none.
    """
    plain = _MARKUP.sub("", text)
    pattern = _PAIR if mode == "pair" else _RATING
    said = [found.group(1) for found in pattern.finditer(plain)]
    if not said:
        lines = [line.strip().rstrip(".!") for line in plain.splitlines() if line.strip()]
        bare = _BARE[mode].fullmatch(lines[-1]) if lines else None
        said = [bare.group(1)] if bare else []
    labels = {_label(each, mode) for each in said}
    return labels.pop() if len(labels) == 1 else ""


def _label(said: str, mode: Mode) -> str:
    """The label itself; empty for a number that is none of 1 to 5."""
    if mode == "pair":
        return "tie" if said.lower() == "tie" else said.upper()
    whole = said[: -len(".0")] if said.endswith(".0") else said
    return whole if whole in LABELS["rating"] else ""


def reason_in(text: str, mode: Mode) -> str:
    """The judge's answer without the line of its verdict."""
    pattern = _PAIR if mode == "pair" else _RATING
    kept = [line for line in text.strip().splitlines() if not pattern.search(_MARKUP.sub("", line))]
    return "\n".join(kept).strip()


def choice_of(label: str, first: Side) -> Choice:
    """Which stored answer a label means, where the side ``first`` was shown as A."""
    if label == "tie":
        return "tie"
    other: Side = "b" if first == "a" else "a"
    return first if label == "A" else other


class OneOrder(Record, frozen=True):
    """A parsed answer in one order."""

    first: Side
    label: str
    chances: Mapping[str, float] | None = None
    """Probability of each label, where the judge is a model whose probabilities are read."""


class PairVerdict(Record, frozen=True):
    """What the orders say together."""

    choice: Choice
    consistent: bool
    """All orders gave the same choice."""
    chance: float | None = None
    """Mean probability of the choice over the orders, where it is known."""


def combined(orders: Sequence[OneOrder], combine: Combine) -> PairVerdict:
    """One verdict from all orders of a pair, each of which has a label.

    ``agree``: a side wins only where it wins in every order, else it is a tie (as in MT-Bench, Zheng
    et al. 2023). ``average``: the choice with the highest mean probability over the orders, which
    cancels what the judge gives to a place.
    """
    choices = [choice_of(one.label, one.first) for one in orders]
    consistent = len(set(choices)) == 1
    mean = _mean_chances(orders)
    if combine == "average" and mean:
        best = max(mean, key=lambda choice: (mean[choice], choice))
        return PairVerdict(best, consistent, mean[best])
    choice: Choice = choices[0] if consistent else "tie"
    return PairVerdict(choice, consistent, mean.get(choice) if mean else None)


def _mean_chances(orders: Sequence[OneOrder]) -> dict[Choice, float]:
    if any(one.chances is None for one in orders):
        return {}
    sums: dict[Choice, float] = {"a": 0.0, "b": 0.0, "tie": 0.0}
    for one in orders:
        for label, chance in (one.chances or {}).items():
            sums[choice_of(label, one.first)] += chance / len(orders)
    return sums


def expected_rating(chances: Mapping[str, float]) -> float:
    """Mean of the rating over the judge's probabilities (as in G-Eval, Liu et al. 2023)."""
    return sum(int(label) * chance for label, chance in chances.items())


def mean_rating(labels: Iterable[str]) -> float | None:
    """Of labels that are ratings; None without any."""
    found = [int(label) for label in labels if label]
    return sum(found) / len(found) if found else None
