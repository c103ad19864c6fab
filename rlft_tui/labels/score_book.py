"""Where scores are written, and what each labeller is to score next."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass

from rlft_tui.database.connection import Database
from rlft_tui.errors import NotFoundError
from rlft_tui.labels import preferences_table
from rlft_tui.labels.feedback import (
    RECENT,
    Feedback,
    FeedbackProgress,
    ScoreItem,
    ScorePage,
    check_feedback,
    variation_warning,
)
from rlft_tui.labels.feedback_table import (
    count_unscored,
    find_feedback,
    score_summary,
    unscored_answers,
)
from rlft_tui.labels.label_book import LabelBook, check_undo, stamped
from rlft_tui.labels.preference import Revocation
from rlft_tui.pairs.pairs_table import count_pairs, pairs_by_ids

REFILL = 1000
"""Answers fetched by one scan of the pairs."""


@dataclass(slots=True)
class _Desk:
    """What one labeller has before them."""

    answers: list[tuple[str, str]]
    """(pair, side), the next first."""
    remaining: int
    complete: bool
    pairs: int
    """Pairs that were stored when it was read: once there are more it is read again."""


class ScoreBook:
    """Every score. Safe to use from several threads."""

    def __init__(self, database: Database, labels: LabelBook) -> None:
        self._database = database
        self._labels = labels
        self._lock = threading.Lock()
        self._desks: dict[str, _Desk] = {}

    def add(self, one: Feedback) -> FeedbackProgress:
        """Store a score; it survives any crash once this returns. Safe to repeat."""
        check_feedback(one)
        with self._labels.transaction(queues=False) as writing:
            if not preferences_table.is_stored(writing.connection, one):
                dated = stamped(one)
                preferences_table.insert_operation(writing.connection, dated)
                writing.operations.append(dated)
        with self._lock:
            if (desk := self._desks.get(one.labeler_id)) is not None:
                self._take(desk, one)
        return self.progress(one.labeler_id)

    def undo(self, revocation: Revocation) -> FeedbackProgress:
        """Take a score back. NotFoundError, ConflictError as for verdicts. Safe to repeat."""
        with self._labels.transaction(queues=False) as writing:
            connection = writing.connection
            if not preferences_table.is_stored(connection, revocation):
                target = find_feedback(connection, revocation.target_id)
                if target is None:
                    raise NotFoundError(f"nothing to undo: no score {revocation.target_id}")
                check_undo(connection, revocation, target, "score")
                dated = stamped(revocation)
                preferences_table.insert_operation(connection, dated)
                writing.operations.append(dated)
        with self._lock:
            self._desks.pop(revocation.labeler_id, None)
        return self.progress(revocation.labeler_id)

    def next(self, labeler: str, limit: int, exclude: Collection[str] = ()) -> ScorePage:
        """The labeller's next answers that are not in ``exclude`` (see ``ScoreItem.key``)."""
        with self._lock:
            desk = self._desk(labeler, limit + len(exclude))
            wanted = [(pair, side) for pair, side in desk.answers if f"{pair}#{side}" not in exclude][:limit]
        with self._database.reader() as connection:
            found = {pair.id: pair for pair in pairs_by_ids(connection, [pair for pair, _ in wanted])}
        items = tuple(
            ScoreItem(found[pair], "a" if side == "a" else "b") for pair, side in wanted if pair in found
        )
        return ScorePage(items, self.progress(labeler))

    def progress(self, labeler: str) -> FeedbackProgress:
        with self._lock:
            remaining = self._desk(labeler).remaining
        with self._database.reader() as connection:
            scored, mean, std, recent = score_summary(connection, labeler, RECENT)
        return FeedbackProgress(scored, remaining, mean, std, variation_warning(recent))

    def _desk(self, labeler: str, wanted: int = 0) -> _Desk:
        desk = self._desks.get(labeler)
        with self._database.reader() as connection:
            pairs = count_pairs(connection)
            short = desk is not None and len(desk.answers) < wanted and not desk.complete
            if desk is None or short or desk.pairs != pairs:
                limit = max(REFILL, wanted)
                answers = unscored_answers(connection, labeler, limit)
                complete = len(answers) < limit
                remaining = len(answers) if complete else count_unscored(connection, labeler)
                desk = self._desks[labeler] = _Desk(answers, remaining, complete, pairs)
        return desk

    def _take(self, desk: _Desk, one: Feedback) -> None:
        """Take the scored answer off the desk; both sides where they are the same text."""
        here = [at for at in desk.answers if at[0] == one.example_id]
        if not here:
            return
        with self._database.reader() as connection:
            pairs = pairs_by_ids(connection, [one.example_id])
        for at in here:
            if pairs and ScoreItem(pairs[0], "a" if at[1] == "a" else "b").response == one.response:
                desk.answers.remove(at)
                desk.remaining -= 1
