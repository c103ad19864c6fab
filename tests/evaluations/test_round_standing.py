"""Where a round stands, from the verdicts on its own pairs."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from msgspec.structs import replace

from rlft_tui.evaluations.round_standing import RoundStanding, Stage, score, stage_of
from rlft_tui.evaluations.round_text import advice, judged_text, rate_text, stage_text
from rlft_tui.evaluations.round_verdicts_table import RoundVerdicts, round_verdicts
from rlft_tui.evaluations.win_rate import ratings
from rlft_tui.labels.preference import LabelOperation, Mark, Preference
from rlft_tui.labels.preferences_table import insert_operations
from rlft_tui.models.round import Round
from rlft_tui.pairs.pairs_table import add_pairs
from rlft_tui.pairs.response_pair import ResponsePair


def pair(number: int, *, source: str = "run:r1-pairs", swapped: bool = False) -> ResponsePair:
    models = ("new", "old") if swapped else ("old", "new")
    return ResponsePair(
        f"p{number}", f"Question {number}?", "one", f"two {number}", *models, source=source, created_at=1.0
    )


def verdict(pair_id: str, choice: Any, labeler: str = "ada") -> Preference:
    return Preference(f"{pair_id}-{labeler}", pair_id, labeler, choice, created_at=2.0)


@pytest.fixture
def judged(fresh_db: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Seven pairs of a round, one of them flagged, and one that somebody compared outside of it."""
    pairs = [pair(0), pair(1, swapped=True), *(pair(n) for n in (2, 3, 4)), pair(5), pair(6)]
    add_pairs(fresh_db, [*pairs, pair(7, source="compare")])
    operations: list[LabelOperation] = [
        verdict("p0", "b"),
        verdict("p0", "a", "bob"),
        verdict("p1", "a"),
        verdict("p2", "tie"),
        verdict("p3", "a", "judge:tiny"),
        verdict("p4", "b"),
        verdict("p7", "b"),
        Mark("m", "p4", "bob", "flag", created_at=3.0),
    ]
    insert_operations(fresh_db, operations)
    return fresh_db


def test_only_its_own_pairs_count_people_and_judges_apart(judged: duckdb.DuckDBPyConnection) -> None:
    found = round_verdicts(judged, {"r1": ["r1-pairs"], "r2": []}, {"r1": "new", "r2": "x"})
    assert found == {"r1": RoundVerdicts(pairs=6, judged=3, people=(2, 1, 1), judges=(0, 1, 0))}
    assert round_verdicts(judged, {}, {}) == {}


def test_ratings_leave_judges_out_unless_asked(judged: duckdb.DuckDBPyConnection) -> None:
    assert {one.model: one.n for one in ratings(judged)} == {"new": 5, "old": 5}
    assert {one.model: one.n for one in ratings(judged, by="judge")} == {"old": 1, "new": 1}
    assert {one.model: one.n for one in ratings(judged, by="all")} == {"new": 6, "old": 6}
    assert {one.model: one.n for one in ratings(judged, by="bob")} == {"new": 1, "old": 1}
    assert ratings(judged, by="nobody") == ()


def test_the_score_is_the_new_models_whoever_leads() -> None:
    ahead, behind = score("new", "old", 15, 0, 0), score("new", "old", 0, 15, 0)
    assert (ahead.win_rate, ahead.state, ahead.is_ahead) == (100.0, "separated", True)
    assert (behind.win_rate, behind.state, behind.is_ahead) == (0.0, "separated", False)
    assert behind.ci95 == pytest.approx((100 - ahead.ci95[1], 100 - ahead.ci95[0]))
    assert score("new", "old", 0, 0, 0).ci95 == (0.0, 100.0)
    assert [score("new", "old", n, 0, 0).state for n in (13, 14)] == ["open", "separated"]


NOTHING = score("new", "old", 0, 0, 0)
FEW, MANY = score("new", "old", 3, 1, 0), score("new", "old", 15, 0, 0)


@pytest.mark.parametrize(
    ("stage", "about"),
    [
        ("promoted", {"decision": "promoted", "people": MANY}),
        ("rejected", {"decision": "rejected"}),
        ("told", {"people": MANY, "left": 4}),
        ("generating", {"generating": True}),
        ("judging", {"people": FEW, "left": 4}),
        ("judged", {"people": FEW}),
        ("waiting", {"wanted": True, "asked": False}),
        ("no pairs", {"wanted": True, "asked": False, "trouble": "no prompts"}),
        ("no pairs", {"wanted": False, "asked": False}),
    ],
)
def test_what_stage_a_round_is_in(stage: Stage, about: dict[str, Any]) -> None:
    rest = {"decision": "", "trouble": "", "wanted": True, "asked": True, "generating": False}
    assert stage_of(**{**rest, "people": NOTHING, "left": 0, **about}) == stage


def test_what_is_said_of_it() -> None:
    one = RoundStanding(Round("r1", "round", "new", "old", pairs=20), "judging", 20, 4, FEW, None)
    assert (rate_text(FEW), rate_text(NOTHING), judged_text(one)) == ("75 % (0–100)", "–", "4/20")
    assert advice(one) == (
        "new wins 75 % (0–100) of 4 verdicts against old; too few to tell, 16 pairs wait for a verdict."
    )
    told = replace(one, stage="told", people=MANY, judged=15)
    assert advice(told).endswith("against old: better, promote it.")
    assert stage_text(told) == "ahead"
    worse = replace(told, people=score("new", "old", 0, 15, 0))
    assert (stage_text(worse), advice(worse)[-17:]) == ("behind", "worse, reject it.")
    assert stage_text(replace(told, stage="promoted", is_current=True)) == "promoted, current"
    broken = replace(one.round, trouble="no prompts: import some")
    assert (
        advice(replace(one, round=broken, stage="no pairs", pairs=0)) == "No pairs: no prompts: import some"
    )
