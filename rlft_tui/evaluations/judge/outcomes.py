"""From a run's calls to its verdicts: labels, and the results that reports show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from rlft_tui.evaluations.judge.judgement import JudgeItem, Judgement
from rlft_tui.evaluations.judge.messages import calls_for
from rlft_tui.evaluations.judge.rubric import Mode
from rlft_tui.evaluations.judge.verdict import (
    OneOrder,
    PairVerdict,
    combined,
    expected_rating,
    reason_in,
)
from rlft_tui.ids import derived_id
from rlft_tui.labels.feedback import LIKERT_STEPS, Feedback
from rlft_tui.labels.preference import Preference
from rlft_tui.record import Record
from rlft_tui.runs.specs.judge import JudgeSpec

SOURCE = "judge"
"""Of a judge's verdicts, as ``human`` is of a person's."""
MOST_REASON = 4000
"""Characters of a reason that is kept with a label; the whole answer stays with the call."""


class Outcome(Record, frozen=True):
    """An item all of whose calls were answered."""

    item: JudgeItem
    mode: Mode
    calls: tuple[Judgement, ...]
    verdict: PairVerdict | None = None
    """None where an order gave no label, and for ratings."""
    rating: int | None = None
    """1 to 5; None where there is none, and for pairs."""

    @property
    def expected(self) -> float | None:
        """The rating weighed by the judge's own probabilities, where they are known."""
        chances = self.calls[0].chances if self.rating is not None else None
        return expected_rating(chances) if chances else None

    @property
    def reason(self) -> str:
        """What the judge said, in the order of the calls."""
        texts = [
            reason_in(call.answer, self.mode) if call.status == "parsed" else call.answer
            for call in self.calls
        ]
        heads = ("", "Other order: ") if len(texts) > 1 else ("",)
        parts = [head + text for head, text in zip(heads, texts, strict=True) if text]
        return "\n\n".join(parts)[:MOST_REASON]


def outcomes(
    spec: JudgeSpec, items: Iterable[JudgeItem], judgements: Iterable[Judgement]
) -> Iterator[Outcome]:
    """Each item that has been answered in all its orders, in the order of the items."""
    found: defaultdict[str, dict[str, Judgement]] = defaultdict(dict)
    for one in judgements:
        found[one.item_id][one.id] = one
    for item in items:
        wanted = [call.id for call in calls_for(spec.id, [item], spec.mode, both_orders=spec.both_orders)]
        there = found.get(item.id, {})
        if all(call in there for call in wanted):
            yield outcome(spec, item, [there[call] for call in wanted])


def outcome(spec: JudgeSpec, item: JudgeItem, calls: Sequence[Judgement]) -> Outcome:
    """What the calls about one item say together."""
    labelled = all(call.label for call in calls)
    if spec.mode == "rating":
        return Outcome(item, "rating", tuple(calls), rating=int(calls[0].label) if labelled else None)
    orders = [OneOrder(call.first, call.label, call.chances) for call in calls]
    return Outcome(item, "pair", tuple(calls), verdict=combined(orders, spec.combine) if labelled else None)


def label_of(spec: JudgeSpec, one: Outcome) -> Preference | Feedback | None:
    """The label that an outcome becomes; None for one without a verdict or without a stored pair."""
    made = max(call.created_at for call in one.calls)
    seconds = sum(call.seconds for call in one.calls)
    if one.verdict is not None and one.item.example_id:
        return Preference(
            id=derived_id(spec.id, one.item.id, "verdict"),
            example_id=one.item.example_id,
            labeler_id=spec.labeler,
            choice=one.verdict.choice,
            shown_first=one.calls[0].first,
            reasoning=one.reason,
            time_spent_ms=round(1000 * seconds),
            source=SOURCE,
            created_at=made,
        )
    if one.rating is not None and one.item.prompt.strip() and one.item.response_a.strip():
        return Feedback(
            id=derived_id(spec.id, one.item.id, "rating"),
            prompt=one.item.prompt,
            response=one.item.response_a,
            score=(one.rating - 1) / (LIKERT_STEPS - 1),
            kind="likert",
            labeler_id=spec.labeler,
            example_id=one.item.example_id,
            model=one.item.model_a,
            run_id=spec.id,
            notes=one.reason,
            created_at=made,
        )
    return None
