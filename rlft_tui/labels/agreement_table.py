"""SQL behind agreement: which verdicts met on the same pair."""

from __future__ import annotations

from collections import Counter

import duckdb

from rlft_tui.labels.agreement import (
    MISSING_PACKAGE,
    Agreement,
    Kappa,
    cohen,
    fleiss,
    krippendorff_alpha,
)
from rlft_tui.labels.intervals import share

MOST_PAIRS = 50
"""Pairs of labellers that are listed."""
HUMAN = "human"
Met = tuple[str, str]


def agreement(connection: duckdb.DuckDBPyConnection, labeler: str = "") -> Agreement:
    """Between all labellers; with ``labeler`` between that one and each other."""
    patterns = _patterns(connection, labeler)
    between: dict[Met, Counter[Met]] = {}
    sources: dict[Met, Counter[Met]] = {}
    decided = Counter[bool]()
    for first, second, source1, source2, choice1, choice2, count in _met(connection, labeler):
        between.setdefault((first, second), Counter())[choice1, choice2] += count
        if "tie" not in (choice1, choice2):
            decided[choice1 == choice2] += count
        if (source1 == HUMAN) != (source2 == HUMAN):
            other, met = (source2, (choice1, choice2)) if source1 == HUMAN else (source1, (choice2, choice1))
            sources.setdefault((HUMAN, other), Counter())[met] += count
    alpha, notes = _alpha(patterns)
    return Agreement(
        pairs_judged_twice=sum(patterns.values()),
        between=_kappas(between),
        decided=share(decided[True], decided.total()),
        fleiss=fleiss(patterns),
        alpha=alpha,
        notes=notes,
        sources=_kappas(sources),
    )


def _kappas(counts: dict[Met, Counter[Met]]) -> tuple[Kappa, ...]:
    found = [cohen(first, second, met) for (first, second), met in counts.items()]
    return tuple(sorted(found, key=lambda one: (-one.agreed.n, one.first, one.second))[:MOST_PAIRS])


def _alpha(patterns: dict[tuple[int, ...], int]) -> tuple[float | None, tuple[str, ...]]:
    if not patterns:
        return None, ()
    try:
        return krippendorff_alpha(patterns), ()
    except ImportError:
        return None, (MISSING_PACKAGE,)


def _patterns(connection: duckdb.DuckDBPyConnection, labeler: str) -> dict[tuple[int, ...], int]:
    """Verdicts for a, for b and for neither that a pair got, to the number of such pairs."""
    rows = connection.execute(
        """with judged as (
               select count(*) filter (choice = 'a') as a, count(*) filter (choice = 'b') as b,
                      count(*) filter (choice = 'tie') as neither
               from standing_preferences group by example_id
               having count(*) > 1
                  and ($labeler = '' or bool_or(labeler_id = $labeler)))
           select a, b, neither, count(*) from judged group by a, b, neither""",
        {"labeler": labeler},
    ).fetchall()
    return {(a, b, neither): count for a, b, neither, count in rows}


def _met(
    connection: duckdb.DuckDBPyConnection, labeler: str
) -> list[tuple[str, str, str, str, str, str, int]]:
    """Labellers, sources and choices of each two verdicts on one pair, and how often they met."""
    return connection.execute(
        """with verdicts as (
               select example_id, labeler_id, split_part(source, ':', 1) as source, choice
               from standing_preferences)
           select one.labeler_id, other.labeler_id, one.source, other.source, one.choice, other.choice,
                  count(*)
           from verdicts as one
           join verdicts as other
             on one.example_id = other.example_id and one.labeler_id < other.labeler_id
           where $labeler in ('', one.labeler_id, other.labeler_id)
           group by all""",
        {"labeler": labeler},
    ).fetchall()
