"""Where rankings are written, with the pairs and verdicts that follow from each."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Collection, Sequence
from typing import cast

import duckdb

from rlft_tui.database.connection import Database
from rlft_tui.errors import NotFoundError
from rlft_tui.ids import derived_id
from rlft_tui.labels import preferences_table, rankings_table
from rlft_tui.labels.label_book import LabelBook, LabelTransaction, check_undo, stamped
from rlft_tui.labels.operations import Operation
from rlft_tui.labels.preference import Choice, Preference, Revocation, Side
from rlft_tui.labels.ranking import (
    RANKING_SOURCE,
    AnswerSet,
    RankedPair,
    Ranking,
    RankItem,
    RankPage,
    RankProgress,
    check_ranking,
    decompose,
)
from rlft_tui.pairs.pairs_table import add_pairs, count_pairs, pair_digest

PROMPTS = 2000
"""Prompts of stored pairs looked at in one go: a million pairs hold more sets than anybody ranks."""


class RankBook:
    """Every ranking. Safe to use from several threads."""

    def __init__(self, database: Database, labels: LabelBook) -> None:
        self._database = database
        self._labels = labels
        self._lock = threading.Lock()
        self._pairs = -1
        """Pairs that were stored when sets were last made of them."""
        self._looked_at = 0
        """Prompts of theirs that were looked at."""
        self._more = True
        """Whether there may be prompts that were not."""

    def add(self, ranking: Ranking) -> RankProgress:
        """Store a ranking, its pairs and their verdicts in one step. Safe to repeat."""
        check_ranking(ranking)
        with self._labels.transaction() as writing:
            if not preferences_table.is_stored(writing.connection, ranking):
                _store(writing, stamped(ranking))
        return self.progress(ranking.labeler_id)

    def undo(self, revocation: Revocation) -> RankProgress:
        """Take a ranking back, and every verdict that came from it. Safe to repeat.

        Its pairs stay: verdicts of others may stand on them.
        """
        with self._labels.transaction() as writing:
            connection = writing.connection
            if not preferences_table.is_stored(connection, revocation):
                target = rankings_table.find_ranking(connection, revocation.target_id)
                if target is None:
                    raise NotFoundError(f"nothing to undo: no ranking {revocation.target_id}")
                check_undo(connection, revocation, target, "ranking")
                _take_back(writing, target, stamped(revocation))
        return self.progress(revocation.labeler_id)

    def add_sets(self, sets: Sequence[AnswerSet]) -> int:
        """Store sets to be ranked; how many were new."""
        with self._database.write(checkpoint=True) as connection:
            return rankings_table.add_sets(connection, sets)

    def next(self, labeler: str, limit: int, exclude: Collection[str] = ()) -> RankPage:
        """The labeller's next sets that are not in ``exclude``, each in an order of its own to be shown.

        Prompts with three or more stored answers become sets as they are needed, and all are looked
        at again after pairs were added; ``remaining`` counts those that are sets by now.
        """
        wanted = limit + len(exclude)
        more = self._gather()
        while True:
            with self._database.reader() as connection:
                found = rankings_table.unranked_sets(connection, labeler, wanted)
            if len(found) >= wanted or not more:
                break
            more = self._gather(further=True)
        items = [RankItem(one, shown_order(labeler, one)) for one in found if one.id not in exclude][:limit]
        return RankPage(tuple(items), self.progress(labeler))

    def progress(self, labeler: str) -> RankProgress:
        with self._database.reader() as connection:
            return RankProgress(*rankings_table.count_rankings(connection, labeler))

    def _gather(self, *, further: bool = False) -> bool:
        """Make sets of the first prompts, or of ``further`` ones; whether there may be more."""
        with self._lock:
            with self._database.reader() as connection:
                if (pairs := count_pairs(connection)) != self._pairs:
                    self._pairs, self._looked_at, self._more = pairs, 0, True
                if not self._more or (self._looked_at and not further):
                    return self._more
                sets, self._more = rankings_table.gather_sets(
                    connection, time.time(), offset=self._looked_at, limit=PROMPTS
                )
                self._looked_at += PROMPTS
            if sets:
                self.add_sets(sets)
            return self._more


def shown_order(labeler: str, answers: AnswerSet) -> tuple[int, ...]:
    """Random over sets and labellers, the same each time for one of each."""
    order = list(range(len(answers.responses)))
    random.Random(f"rlft-1\x1f{labeler}\x1f{answers.id}").shuffle(order)
    return tuple(order)


def _store(writing: LabelTransaction, ranking: Ranking) -> None:
    connection = writing.connection
    ranked = decompose(ranking)
    known = _stored_pairs(connection, ranked)
    add_pairs(connection, [one.pair for one in ranked if one.pair.id not in known])
    verdicts = [_verdict(ranking, one, known.get(one.pair.id)) for one in ranked]
    operations: tuple[Operation, ...] = (ranking, *verdicts)
    for operation in operations:
        preferences_table.insert_operation(connection, operation)
        writing.operations.append(operation)


def _stored_pairs(
    connection: duckdb.DuckDBPyConnection, ranked: Sequence[RankedPair]
) -> dict[str, tuple[str, bool]]:
    """Pairs of the same content that stand already, whichever side is a: their id, and whether swapped."""
    digests: dict[str, tuple[str, bool]] = {}
    for one in ranked:
        pair = one.pair
        a, b = (pair.response_a, pair.model_a), (pair.response_b, pair.model_b)
        for swapped, first, second in ((True, b, a), (False, a, b)):
            digest = pair_digest(pair.prompt, pair.context, first[0], second[0], first[1], second[1])
            digests[digest] = (pair.id, swapped)
    found = rankings_table.ids_by_digest(connection, list(digests))
    return {digests[digest][0]: (stored, digests[digest][1]) for digest, stored in found.items()}


_OTHER: dict[str, str] = {"a": "b", "b": "a", "tie": "tie"}


def _verdict(ranking: Ranking, one: RankedPair, stored: tuple[str, bool] | None) -> Preference:
    pair_id, swapped = stored or (one.pair.id, False)
    return Preference(
        id=one.verdict_id,
        example_id=pair_id,
        labeler_id=ranking.labeler_id,
        choice=cast("Choice", _OTHER[one.choice] if swapped else one.choice),
        shown_first=cast("Side", _OTHER[one.shown_first] if swapped else one.shown_first),
        reasoning=ranking.notes,
        source=RANKING_SOURCE + ranking.id,
        created_at=ranking.created_at,
        quality=ranking.quality,
    )


def _take_back(writing: LabelTransaction, ranking: Ranking, revocation: Revocation) -> None:
    own = [
        Revocation(
            derived_id("revocation", revocation.id, one.verdict_id),
            one.verdict_id,
            ranking.labeler_id,
            revocation.created_at,
        )
        for one in decompose(ranking)
        if not preferences_table.is_revoked(writing.connection, one.verdict_id)
    ]
    for operation in (revocation, *own):
        preferences_table.insert_operation(writing.connection, operation)
        writing.operations.append(operation)
