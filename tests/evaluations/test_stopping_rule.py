"""How many verdicts until two models are told apart."""

from __future__ import annotations

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlft_tui.evaluations.ratings_table import HeadToHead
from rlft_tui.evaluations.stopping_rule import FEWEST, radius, separation, separations


def test_one_verdict_tells_nothing() -> None:
    one = separation(HeadToHead("a", "b", 1, 0, 0))
    assert (one.state, one.more) == ("not_enough", None)
    assert one.ci95 == (0.0, 100.0)


def test_unanimous_verdicts_are_not_certain_before_there_are_enough() -> None:
    states = [separation(HeadToHead("a", "b", n, 0, 0)).state for n in range(1, 40)]
    assert states[: FEWEST - 1] == ["not_enough"] * (FEWEST - 1)
    assert states[FEWEST - 1] == "open"
    assert states[-1] == "separated"


def test_a_clear_lead_needs_fewer_more_verdicts_than_a_slight_one() -> None:
    clear, slight = (separation(HeadToHead("a", "b", wins, 40 - wins, 0)) for wins in (28, 24))
    assert (clear.state, slight.state) == ("open", "open")
    assert clear.more is not None
    assert slight.more is not None
    assert 10 < clear.more < slight.more


def test_models_that_are_as_good_as_equal_are_never_told_apart() -> None:
    even = separation(HeadToHead("a", "b", 500, 500, 0))
    assert (even.state, even.more) == ("open", None)
    assert separation(HeadToHead("a", "b", 0, 0, 100)).more is None


def test_the_leader_is_named_first_and_pairs_are_listed_once() -> None:
    found = [
        HeadToHead("a", "b", 10, 30, 0),
        HeadToHead("b", "a", 30, 10, 0),
        HeadToHead("a", "c", 1, 0, 0),
        HeadToHead("c", "a", 0, 1, 0),
    ]
    first, second = separations(found)
    assert (first.model, first.opponent, first.n, first.win_rate) == ("b", "a", 40, 75.0)
    assert (second.model, second.n) == ("a", 1)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 100))
def test_names_do_not_matter_and_bounds_hold(wins: int, losses: int, ties: int) -> None:
    one = separation(HeadToHead("a", "b", wins, losses, ties))
    other = separation(HeadToHead("b", "a", losses, wins, ties))
    assert (one.n, one.win_rate, one.state, one.more) == (other.n, other.win_rate, other.state, other.more)
    assert 0 <= one.ci95[0] <= one.win_rate <= one.ci95[1] <= 100
    assert one.win_rate >= 50
    assert one.more is None or one.more >= 1


def test_equal_models_are_seldom_called_different_however_often_one_looks() -> None:
    scores = numpy.random.default_rng(11).integers(0, 2, size=(2000, 1500))
    n = numpy.arange(1, 1501)
    means = scores.cumsum(axis=1) / n
    bounds = numpy.array([radius(int(count)) for count in n])
    wrong = (numpy.abs(means - 0.5) > bounds)[:, FEWEST - 1 :].any(axis=1).mean()
    assert wrong <= 0.05


def test_most_of_the_time_so_many_more_are_enough() -> None:
    n, wins = 60, 39
    told = separation(HeadToHead("a", "b", wins, n - wins, 0))
    assert told.more is not None
    rate = (wins + 2) / (n + 4)
    later = numpy.random.default_rng(5).binomial(n + told.more, rate, size=2000) / (n + told.more)
    apart = float((later - 0.5 > radius(n + told.more)).mean())
    assert apart == pytest.approx(0.8, abs=0.05)
