"""Freeze the current verdicts into a training set."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rlft_tui.database.connection import Database
from rlft_tui.datasets.dataset import Dataset, DatasetSpec
from rlft_tui.datasets.dataset_files import DatasetRow, content_hash, encode_rows, write_dataset
from rlft_tui.datasets.datasets_table import (
    Verdict,
    WrittenAnswer,
    add_dataset,
    current_verdicts,
    require_free_name,
    written_answers,
)
from rlft_tui.errors import RlftError
from rlft_tui.paths import Workspace
from rlft_tui.prompts.prompt import Message, conversation

TIE = "tie"
IDENTICAL = "identical answers"
EMPTY = "empty answer"
FLAGGED = "flagged"
LOW_CONFIDENCE = "low confidence"
CONTRADICTION = "contradiction"
"""Verdicts on a pair of which no side has the most."""
OVERRULED = "overruled"
"""Verdicts against the majority on their pair."""
UNJUDGED = "better answer without a verdict"

_Question = tuple[str, tuple[Message, ...], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows that verdicts amount to, before they are split."""

    rows: tuple[DatasetRow, ...]
    left_out: dict[str, int]
    """Verdicts not used, by reason."""


def build_dataset(database: Database, workspace: Workspace, spec: DatasetSpec, *, now: float) -> Dataset:
    """Freeze the verdicts a spec asks for, write them to ``datasets/<hash>/`` and record them.

    The same verdicts and spec give the same hash and the data set that is already there.
    Raises RlftError when nothing is left to train on, ConflictError when the name is taken.
    """
    _check(spec)
    with database.reader() as connection:
        verdicts = current_verdicts(connection, spec)
        written = written_answers(connection, spec) if spec.better_answers else []
    selection = with_margins(
        _joined(select_rows(verdicts, min_confidence=spec.min_confidence), select_written(written))
    )
    if not selection.rows:
        raise RlftError(_nothing(verdicts, selection), remedy="Label some pairs first: rlft label")
    train, heldout = split_rows(selection.rows, heldout_fraction=spec.heldout_fraction, seed=spec.seed)
    train_file, heldout_file = encode_rows(train), encode_rows(heldout)
    digest = content_hash(train_file, heldout_file)
    folder = workspace.datasets / digest
    dataset = Dataset(
        hash=digest,
        name=spec.name,
        path=str(folder),
        train_rows=len(train),
        heldout_rows=len(heldout),
        created_at=now,
        left_out=selection.left_out,
    )
    with database.reader() as connection:
        require_free_name(connection, spec.name, digest)
    # Outside the transaction: a large file must not keep labellers waiting.
    write_dataset(folder, dataset, spec, train_file, heldout_file)
    with database.write(checkpoint=True) as connection:
        return add_dataset(connection, dataset, spec)


def select_rows(verdicts: Iterable[Verdict], *, min_confidence: int = 1) -> Selection:
    """One row a pair: the majority's choice. What is not used is counted by its reason.

    Pairs with equal content count as one pair. Below the confidence asked for, or without
    one when more than 1 is asked for, a verdict is left out.
    """
    left_out: Counter[str] = Counter()
    groups: defaultdict[_Question, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if reason := _unfit(verdict, min_confidence):
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


def select_written(answers: Iterable[WrittenAnswer]) -> Selection:
    """A written answer is chosen over the one its writer judged better; over both after a tie."""
    left_out: Counter[str] = Counter()
    rows: dict[tuple[str, str, str], DatasetRow] = {}
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
                row = DatasetRow(
                    prompt=conversation(answer.prompt, answer.context),
                    chosen=[{"role": "assistant", "content": answer.text}],
                    rejected=[{"role": "assistant", "content": rejected}],
                    example_id=answer.example_id,
                    category=answer.category,
                )
                rows.setdefault((answer.example_id, answer.text, rejected), row)
    return Selection(tuple(rows.values()), dict(sorted(left_out.items())))


def with_margins(selection: Selection) -> Selection:
    """Once one row has a margin every row has: 0, which asks for none, where none was given."""
    if all(row.margin is None for row in selection.rows):
        return selection
    return replace(selection, rows=tuple(replace(row, margin=row.margin or 0.0) for row in selection.rows))


def _joined(first: Selection, second: Selection) -> Selection:
    left_out = Counter(first.left_out) + Counter(second.left_out)
    return Selection(first.rows + second.rows, dict(sorted(left_out.items())))


def split_rows(
    rows: Sequence[DatasetRow], *, heldout_fraction: float, seed: int = 0
) -> tuple[list[DatasetRow], list[DatasetRow]]:
    """Train and held-out rows, each in a fixed shuffled order.

    Prompts are split, not rows, and a prompt stays on its side when labels are added:
    its side follows from its text and the seed. Prompts that differ only in letter case
    or white space are one prompt. At least one prompt is held out when a share is asked
    for and there are two, and at least one is trained on.
    """
    ordered = sorted(rows, key=lambda row: _place(seed, row.example_id))
    keys = [prompt_key(row) for row in ordered]
    places = {prompt: _place(seed, prompt) for prompt in set(keys)}
    heldout: set[str] = set()
    if heldout_fraction > 0 and len(places) > 1:
        ranked = sorted(places, key=places.__getitem__)
        heldout = {prompt for prompt in ranked if places[prompt] < heldout_fraction} or {ranked[0]}
        heldout.discard(ranked[-1])
    sides: tuple[list[DatasetRow], list[DatasetRow]] = ([], [])
    for row, key in zip(ordered, keys, strict=True):
        sides[key in heldout].append(row)
    return sides


def prompt_key(row: DatasetRow) -> str:
    """What makes two rows ask the same: the last user turn, letter case and white space aside."""
    return " ".join(row.prompt[-1]["content"].casefold().split())


def _unfit(verdict: Verdict, min_confidence: int) -> str:
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


def _row(votes: Sequence[Verdict], chosen: str) -> DatasetRow:
    first = min(votes, key=lambda vote: vote.example_id)
    rejected = first.response_b if chosen == first.response_a else first.response_a
    return DatasetRow(
        prompt=conversation(first.prompt, first.context),
        chosen=[{"role": "assistant", "content": chosen}],
        rejected=[{"role": "assistant", "content": rejected}],
        example_id=first.example_id,
        category=first.category,
        margin=_margin([vote for vote in votes if _chosen(vote) == chosen]),
    )


def _margin(votes: Sequence[Verdict]) -> float | None:
    """Mean strength of the verdicts that won, from 0 (negligibly) to 1 (significantly); None without any.

    Llama 2 (arXiv 2307.09288), Table 27, "margin small".
    """
    strengths = [vote.strength for vote in votes if vote.strength is not None]
    return sum(strength - 1 for strength in strengths) / (3 * len(strengths)) if strengths else None


def _place(seed: int, text: str) -> float:
    """A number in [0, 1) that looks random and is always the same."""
    digest = hashlib.sha256(f"{seed}\x1f{text}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def _check(spec: DatasetSpec) -> None:
    if not 0 <= spec.heldout_fraction < 1:
        raise RlftError(
            f"the held-out share is {spec.heldout_fraction:g}", remedy="Give at least 0 and less than 1"
        )
    if not 1 <= spec.min_confidence <= 5:
        raise RlftError(f"the least confidence is {spec.min_confidence}", remedy="Give 1 to 5")


def _nothing(verdicts: Sequence[Verdict], selection: Selection) -> str:
    if not verdicts:
        return "there are no verdicts to train on"
    reasons = ", ".join(f"{count} {reason}" for reason, count in selection.left_out.items())
    return f"none of the {len(verdicts)} verdicts can be trained on ({reasons})"
