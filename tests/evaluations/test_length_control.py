"""Win rates at equal length."""

from __future__ import annotations

import json
import math
from pathlib import Path

import duckdb
import numpy
import pytest

from rlft_tui.evaluations.length_control import length_controlled
from rlft_tui.evaluations.ratings_table import Played, played
from rlft_tui.evaluations.win_rate import ratings
from rlft_tui.labels.preference import Choice, Preference
from rlft_tui.labels.preferences_table import insert_operations
from rlft_tui.pairs.pairs_table import add_pairs
from rlft_tui.pairs.response_pair import ResponsePair

ALPACA = Path(__file__).resolve().parents[3] / "shared" / "data" / "alpaca_eval_ppo_human.jsonl"


def rows(*counts: tuple[float, Choice, int]) -> list[Played]:
    """Verdicts between a and b: how much longer a is, who won, how often."""
    return [Played("a", "b", choice, n, longer, n * longer * longer) for longer, choice, n in counts]


def store(connection: duckdb.DuckDBPyConnection, found: list[tuple[str, str, Choice]]) -> None:
    """Pairs of the models ``a`` and ``b`` with a verdict each."""
    add_pairs(
        connection, [ResponsePair(f"e{n}", f"q{n}", a, b, "a", "b") for n, (a, b, _) in enumerate(found)]
    )
    insert_operations(
        connection,
        [
            Preference(f"v{n}", f"e{n}", "ada", choice, created_at=1.0)
            for n, (_, _, choice) in enumerate(found)
        ],
    )


def test_where_length_says_nothing_the_win_rate_stays_what_it_is() -> None:
    found = rows((100, "a", 60), (100, "b", 40), (-100, "a", 60), (-100, "b", 40))
    controlled = length_controlled(found, "a")
    assert controlled is not None
    assert controlled.win_rate == pytest.approx(60)
    assert controlled.effect == pytest.approx(0, abs=1e-6)
    # With two outcomes the robust interval is the ordinary one of a logit.
    half = 1.96 / math.sqrt(200 * 0.6 * 0.4)
    assert controlled.ci95[0] == pytest.approx(100 / (1 + math.exp(-(math.log(1.5) - half))), abs=0.2)


def test_a_model_that_wins_by_length_alone_is_even_at_equal_length() -> None:
    # a is longer in three of four pairs; the longer answer wins four of five times.
    found = rows((200, "a", 240), (200, "b", 60), (-200, "a", 20), (-200, "b", 80))
    controlled = length_controlled(found, "a")
    assert controlled is not None
    assert controlled.win_rate == pytest.approx(50, abs=1.5)
    assert controlled.effect > 1
    assert controlled.ci95[0] < 50 < controlled.ci95[1]


def test_either_side_sees_the_same_thing() -> None:
    found = rows((300, "a", 30), (300, "b", 10), (-50, "b", 25), (10, "tie", 7), (-50, "a", 3))
    mine, theirs = length_controlled(found, "a"), length_controlled(found, "b", against="a")
    assert mine is not None
    assert theirs is not None
    assert mine.win_rate + theirs.win_rate == pytest.approx(100)
    assert mine.ci95[0] == pytest.approx(100 - theirs.ci95[1])
    assert mine.effect == pytest.approx(theirs.effect)


def test_too_few_verdicts_or_none_lost_give_no_figure() -> None:
    assert length_controlled(rows((10, "a", 10), (5, "b", 9)), "a") is None
    assert length_controlled(rows((10, "a", 50)), "a") is None
    assert length_controlled([], "a") is None
    same_length = length_controlled(rows((0, "a", 30), (0, "b", 10)), "a")
    assert same_length is not None
    assert same_length.win_rate == pytest.approx(75)


def test_grouping_by_length_changes_next_to_nothing(fresh_db: duckdb.DuckDBPyConnection) -> None:
    random = numpy.random.default_rng(3)
    lengths = random.integers(1, 3000, size=(600, 2))
    wins = random.random(600) < 1 / (1 + numpy.exp(-(0.3 + (lengths[:, 0] - lengths[:, 1]) / 1200)))
    store(
        fresh_db, [("x" * a, "y" * b, "a" if won else "b") for (a, b), won in zip(lengths, wins, strict=True)]
    )

    controlled = length_controlled(played(fresh_db), "a")

    assert controlled is not None
    assert controlled.win_rate == pytest.approx(row_by_row(lengths[:, 0] - lengths[:, 1], wins), abs=0.05)


def row_by_row(longer: numpy.ndarray, score: numpy.ndarray) -> float:
    """The same regression on every verdict: tanh of the standardised difference, prior on φ."""
    x = numpy.tanh(longer / longer.std(ddof=1))
    design = numpy.stack([numpy.ones(len(x)), x], axis=1)
    prior = numpy.diag([0, 1 / 2.5**2])
    beta = numpy.zeros(2)
    for _ in range(50):
        p = 1 / (1 + numpy.exp(-design @ beta))
        curvature = design.T @ (design * (p * (1 - p))[:, None]) + prior
        beta += numpy.linalg.solve(curvature, design.T @ (score - p) - prior @ beta)
    return float(100 / (1 + numpy.exp(-beta[0])))


def test_alpaca_eval_at_equal_length(fresh_db: duckdb.DuckDBPyConnection) -> None:
    if not ALPACA.exists():
        pytest.skip("the shared data is not here")
    data = [json.loads(line) for line in ALPACA.read_text().splitlines()]
    choices: dict[int, Choice] = {0: "tie", 1: "a", 2: "b"}
    store(fresh_db, [(one["output_1"], one["output_2"], choices[round(one["preference"])]) for one in data])

    (against,) = ratings(fresh_db, against="a")

    longer = numpy.array([len(one["output_2"]) - len(one["output_1"]) for one in data], dtype=float)
    score = numpy.array([{0: 0.5, 1: 0.0, 2: 1.0}[round(one["preference"])] for one in data])
    assert against.win_rate == pytest.approx(41.242, abs=5e-4)
    assert against.lc_win_rate == pytest.approx(row_by_row(longer, score), abs=0.01)
    assert against.lc_win_rate == pytest.approx(30.56, abs=0.01)
    assert against.bt == pytest.approx(400 * math.log10(332 / 473))
    assert against.bt_ci95 is not None
    assert against.bt_ci95[0] == pytest.approx(400 * math.log10(0.37857 / 0.62143), abs=4)
    assert against.bt_ci95[1] == pytest.approx(400 * math.log10(0.44627 / 0.55373), abs=4)
