"""Win rates reproduce a published figure and stay honest with few verdicts."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rlft_tui.errors import NotFoundError
from rlft_tui.evaluations.win_rate import rating, ratings
from rlft_tui.labels.preference import Choice, Mark, Preference, Revocation
from rlft_tui.labels.preferences_table import insert_operation, insert_operations
from rlft_tui.pairs.pairs_table import add_pairs
from rlft_tui.pairs.response_pair import ResponsePair

ALPACA = Path(__file__).resolve().parents[3] / "shared" / "data" / "alpaca_eval_ppo_human.jsonl"


def judge(
    connection: duckdb.DuckDBPyConnection,
    example: str,
    model_a: str,
    model_b: str,
    choice: Choice,
    labeler: str = "ada",
) -> None:
    add_pairs(connection, [ResponsePair(example, example, "x", "y", model_a, model_b)])
    insert_operation(connection, Preference(f"{labeler}-{example}", example, labeler, choice, created_at=1.0))


def test_the_published_alpaca_eval_figure_comes_out(fresh_db: duckdb.DuckDBPyConnection) -> None:
    if not ALPACA.exists():
        pytest.skip("the shared data is not here")
    rows = [json.loads(line) for line in ALPACA.read_text().splitlines()]
    add_pairs(
        fresh_db,
        [
            ResponsePair(
                f"e{number}",
                one["instruction"],
                one["output_1"],
                one["output_2"],
                one["generator_1"],
                one["generator_2"],
                one["dataset"],
            )
            for number, one in enumerate(rows)
        ],
    )
    choices: dict[int, Choice] = {0: "tie", 1: "a", 2: "b"}
    insert_operations(
        fresh_db,
        [
            Preference(f"v{number}", f"e{number}", one["annotator"], choices[round(one["preference"])])
            for number, one in enumerate(rows)
        ],
    )

    baseline, tuned = ratings(fresh_db)
    (against,) = ratings(fresh_db, against="text_davinci_003")

    assert replace(against, bt=tuned.bt, bt_ci95=tuned.bt_ci95) == tuned
    assert (tuned.bt, baseline.bt) == pytest.approx((-30.745, 30.745), abs=1e-3)
    assert against.bt == pytest.approx(2 * -30.745, abs=2e-3)
    assert tuned.model == "alpaca-farm-ppo-human"
    assert (tuned.wins, tuned.losses, tuned.ties, tuned.n) == (328, 469, 8, 805)
    assert tuned.win_rate == pytest.approx(41.242, abs=5e-4)
    assert tuned.stderr == pytest.approx(1.727, abs=5e-4)
    assert tuned.ci95 == pytest.approx((tuned.win_rate - 3.385, tuned.win_rate + 3.385), abs=0.1)
    assert (baseline.wins, baseline.losses, baseline.ties) == (469, 328, 8)
    assert baseline.win_rate == pytest.approx(100 - tuned.win_rate)


def test_only_current_verdicts_between_two_models_count(fresh_db: duckdb.DuckDBPyConnection) -> None:
    judge(fresh_db, "e1", "base", "tuned", "b")
    judge(fresh_db, "e1", "base", "tuned", "b", labeler="bob")
    judge(fresh_db, "e2", "tuned", "base", "tie")
    judge(fresh_db, "taken back", "base", "tuned", "a")
    insert_operation(fresh_db, Revocation("r", "ada-taken back", "ada", 2.0))
    judge(fresh_db, "flagged", "base", "tuned", "a")
    insert_operation(fresh_db, Mark("m", "flagged", "bob", "flag"))
    judge(fresh_db, "same model", "tuned", "tuned", "a")
    judge(fresh_db, "no model", "", "tuned", "a")

    tuned, base = ratings(fresh_db)

    assert (tuned.model, tuned.wins, tuned.losses, tuned.ties, tuned.n) == ("tuned", 2, 0, 1, 3)
    assert tuned.win_rate == pytest.approx(100 * 2.5 / 3)
    assert (base.model, base.wins, base.losses, base.ties) == ("base", 0, 2, 1)


def test_ratings_against_one_baseline_leave_the_others_out(fresh_db: duckdb.DuckDBPyConnection) -> None:
    judge(fresh_db, "e1", "base", "one", "b")
    judge(fresh_db, "e2", "base", "two", "a")
    judge(fresh_db, "e3", "one", "two", "b")

    assert [(one.model, one.win_rate) for one in ratings(fresh_db, against="base")] == [
        ("one", 100.0),
        ("two", 0.0),
    ]
    assert [one.n for one in ratings(fresh_db)] == [2, 2, 2]
    with pytest.raises(NotFoundError, match="Did you mean base"):
        ratings(fresh_db, against="bases")


def test_without_verdicts_there_is_nothing_to_rate(fresh_db: duckdb.DuckDBPyConnection) -> None:
    assert ratings(fresh_db) == ()
    with pytest.raises(NotFoundError, match="Compare two models first"):
        ratings(fresh_db, against="base")


def test_a_single_verdict_is_not_certainty() -> None:
    one = rating("x", wins=1, losses=0, ties=0)
    assert (one.win_rate, one.stderr) == (100.0, 0.0)
    assert one.ci95[0] < 25
    assert one.ci95[1] == 100.0
    assert rating("x", wins=0, losses=0, ties=0).ci95 == (0.0, 100.0)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_the_interval_holds_the_rate_and_mirrors_the_opponents(wins: int, losses: int, ties: int) -> None:
    mine = rating("me", wins=wins, losses=losses, ties=ties)
    theirs = rating("they", wins=losses, losses=wins, ties=ties)

    low, high = mine.ci95
    assert 0 <= low <= high <= 100
    if mine.n:
        assert low - 1e-9 <= mine.win_rate <= high + 1e-9
        assert mine.win_rate + theirs.win_rate == pytest.approx(100)
        assert mine.stderr == pytest.approx(theirs.stderr)
        assert low == pytest.approx(100 - theirs.ci95[1], abs=1e-9)
