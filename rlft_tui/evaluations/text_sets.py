"""Sets of texts for the same prompts, measured side by side: compliance, diversity, fluency.

Every figure has its n and its 95 % interval; changes against the first set are taken prompt by prompt.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from msgspec import field
from msgspec.structs import replace

from rlft_tui.errors import RlftError
from rlft_tui.evaluations.statistics import NOTHING, Estimate, jackknife, mean, ratio, share
from rlft_tui.evaluations.text_quality import distinct_n, distinct_n_without_each, self_bleu
from rlft_tui.record import Record
from rlft_tui.rewards.reward_function import words


class TextRow(Record, frozen=True):
    """One text and what is known of it."""

    prompt: str
    text: str
    reward: float | None = None
    constraints: Mapping[str, bool] = field(default_factory=dict)
    """By name, whether the text keeps it."""
    nats: float | None = None
    """-log p of the text under the model that fluency is measured with."""
    tokens: int = 0


class TextSet(Record, frozen=True):
    """The texts of one model, or of one way of choosing them."""

    name: str
    rows: tuple[TextRow, ...]


class Figure(Record, frozen=True):
    """One measure of one set."""

    name: str
    unit: str
    estimate: Estimate
    change: Estimate = NOTHING
    """Mean over the prompts of this set's mean less the first set's; empty for the first set, and for what
    is not a mean over texts."""
    better: str = ""
    """more, less, or empty where neither is better by itself."""


class Measured(Record, frozen=True):
    """All figures of one set."""

    name: str
    texts: int
    prompts: int
    figures: tuple[Figure, ...]


def same_size(sets: Sequence[TextSet]) -> tuple[TextSet, ...]:
    """The prompts that all sets have, and of each as many texts as the smallest set has, the first ones.

    Shares of distinct words fall with the number of texts: only sets of one size are compared.
    """
    counted = [_by_prompt(one) for one in sets]
    common = {prompt for prompt in counted[0] if all(prompt in other for other in counted)}
    if not common:
        raise RlftError("the files have no prompt in common", where=", ".join(one.name for one in sets))
    most = {prompt: min(len(other[prompt]) for other in counted) for prompt in common}
    kept = []
    for one, by_prompt in zip(sets, counted, strict=True):
        rows = [
            row for prompt, found in by_prompt.items() if prompt in common for row in found[: most[prompt]]
        ]
        kept.append(replace(one, rows=tuple(rows)))
    return tuple(kept)


def measure(sets: Sequence[TextSet]) -> tuple[Measured, ...]:
    """The figures of each set; the sets have the same prompts (``same_size``)."""
    first = sets[0]
    return tuple(
        Measured(one.name, len(one.rows), len(_by_prompt(one)), tuple(_figures(one, first))) for one in sets
    )


def _figures(one: TextSet, first: TextSet) -> list[Figure]:
    rows = one.rows
    texts = [row.text for row in rows]
    found: list[Figure] = []

    def of_each(
        name: str, unit: str, value: Callable[[TextRow], float | None], better: str, *, shares: bool = False
    ) -> None:
        values = [number for row in rows if (number := value(row)) is not None]
        if values:
            estimate = share(values) if shares else mean(values)
            found.append(Figure(name, unit, estimate, _change(one, first, value), better))

    if rows and rows[0].constraints:
        of_each("compliance", "share", lambda row: float(all(row.constraints.values())), "more", shares=True)
        for name in rows[0].constraints:
            of_each(name, "share", lambda row, name=name: float(row.constraints[name]), "more", shares=True)  # type: ignore[misc]
    of_each("reward", "", lambda row: row.reward, "more")
    for n in (1, 2):
        value = distinct_n(texts, n)
        estimate = jackknife(value, distinct_n_without_each(texts, n))
        found.append(Figure(f"distinct-{n}", "share", estimate, better="more"))
    different = len({" ".join(text.split()).casefold() for text in texts}) / len(texts)
    found.append(Figure("different texts", "share", Estimate(different, len(texts)), better="more"))
    alike = [self_bleu([row.text for row in group]) for group in _by_prompt(one).values() if len(group) > 1]
    if alike:
        found.append(Figure("self-BLEU", "of a prompt's texts", mean(alike), better="less"))
    weighed = [row for row in rows if row.nats is not None and row.tokens]
    if weighed:
        nats, tokens = [row.nats or 0.0 for row in weighed], [float(row.tokens) for row in weighed]
        change = _change(one, first, lambda row: (row.nats or 0.0) / row.tokens if row.tokens else None)
        perplexity = ratio(nats, tokens, transform=lambda value: math.exp(min(value, 700.0)))
        found.append(Figure("perplexity", "change in nats/token", perplexity, change, "less"))
    of_each("words", "", lambda row: float(len(words(row.text))), "")
    return found


def _change(one: TextSet, first: TextSet, value: Callable[[TextRow], float | None]) -> Estimate:
    """Prompt by prompt, for answers to one prompt are more alike than answers to several."""
    if one is first:
        return NOTHING
    here, there = (_means(_by_prompt(each), value) for each in (one, first))
    return mean([here[prompt] - there[prompt] for prompt in here if prompt in there])


def _means(
    by_prompt: Mapping[str, Sequence[TextRow]], value: Callable[[TextRow], float | None]
) -> dict[str, float]:
    means = {}
    for prompt, rows in by_prompt.items():
        values = [number for row in rows if (number := value(row)) is not None]
        if values:
            means[prompt] = sum(values) / len(values)
    return means


def _by_prompt(one: TextSet) -> dict[str, list[TextRow]]:
    found: dict[str, list[TextRow]] = {}
    for row in one.rows:
        found.setdefault(row.prompt, []).append(row)
    return found
