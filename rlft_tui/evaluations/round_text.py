"""A round in words, for screens and commands alike."""

from __future__ import annotations

from rlft_tui.counted import counted, plural
from rlft_tui.evaluations.round_standing import RoundStanding, Score


def rate_text(score: Score | None) -> str:
    """``64 % (41–83)``, or a dash before the first verdict."""
    if score is None or not score.n:
        return "–"
    low, high = score.ci95
    return f"{score.win_rate:.0f} % ({low:.0f}–{high:.0f})"


def judged_text(one: RoundStanding) -> str:
    """``14/20``, or a dash without pairs."""
    return f"{one.judged:,}/{one.pairs:,}" if one.pairs else "–"


def stage_text(one: RoundStanding) -> str:
    """The state in two or three words."""
    if one.stage == "told":
        return "ahead" if one.people.is_ahead else "behind"
    if one.stage == "promoted":
        return "promoted, current" if one.is_current else "promoted"
    return {
        "waiting": "pairs to come",
        "generating": "making pairs",
        "judging": "to be judged",
        "judged": "not told apart",
        "no pairs": "no pairs",
        "rejected": "rejected",
    }[one.stage]


def data_text(one: RoundStanding) -> str:
    """Name and rows of the data that the model was trained on."""
    name = one.dataset_name or one.round.dataset
    return f"{name} ({one.dataset_rows:,})" if one.dataset_rows else name


def advice(one: RoundStanding) -> str:
    """Where it stands and what to do about it, in one sentence or two."""
    model, opponent = one.round.model, one.round.opponent
    if one.stage == "promoted":
        rest = "the current version" if one.is_current else "another version is current now"
        return f"Promoted: {rest}."
    if one.stage == "rejected":
        return f"Rejected: {opponent} stays." if one.round.kind == "round" else "Rejected."
    if one.round.trouble and not one.pairs:
        return f"No pairs: {one.round.trouble}"
    if one.stage == "no pairs":
        return f"No pairs were asked for: rlft loop pairs {one.round.id}"
    if one.stage == "waiting":
        return f"{model} and {opponent} are about to answer {counted(one.round.pairs, 'prompt')}."
    rate = f"{model} wins {rate_text(one.people)} of {_verdicts(one.people.n)} against {opponent}"
    if one.stage == "generating":
        if not one.pairs:
            return f"{model} and {opponent} are to answer; no pair is there yet."
        judged = f"{one.judged:,} of {counted(one.pairs, 'pair')}"
        return (
            f"{model} and {opponent} are answering; {judged} {plural(one.pairs, 'is', 'are')} judged so far."
        )
    if one.stage == "told":
        return f"{rate}: {'better, promote it' if one.people.is_ahead else 'worse, reject it'}."
    wait = f"{one.left:,} {'pair waits' if one.left == 1 else 'pairs wait'} for a verdict"
    if not one.people.n:
        return f"{wait}: {model} against {opponent}, blind."
    more = f"about {one.people.more:,} more would tell" if one.people.more else "too few to tell"
    return f"{rate}; {more}, {wait}." if one.left else f"{rate}; {more}, and every pair is judged."


def _verdicts(count: int) -> str:
    return f"{count:,} verdict{'' if count == 1 else 's'}"
