"""From verdicts and scores to rows of one answer each: judged (KTO) or to be imitated (SFT)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from rlft_tui.datasets.rows import (
    CompletionRow,
    Conversation,
    JudgedRow,
    PreferenceRow,
    ScoredRow,
    answer_text,
)
from rlft_tui.datasets.score_scale import score_label
from rlft_tui.datasets.select_preferences import unfit
from rlft_tui.datasets.selection import (
    CONTRADICTION,
    EMPTY,
    FLAGGED,
    IDENTICAL,
    MEDIOCRE,
    OVERRULED,
    REPEATED,
    TIE,
    Selection,
)
from rlft_tui.datasets.verdicts_table import ScoredAnswer, Verdict, WrittenAnswer
from rlft_tui.prompts.prompt import conversation


def judged_rows(verdicts: Iterable[Verdict], *, decided: bool = True) -> Iterator[JudgedRow]:
    """Both good gives two wanted answers, both bad two unwanted ones, a winner one of each.

    A tie that says neither gives none, flagged pairs and empty answers neither. ``decided=False``
    leaves the winners out, whose preference rows say more. Labellers who disagree both count.
    """
    for verdict in verdicts:
        labels = _labels(verdict, decided)
        if labels is None or verdict.flagged:
            continue
        prompt = conversation(verdict.prompt, verdict.context)
        for text, label in zip((verdict.response_a, verdict.response_b), labels, strict=True):
            if text.strip():
                yield JudgedRow(prompt, _said(text), label, verdict.example_id, verdict.category)


def written_rows(answers: Iterable[WrittenAnswer]) -> Iterator[CompletionRow]:
    """Every written answer, judged pair or not; those on flagged pairs are left out."""
    for answer in answers:
        if not answer.flagged:
            yield CompletionRow(
                conversation(answer.prompt, answer.context),
                _said(answer.text),
                answer.example_id,
                answer.category,
            )


def select_judged(verdicts: Iterable[Verdict], *, min_confidence: int = 1) -> Selection[JudgedRow]:
    """The judged answers of verdicts, as often as they were judged."""
    left_out: Counter[str] = Counter()
    rows: list[JudgedRow] = []
    for verdict in verdicts:
        reason = unfit(verdict, min_confidence)
        if reason and reason not in (EMPTY, IDENTICAL):
            left_out[reason] += 1
            continue
        found = list(judged_rows([verdict]))
        if not found:
            left_out[TIE if verdict.choice == "tie" and not verdict.quality else EMPTY] += 1
        rows += found
    return Selection(tuple(rows), dict(left_out))


def select_scored(answers: Iterable[ScoredAnswer]) -> Selection[JudgedRow]:
    """Scored answers as wanted or unwanted, by the scoring guide."""
    left_out: Counter[str] = Counter()
    rows = []
    for answer in answers:
        if (label := score_label(answer.score)) is None:
            left_out[MEDIOCRE] += 1
            continue
        prompt = conversation(answer.prompt, answer.context)
        rows.append(
            JudgedRow(prompt, _said(answer.response), label, answer.id, answer.category, answer.score)
        )
    return Selection(tuple(rows), dict(left_out))


def scored_rows(answers: Iterable[ScoredAnswer]) -> Selection[ScoredRow]:
    """Every scored answer as often as it was scored: what labellers differ in is averaged by the fit."""
    rows = (
        ScoredRow(
            conversation(answer.prompt, answer.context),
            _said(answer.response),
            answer.score,
            answer.id,
            answer.category,
        )
        for answer in answers
    )
    return Selection(tuple(rows), {})


def settled(selection: Selection[JudgedRow]) -> Selection[JudgedRow]:
    """Each answer to a prompt once, with the label most of its rows have.

    An answer that is wanted as often as unwanted is left out. The score is the mean of
    those that agree; scores are dropped once a row has none.
    """
    left_out: Counter[str] = Counter()
    groups: defaultdict[str, list[JudgedRow]] = defaultdict(list)
    for row in selection.rows:
        groups[repr((row.prompt, answer_text(row.completion)))].append(row)
    kept = []
    for votes in groups.values():
        wanted = sum(row.label for row in votes)
        if 2 * wanted == len(votes):
            left_out[CONTRADICTION] += len(votes)
            continue
        agreeing = [row for row in votes if row.label is (2 * wanted > len(votes))]
        left_out.update({OVERRULED: len(votes) - len(agreeing), REPEATED: len(agreeing) - 1})
        scores = [row.score for row in agreeing if row.score is not None]
        kept.append(replace(agreeing[0], score=sum(scores) / len(scores) if scores else None))
    if any(row.score is None for row in kept):
        kept = [replace(row, score=None) for row in kept]
    return Selection(tuple(kept), selection.left_out) + Selection((), dict(+left_out))


def select_completions(
    preferences: Iterable[PreferenceRow], verdicts: Iterable[Verdict], answers: Iterable[WrittenAnswer]
) -> Selection[CompletionRow]:
    """Answers worth imitating: those that were written, else the winner or both good ones of a pair."""
    answers = list(answers)
    flagged = sum(answer.flagged for answer in answers)
    rows = list(written_rows(answers))
    written = {row.example_id for row in rows}
    both_good = judged_rows(verdict for verdict in verdicts if verdict.quality == "both_good")
    good = [CompletionRow(row.prompt, row.chosen, row.example_id, row.category) for row in preferences]
    good += [CompletionRow(row.prompt, row.completion, row.example_id, row.category) for row in both_good]
    rows += [row for row in good if row.example_id not in written]
    once = tuple({repr((row.prompt, row.completion)): row for row in reversed(rows)}.values())[::-1]
    left_out = Counter({FLAGGED: flagged, REPEATED: len(rows) - len(once)})
    return Selection(once, dict(+left_out))


def _said(text: str) -> Conversation:
    return [{"role": "assistant", "content": text}]


def _labels(verdict: Verdict, decided: bool) -> tuple[bool, bool] | None:
    """Whether answer a and answer b are wanted; None when the verdict doesn't say."""
    if verdict.choice == "tie":
        return {"both_good": (True, True), "both_bad": (False, False)}.get(verdict.quality)
    return (verdict.choice == "a", verdict.choice == "b") if decided else None
