"""A judge against people on the same answers, read from the labels and the judge's own calls."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import duckdb

from rlft_tui.errors import NotFoundError
from rlft_tui.evaluations.judge.request import Calibration, RatingsMet
from rlft_tui.labels.agreement import cohen
from rlft_tui.labels.bias_table import bias
from rlft_tui.labels.intervals import share
from rlft_tui.labels.labeler import JUDGE_PREFIX
from rlft_tui.models.name_hint import name_hint

_CHOICES = ("a", "b", "tie")


def judge_names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Every judge that has judged here."""
    rows = connection.execute("select distinct judge from judgements order by judge").fetchall()
    return [name for (name,) in rows]


def calibration(connection: duckdb.DuckDBPyConnection, judge: str, labeler: str = "") -> Calibration:
    """Of a judge by its name, against one labeller or (empty) whoever is no judge.

    NotFoundError with the nearest name when it has judged nothing here.
    """
    known = judge_names(connection)
    if judge not in known:
        remedy = name_hint(judge, known) if known else "Let one judge first: rlft judge run --judge NAME"
        raise NotFoundError(f"no judge called {judge!r} has judged here", remedy=remedy)
    met = Counter[tuple[str, str]]()
    judge_longer, judge_unequal, labeler_longer, labeler_unequal = 0, 0, 0, 0
    for person, model, longer, count in _met(connection, judge, labeler):
        met[person, model] += count
        if longer:
            judge_unequal += count * (model != "tie")
            judge_longer += count * (model == longer)
            labeler_unequal += count * (person != "tie")
            labeler_longer += count * (person == longer)
    alike, apart = _decided(met)
    calls = _calls(connection, judge)
    return Calibration(
        judge=judge,
        labeler=labeler,
        met=cohen(labeler or "people", JUDGE_PREFIX + judge, met),
        decided=share(alike, alike + apart),
        confusion={one: {other: met[one, other] for other in _CHOICES} for one in _CHOICES} if met else {},
        first_shown=share(calls["first"], calls["decided"]),
        orders_disagree=share(calls["disagree"], calls["twice"]),
        judge_longer=share(judge_longer, judge_unequal),
        labeler_longer=share(labeler_longer, labeler_unequal),
        self_agreement=bias(connection, labeler).everybody.repeats.same,
        unparsable=share(calls["unparsable"], calls["answered"]),
        ratings=_ratings(connection, judge, labeler),
        rubrics=_rubrics(connection, judge),
    )


def _met(connection: duckdb.DuckDBPyConnection, judge: str, labeler: str) -> list[tuple[str, str, str, int]]:
    """The person's choice, the judge's, which answer is longer (empty for neither), and how often."""
    return connection.execute(
        """select p.choice, j.choice,
                  case when length_a > length_b then 'a' when length_b > length_a then 'b' else '' end,
                  count(*)
           from standing_preferences as p
           join standing_preferences as j on j.example_id = p.example_id and j.labeler_id = $judge
           join examples as e on e.id = p.example_id
           where not starts_with(p.labeler_id, $prefix) and $labeler in ('', p.labeler_id)
           group by all""",
        {"judge": JUDGE_PREFIX + judge, "labeler": labeler, "prefix": JUDGE_PREFIX},
    ).fetchall()


def _decided(met: Counter[tuple[str, str]]) -> tuple[int, int]:
    """Pairs that neither called a tie: judged alike, and not."""
    decided = {both: count for both, count in met.items() if "tie" not in both}
    alike = sum(count for (person, model), count in decided.items() if person == model)
    return alike, sum(decided.values()) - alike


def _calls(connection: duckdb.DuckDBPyConnection, judge: str) -> dict[str, int]:
    """What the judge's calls lean to, whoever else judged the pairs."""
    rows = connection.execute(
        """with calls as (select * from judgements where judge = $judge),
                pairs as (
                    select run_id, item_id, count(*) as n, count(distinct
                        case when label = 'tie' then 'tie' when label = 'A' then first
                             when first = 'a' then 'b' else 'a' end) as said
                    from calls where status = 'parsed' and label in ('A', 'B', 'tie')
                    group by run_id, item_id)
           select (select count(*) filter (label = 'A') from calls),
                  (select count(*) filter (label in ('A', 'B')) from calls),
                  (select count(*) filter (said > 1) from pairs where n > 1),
                  (select count(*) from pairs where n > 1),
                  (select count(*) filter (status = 'unparsable') from calls),
                  (select count(*) filter (status <> 'refused') from calls)""",
        {"judge": judge},
    ).fetchall()
    return dict(
        zip(("first", "decided", "disagree", "twice", "unparsable", "answered"), rows[0], strict=True)
    )


def _ratings(connection: duckdb.DuckDBPyConnection, judge: str, labeler: str) -> RatingsMet:
    rows = connection.execute(
        """select p.score, j.score
           from current_feedback as p join current_feedback as j
             on j.prompt = p.prompt and j.response = p.response and j.labeler_id = $judge
           where not starts_with(p.labeler_id, $prefix) and $labeler in ('', p.labeler_id)""",
        {"judge": JUDGE_PREFIX + judge, "labeler": labeler, "prefix": JUDGE_PREFIX},
    ).fetchall()
    if not rows:
        return RatingsMet(0)
    person, model = zip(*rows, strict=True)
    difference = 4 * (sum(model) - sum(person)) / len(rows)
    return RatingsMet(len(rows), _spearman(person, model), difference)


def _spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Rank correlation, equal values sharing their mean rank."""
    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    from scipy.stats import spearmanr

    found = float(spearmanr(first, second).statistic)
    return None if math.isnan(found) else found


def _rubrics(connection: duckdb.DuckDBPyConnection, judge: str) -> tuple[str, ...]:
    rows: list[Any] = connection.execute(
        """select rubric, rubric_version from judgements where judge = ?
           group by all order by max(created_at) desc""",
        [judge],
    ).fetchall()
    return tuple(f"{name} {version}" for name, version in rows)
