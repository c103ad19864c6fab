"""Figures and their intervals, the estimator of pass@k, and tests between two models."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from rlft_tui.evaluations.evaluation import Item
from rlft_tui.evaluations.paired import difference, holm, mcnemar, permutation
from rlft_tui.evaluations.results import figures
from rlft_tui.evaluations.statistics import jackknife, mean, pass_at_k, ratio, share


@pytest.mark.parametrize(
    ("samples", "correct", "k"), [(5, 2, 1), (10, 3, 4), (7, 0, 3), (6, 6, 2), (8, 5, 5)]
)
def test_pass_at_k_is_the_share_of_all_draws_that_hold_a_right_program(
    samples: int, correct: int, k: int
) -> None:
    draws = list(itertools.combinations(range(samples), k))
    hits = sum(any(one < correct for one in draw) for draw in draws)
    assert pass_at_k(samples, correct, k) == pytest.approx(hits / len(draws), abs=1e-12)


def test_pass_at_k_of_known_counts() -> None:
    # 1 - C(170, 10) / C(200, 10), with whole numbers.
    assert pass_at_k(200, 30, 10) == pytest.approx(1 - math.comb(170, 10) / math.comb(200, 10), abs=1e-12)
    assert pass_at_k(1, 1, 1) == 1.0
    with pytest.raises(ValueError, match="no pass@3"):
        pass_at_k(2, 1, 3)


def test_a_share_has_wilsons_interval_and_certainty_has_width() -> None:
    all_right = share([1.0] * 10)
    assert (all_right.value, all_right.high) == pytest.approx((1.0, 1.0))
    assert all_right.low == pytest.approx(0.7225, abs=1e-4)
    assert share([]).value is None


def test_a_bootstrap_is_the_same_for_the_same_items_and_covers_the_mean() -> None:
    generator = random.Random(1)
    covered = 0
    for _ in range(100):
        values = [generator.gauss(3.0, 1.0) for _ in range(60)]
        found = mean(values)
        assert found == mean(values)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 3.0 <= found.high
    assert 86 <= covered <= 100


def test_perplexity_is_of_all_tokens_not_a_mean_over_texts() -> None:
    found = ratio([10.0, 90.0], [10.0, 30.0], transform=math.exp)
    assert found.value == pytest.approx(math.exp(100 / 40))
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


def test_many_items_have_the_interval_of_the_bootstrap() -> None:
    generator = random.Random(2)
    values = [generator.random() for _ in range(5001)]
    few, many = mean(values[:5000]), mean(values)
    assert few.high is not None
    assert many.high is not None
    assert few.high - few.value == pytest.approx(many.high - many.value, rel=0.1)


def test_a_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = [1.0, 2.0, 4.0, 7.0]
    without = [(sum(values) - one) / 3 for one in values]
    centre = sum(values) / 4
    deviation = math.sqrt(sum((one - centre) ** 2 for one in values) / 3)
    assert jackknife(centre, without).stderr == pytest.approx(deviation / 2)


def test_mcnemar_is_the_binomial_test_on_what_only_one_got_right() -> None:
    assert mcnemar(1, 9) == pytest.approx(2 * (1 + 10) / 2**10)
    assert mcnemar(9, 1) == mcnemar(1, 9)
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 5) == 1.0


def test_a_permutation_test_counts_every_change_of_signs() -> None:
    # Of the 2**5 ways only all plus and all minus are as far from zero.
    assert permutation([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(2 / 32)
    assert permutation([0.0, 0.0]) == 1.0
    generator = random.Random(3)
    assert permutation([generator.gauss(1.0, 1.0) for _ in range(40)]) < 0.001


def test_holm_multiplies_the_smallest_most_and_never_turns_the_order() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def items(metric: str, values: list[float | None]) -> list[Item]:
    return [
        Item("s", "t", str(at), scores={metric: value}, error="" if value is not None else "no number")
        for at, value in enumerate(values)
    ]


def test_a_difference_is_over_the_items_that_both_have() -> None:
    mine, base = items("accuracy", [1.0, 1.0, 1.0, None, 1.0]), items("accuracy", [0.0, 1.0, 0.0, 1.0, 0.0])
    found = difference("accuracy", mine, base[:4])
    assert (found.n, found.value, found.test) == (3, pytest.approx(2 / 3), "McNemar's exact test")
    assert difference("accuracy", mine, []).p is None


def test_a_difference_of_perplexities_is_tested_over_texts() -> None:
    def texts(surprise: float) -> list[Item]:
        return [
            Item(
                "s",
                "t",
                str(at),
                scores={"perplexity": math.exp(surprise)},
                parts={"nats": (surprise + at % 3 / 10) * 50, "tokens": 50},
            )
            for at in range(30)
        ]

    two = difference("perplexity", texts(2.0)[:2], texts(2.4)[:2])
    assert two.p == 0.5, "of two texts nothing is certain: one of four ways to toss, and its opposite"
    found = difference("perplexity", texts(2.0), texts(2.4))
    assert found.value is not None
    assert found.high is not None
    assert found.p is not None
    assert found.value < 0
    assert found.high < 0
    assert found.p < 0.01


def test_what_could_not_be_judged_is_counted_and_is_in_no_value() -> None:
    [found] = figures(items("accuracy", [1.0, 0.0, None]), model="m")
    assert (found.value, found.n, found.errors, found.better) == (0.5, 2, 1, "higher")
