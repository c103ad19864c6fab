"""Rows of one answer each: judged good or bad (KTO), or written to be imitated (SFT)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rlft_tui.datasets.datasets_table import Verdict, WrittenAnswer
from rlft_tui.prompts.prompt import conversation


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """One answer and whether it is wanted: TRL's unpaired preference format (KTO)."""

    prompt: list[dict[str, str]]
    """Messages up to and with the user's last turn."""
    completion: list[dict[str, str]]
    """One assistant message."""
    label: bool
    example_id: str
    labeler_id: str
    category: str


@dataclass(frozen=True, slots=True)
class WrittenRow:
    """One answer to imitate: TRL's conversational prompt-completion format (SFT)."""

    prompt: list[dict[str, str]]
    completion: list[dict[str, str]]
    example_id: str
    labeler_id: str
    category: str


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
                yield JudgedRow(
                    prompt=prompt,
                    completion=[{"role": "assistant", "content": text}],
                    label=label,
                    example_id=verdict.example_id,
                    labeler_id=verdict.labeler_id,
                    category=verdict.category,
                )


def written_rows(answers: Iterable[WrittenAnswer]) -> Iterator[WrittenRow]:
    """Every written answer, judged pair or not; those on flagged pairs are left out."""
    for answer in answers:
        if not answer.flagged:
            yield WrittenRow(
                prompt=conversation(answer.prompt, answer.context),
                completion=[{"role": "assistant", "content": answer.text}],
                example_id=answer.example_id,
                labeler_id=answer.labeler_id,
                category=answer.category,
            )


def _labels(verdict: Verdict, decided: bool) -> tuple[bool, bool] | None:
    """Whether answer a and answer b are wanted; None when the verdict doesn't say."""
    if verdict.choice == "tie":
        return {"both_good": (True, True), "both_bad": (False, False)}.get(verdict.quality)
    return (verdict.choice == "a", verdict.choice == "b") if decided else None
