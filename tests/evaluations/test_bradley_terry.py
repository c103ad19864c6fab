"""Bradley-Terry ratings agree with what can be worked out by hand, and don't pretend."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlft_tui.evaluations.bradley_terry import POINTS, strengths
from rlft_tui.evaluations.ratings_table import HeadToHead


def both(model: str, opponent: str, wins: int, losses: int, ties: int = 0) -> list[HeadToHead]:
    return [HeadToHead(model, opponent, wins, losses, ties), HeadToHead(opponent, model, losses, wins, ties)]


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 200))
@settings(deadline=None, max_examples=50)
def test_two_models_have_the_closed_form(wins: int, losses: int, ties: int) -> None:
    rated = strengths(both("a", "b", wins, losses, ties))
    ratio = (wins + ties / 2) / (losses + ties / 2)
    assert rated["a"].rating - rated["b"].rating == pytest.approx(400 * math.log10(ratio))
    assert rated["a"].rating == pytest.approx(-rated["b"].rating)
    low, high = rated["a"].ci95
    assert low <= rated["a"].rating <= high
    assert low == pytest.approx(-rated["b"].ci95[1])


def test_a_third_model_far_away_does_not_move_the_closed_form_of_the_other_two() -> None:
    # A chain a - b - c: each link is rated by its own verdicts alone.
    found = [*both("a", "b", 60, 40), *both("b", "c", 30, 90)]
    rated = strengths(found)
    assert rated["a"].rating - rated["b"].rating == pytest.approx(400 * math.log10(1.5), abs=1e-3)
    assert rated["b"].rating - rated["c"].rating == pytest.approx(400 * math.log10(1 / 3), abs=1e-3)
    assert sum(one.rating for one in rated.values()) == pytest.approx(0, abs=1e-6)


def test_a_ring_of_models_that_won_all_of_thousands_of_comparisons_is_rated() -> None:
    # Some draws of the bootstrap are linked by single verdicts the whole way round: their maximum
    # lies so far out that the spectral iteration does not get there.
    names = [f"m{number}" for number in range(6)]
    found: list[HeadToHead] = []
    for number, one in enumerate(names):
        won = 16_667 if number % 3 == 0 else 0
        found += both(one, names[(number + 1) % 6], won, 16_667 - won)
    rated = strengths(found)
    # m0 has half a loss from each side, and all but none of the expected ones are to the nearer
    # opponent, who stands at the mean.
    assert rated["m0"].rating == pytest.approx(400 * math.log10(16_667), rel=1e-3)
    assert rated["m0"].rating == pytest.approx(rated["m3"].rating, abs=1e-3)
    assert rated["m0"].rating == pytest.approx(-rated["m1"].rating, abs=1e-3)
    assert all(one.ci95[0] <= one.rating <= one.ci95[1] for one in rated.values())


def test_the_ratings_solve_the_likelihood_equations() -> None:
    # At the maximum each model's expected wins are its wins (Bradley and Terry 1952).
    games = {
        ("a", "b"): (11, 7),
        ("a", "c"): (3, 9),
        ("b", "c"): (8, 8),
        ("c", "d"): (5, 2),
        ("a", "d"): (4, 4),
    }
    found = [record for (one, two), (won, lost) in games.items() for record in both(one, two, won, lost)]
    rated = strengths(found)
    for model in "abcd":
        wins = sum(record.wins for record in found if record.model == model)
        expected = sum(
            (record.wins + record.losses)
            / (1 + math.exp((rated[record.opponent].rating - rated[model].rating) / POINTS))
            for record in found
            if record.model == model
        )
        assert expected == pytest.approx(wins, abs=1e-3)


def test_one_verdict_is_not_certainty() -> None:
    rated = strengths(both("a", "b", 1, 0))
    low, high = rated["a"].ci95
    assert low < 0 < rated["a"].rating <= high < 1000


def test_who_won_everything_gets_a_finite_rating_with_a_wide_interval() -> None:
    rated = strengths([*both("a", "b", 9, 0), *both("b", "c", 5, 5), *both("a", "c", 7, 0)])
    assert 0 < rated["a"].rating < 1000
    assert rated["a"].ci95[0] < rated["a"].rating
    assert all(math.isfinite(bound) for one in rated.values() for bound in one.ci95)


def test_more_verdicts_narrow_the_interval() -> None:
    few, many = (strengths(both("a", "b", 6 * n, 4 * n))["a"].ci95 for n in (1, 100))
    assert many[1] - many[0] < (few[1] - few[0]) / 5


def test_the_baseline_is_the_zero() -> None:
    rated = strengths([*both("a", "base", 30, 10), *both("b", "base", 10, 30)], against="base")
    assert rated["base"].rating == 0
    assert rated["base"].ci95 == (0, 0)
    assert rated["a"].rating == pytest.approx(400 * math.log10(3), abs=1e-3)
    assert rated["b"].ci95[1] < 0 < rated["a"].ci95[0]


def test_models_that_never_met_are_rated_apart() -> None:
    rated = strengths([*both("a", "b", 3, 1), *both("x", "y", 1, 3)])
    assert rated["a"].rating == pytest.approx(rated["y"].rating)
    assert set(strengths([*both("a", "b", 3, 1), *both("x", "y", 1, 3)], against="x")) == {"x", "y"}
    assert strengths([]) == {}


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    import numpy

    chance = 1 / (1 + 10 ** (-50 / 400))
    wins = numpy.random.default_rng(7).binomial(120, chance, size=300)
    held = 0
    for won in wins:
        one = strengths(both("a", "b", int(won), 120 - int(won)), against="b")["a"]
        held += one.ci95[0] <= 50 <= one.ci95[1]
    assert 0.90 <= held / 300 <= 0.99


def test_with_few_verdicts_on_many_models_the_interval_still_holds_the_truth() -> None:
    import numpy

    random = numpy.random.default_rng(2)
    truth = random.normal(0, 100, size=12)
    truth -= truth.mean()
    held = total = 0
    for _ in range(6):
        found: list[HeadToHead] = []
        for i in range(12):
            for j in range(i):
                n = int(random.poisson(4))
                ties = int(random.binomial(n, 0.2))
                won = int(random.binomial(n - ties, 1 / (1 + 10 ** ((truth[j] - truth[i]) / 400))))
                found += both(f"m{i:02}", f"m{j:02}", won, n - ties - won, ties) if n else []
        for name, one in strengths(found).items():
            total += 1
            held += one.ci95[0] <= truth[int(name[1:])] <= one.ci95[1]
    assert total == 72
    assert 0.88 <= held / total <= 1.0


def test_one_tie_is_no_certainty_either() -> None:
    low, high = strengths(both("a", "b", 0, 0, 1))["a"].ci95
    assert low < -30
    assert high > 30
