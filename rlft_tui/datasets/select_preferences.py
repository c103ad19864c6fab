"""From verdicts to comparisons: one row a pair, by majority, and what is left out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from rlft_tui.datasets.rows import PreferenceRow
from rlft_tui.datasets.selection import (
    CONTRADICTION,
    EMPTY,
    FLAGGED,
    IDENTICAL,
    LOW_CONFIDENCE,
    OVERRULED,
    TIE,
    UNJUDGED,
    Selection,
)
from rlft_tui.datasets.verdicts_table import Verdict, WrittenAnswer
from rlft_tui.prompts.prompt import Message, conversation

_Question = tuple[str, tuple[Message, ...], frozenset[str]]


def select_rows(verdicts: Iterable[Verdict], *, min_confidence: int = 1) -> Selection[PreferenceRow]:
    """One row a pair: the majority's choice. What is not used is counted by its reason.

    Pairs with equal content count as one pair. Below the confidence asked for, or without
    one when more than 1 is asked for, a verdict is left out.
    """
    left_out: Counter[str] = Counter()
    groups: defaultdict[_Question, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if reason := unfit(verdict, min_confidence):
            left_out[reason] += 1
        else:
            answers = frozenset((verdict.response_a, verdict.response_b))
            groups[verdict.prompt, verdict.context, answers].append(verdict)
    rows = []
    for votes in groups.values():
        chosen, losing = _majority(votes)
        if losing:
            left_out.update(losing)
        if chosen:
            rows.append(_row(votes, chosen))
    return Selection(tuple(rows), dict(sorted(left_out.items())))


def select_written(answers: Iterable[WrittenAnswer]) -> Selection[PreferenceRow]:
    """A written answer is chosen over the one its writer judged better; over both after a tie."""
    left_out: Counter[str] = Counter()
    rows: dict[tuple[str, str, str], PreferenceRow] = {}
    for answer in answers:
        beaten = {"a": [answer.response_a], "b": [answer.response_b]}.get(
            answer.choice, [answer.response_a, answer.response_b] if answer.choice else []
        )
        if answer.flagged:
            left_out[FLAGGED] += 1
        elif not beaten:
            left_out[UNJUDGED] += 1
        elif answer.text.strip() in (answer.response_a.strip(), answer.response_b.strip()):
            left_out[IDENTICAL] += 1
        else:
            for rejected in filter(str.strip, beaten):
                row = PreferenceRow(
                    prompt=conversation(answer.prompt, answer.context),
                    chosen=[{"role": "assistant", "content": answer.text}],
                    rejected=[{"role": "assistant", "content": rejected}],
                    example_id=answer.example_id,
                    category=answer.category,
                )
                rows.setdefault((answer.example_id, answer.text, rejected), row)
    return Selection(tuple(rows.values()), dict(sorted(left_out.items())))


def with_margins(selection: Selection[PreferenceRow]) -> Selection[PreferenceRow]:
    """Once one row has a margin every row has: 0, which asks for none, where none was given."""
    if all(row.margin is None for row in selection.rows):
        return selection
    return replace(selection, rows=tuple(replace(row, margin=row.margin or 0.0) for row in selection.rows))


def unfit(verdict: Verdict, min_confidence: int) -> str:
    """Why a verdict on its own cannot be used; empty when it can."""
    if verdict.flagged:
        return FLAGGED
    if verdict.response_a == verdict.response_b:
        return IDENTICAL
    if not verdict.response_a.strip() or not verdict.response_b.strip():
        return EMPTY
    if min_confidence > 1 and (verdict.confidence or 0) < min_confidence:
        return LOW_CONFIDENCE
    return ""


def _majority(votes: Sequence[Verdict]) -> tuple[str, Counter[str]]:
    """The answer most verdicts chose (empty for none), and the verdicts it leaves out by reason."""
    if len(votes) == 1 and (only := _chosen(votes[0])):
        return only, Counter()
    count = Counter(_chosen(vote) for vote in votes)
    ranked = count.most_common()
    if len(ranked) > 1 and ranked[0][1] == ranked[1][1]:
        return "", Counter({CONTRADICTION: len(votes)})
    winner = ranked[0][0]
    if not winner:
        return "", Counter({TIE: len(votes)})
    ties = count[""]
    overruled = len(votes) - count[winner] - ties
    return winner, +Counter({TIE: ties, OVERRULED: overruled})


def _chosen(verdict: Verdict) -> str:
    return {"a": verdict.response_a, "b": verdict.response_b}.get(verdict.choice, "")


def _row(votes: Sequence[Verdict], chosen: str) -> PreferenceRow:
    first = min(votes, key=lambda vote: vote.example_id)
    rejected = first.response_b if chosen == first.response_a else first.response_a
    return PreferenceRow(
        prompt=conversation(first.prompt, first.context),
        chosen=[{"role": "assistant", "content": chosen}],
        rejected=[{"role": "assistant", "content": rejected}],
        example_id=first.example_id,
        category=first.category,
        margin=_margin([vote for vote in votes if _chosen(vote) == chosen]),
    )


def _margin(votes: Sequence[Verdict]) -> float | None:
    """Mean strength of the verdicts that won, from 0 (negligibly) to 1 (significantly); None without any.

    Llama 2 (arXiv 2307.09288), Table 27, "margin small". A margin that came with a verdict counts as it is.
    """
    if strengths := [vote.strength for vote in votes if vote.strength is not None]:
        return sum(strength - 1 for strength in strengths) / (3 * len(strengths))
    margins = [vote.margin for vote in votes if vote.margin is not None]
    return sum(margins) / len(margins) if margins else None
