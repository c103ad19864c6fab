"""A data set card: how the pairs were sampled and labelled, and how far labellers agreed."""

from __future__ import annotations

import statistics
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import combinations

from rlft_tui.counted import plural
from rlft_tui.datasets.exports.tally import Tally
from rlft_tui.labels.labelled_pair import ExportHead, LabelledPair
from rlft_tui.labels.preference import STRENGTHS, Choice
from rlft_tui.version import VERSION

_CHOICES: tuple[Choice, ...] = ("a", "b", "tie")
_SHOWN = 20
"""Names a list shows before it sums up the others."""


class CardFigures:
    """Counts what a card tells, while the pairs go by."""

    def __init__(self) -> None:
        self.pairs = self.verdicts = self.written = self.flagged = 0
        self.sources: Counter[str] = Counter()
        self.models: Counter[str] = Counter()
        self.categories: Counter[str] = Counter()
        self.labelers: Counter[str] = Counter()
        self.choices: Counter[str] = Counter()
        self.strengths: Counter[int] = Counter()
        self.origins: Counter[str] = Counter()
        self.seconds: array[float] = array("d")
        self.first, self.last = float("inf"), 0.0
        self.left = self.sided = self.longer = self.unequal = 0
        self.compared = self.same = self.twice = 0
        self.votes: Counter[tuple[int, ...]] = Counter()

    def counted(self, items: Iterable[LabelledPair]) -> Iterator[LabelledPair]:
        """The same pairs, counted."""
        for item in items:
            self._count_pair(item)
            yield item

    def _count_pair(self, item: LabelledPair) -> None:
        pair = item.pair
        self.pairs += 1
        self.flagged += item.flagged
        self.written += len(item.written)
        self.sources[pair.source or "-"] += 1
        self.models[f"{pair.model_a or '-'} | {pair.model_b or '-'}"] += 1
        self.categories[pair.category or "-"] += 1
        longer = (len(pair.response_a) > len(pair.response_b)) - (len(pair.response_a) < len(pair.response_b))
        for verdict in item.verdicts:
            self.verdicts += 1
            self.labelers[verdict.labeler_id] += 1
            self.choices[verdict.quality or verdict.choice] += 1
            self.origins[verdict.source] += 1
            if verdict.strength is not None:
                self.strengths[verdict.strength] += 1
            if verdict.time_spent_ms > 0:
                self.seconds.append(verdict.time_spent_ms / 1000)
            self.first = min(self.first, verdict.created_at)
            self.last = max(self.last, verdict.created_at)
            if verdict.choice == "tie":
                continue
            if verdict.source != "import":
                self.sided += 1
                self.left += verdict.choice == verdict.shown_first
            if longer:
                self.unequal += 1
                self.longer += verdict.choice == ("a" if longer > 0 else "b")
        choices = [verdict.choice for verdict in item.verdicts]
        if len(choices) > 1:
            self.twice += 1
            self.compared += len(choices) * (len(choices) - 1) // 2
            self.same += sum(one == two for one, two in combinations(choices, 2))
            self.votes[tuple(choices.count(choice) for choice in _CHOICES)] += 1


def nominal_alpha(votes: Counter[tuple[int, ...]]) -> float | None:
    """Krippendorff's alpha (2011) for nominal values; None where nothing differs or was judged twice.

    ``votes``: how often each value was given to a unit, to the number of such units.
    """
    several = {values: count for values, count in votes.items() if sum(values) > 1}
    totals = [
        sum(count * values[place] for values, count in several.items()) for place in range(len(_CHOICES))
    ]
    n = sum(totals)
    expected = n * n - sum(total * total for total in totals)
    if not expected:
        return None
    observed = sum(
        count * (sum(values) ** 2 - sum(value * value for value in values)) / (sum(values) - 1)
        for values, count in several.items()
    )
    return 1 - (n - 1) * observed / expected


def card(figures: CardFigures, head: ExportHead | None, tally: Tally, *, form: str, file: str) -> str:
    """The card as Markdown, with the front matter by which the hub and ``load_dataset`` find the file."""
    sections = [
        _front(form, file),
        "# Preferences\n\n"
        f"Written by rlft {VERSION} on {_day(time.time())}, format `{form}`: "
        f"{tally.rows} {plural(tally.rows, 'row')}" + (f" in `{file}`." if file else "."),
        _sampled(figures, head),
        _labelled(figures, tally),
        _agreed(figures),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _front(form: str, file: str) -> str:
    lines = ["---", "tags:", "- preference", "- rlft"]
    if file and form != "archive":
        lines += ["configs:", "- config_name: default", f"  data_files: {file}"]
    return "\n".join([*lines, "---"])


def _sampled(figures: CardFigures, head: ExportHead | None) -> str:
    stored = f" of {head.stored_pairs} in the workspace" if head else ""
    lines = ["## How it was sampled", "", f"- pairs with a label: {figures.pairs}{stored}"]
    lines += [f"- source {_named(figures.sources)}", f"- models (a | b) {_named(figures.models)}"]
    lines += [f"- category {_named(figures.categories)}"]
    if figures.flagged:
        lines.append(f"- flagged as broken: {figures.flagged}")
    return "\n".join(lines)


def _labelled(figures: CardFigures, tally: Tally) -> str:
    lines = ["## How it was labelled", "", f"- verdicts: {figures.verdicts}"]
    if figures.verdicts:
        lines += [
            f"- labeller {_named(figures.labelers)}",
            f"- given by {_named(figures.origins)}",
            f"- choice {_named(figures.choices)}",
            f"- from {_day(figures.first)} to {_day(figures.last)}",
        ]
    if figures.strengths:
        names = Counter({STRENGTHS[step]: count for step, count in figures.strengths.items()})
        lines.append(f"- how much better {_named(names)}")
    if figures.written:
        lines.append(f"- better answers written: {figures.written}")
    if figures.seconds:
        lines.append(f"- median time of a verdict: {statistics.median(figures.seconds):.1f} s")
    if figures.sided:
        lines.append(f"- the left side was chosen in {figures.left / figures.sided:.1%} of {figures.sided}")
    if figures.unequal:
        lines.append(
            f"- the longer answer was chosen in {figures.longer / figures.unequal:.1%} of {figures.unequal}"
        )
    if tally.left_out:
        lines.append(f"- not in the file {_named(tally.left_out)}")
    return "\n".join(lines)


def _agreed(figures: CardFigures) -> str:
    lines = ["## How far labellers agreed", ""]
    if not figures.compared:
        return "\n".join([*lines, "No pair was judged by two labellers, so agreement is not known."])
    alpha = nominal_alpha(figures.votes)
    lines += [
        f"- pairs judged by two or more: {figures.twice}",
        f"- two verdicts on a pair are the same in {figures.same / figures.compared:.1%} "
        f"of {figures.compared} comparisons",
        "- Krippendorff's alpha (nominal): " + ("not defined" if alpha is None else f"{alpha:.3f}"),
    ]
    return "\n".join(lines)


def _named(counts: Counter[str]) -> str:
    shown = [f"`{_harmless(name)}` {count}" for name, count in counts.most_common(_SHOWN)]
    more = len(counts) - len(shown)
    return "— " + ", ".join(shown) + (f", and {more} others" if more > 0 else "")


def _harmless(name: str) -> str:
    """A foreign name on one line of Markdown code."""
    return "".join(letter if letter.isprintable() and letter != "`" else "·" for letter in name)[:80]


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(moment))
