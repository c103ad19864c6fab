"""Shaping of scores, each switch alone, and its state across a resume."""

from __future__ import annotations

import math

import pytest
import torch

from rlft_tui.jobs.ppo.scores import ScoreShaping

ENDED = [True, True, False]


def test_without_switches_scores_pass_unchanged() -> None:
    assert ScoreShaping().shape([1.0, -50.0, 3.0], ENDED).tolist() == [1.0, -50.0, 3.0]


def test_an_answer_without_end_loses_the_penalty_or_its_whole_score() -> None:
    subtract = ScoreShaping(missing_eos_penalty=1.5)
    replace = ScoreShaping(missing_eos_penalty=1.0, missing_eos="replace")
    assert subtract.shape([1.0, 2.0, 3.0], ENDED).tolist() == [1.0, 2.0, 1.5]
    assert replace.shape([1.0, 2.0, 3.0], ENDED).tolist() == [1.0, 2.0, -1.0]


def test_clipping_bounds_both_ways() -> None:
    assert ScoreShaping(clip=2.0).shape([5.0, -5.0, 1.0], ENDED).tolist() == [2.0, -2.0, 1.0]


def test_centring_takes_the_first_updates_mean_as_zero_for_good() -> None:
    shaping = ScoreShaping(center=True)
    assert shaping.shape([1.0, 2.0, 6.0], ENDED).tolist() == [-2.0, -1.0, 3.0]
    assert shaping.shape([10.0, 10.0, 10.0], ENDED).tolist() == [7.0, 7.0, 7.0]


def test_normalising_divides_by_the_deviation_of_all_scores_so_far() -> None:
    shaping = ScoreShaping(normalise=True)
    first, second = [1.0, 2.0, 6.0], [0.0, 4.0, -5.0]
    shaping.shape(first, ENDED)
    deviation = float(torch.tensor(first + second).std(correction=0))
    assert shaping.shape(second, ENDED).tolist() == pytest.approx([x / deviation for x in second])


@pytest.mark.parametrize("missing", [None, math.nan, math.inf])
def test_an_answer_without_a_score_is_marked_and_spoils_no_statistic(missing: float | None) -> None:
    shaping = ScoreShaping(center=True, missing_eos_penalty=1.0, missing_eos="replace")
    found = shaping.shape([1.0, 3.0, missing], ENDED)
    assert found[:2].tolist() == [-1.0, 1.0]
    assert math.isnan(float(found[2]))
    assert (shaping.count, shaping.mean) == (2, 2.0)


def test_the_state_brings_centre_and_deviation_back() -> None:
    before = ScoreShaping(center=True, normalise=True)
    before.shape([1.0, 2.0, 6.0], ENDED)
    after = ScoreShaping(center=True, normalise=True)
    after.restore(before.state())
    assert torch.equal(after.shape([4.0, 0.0, 1.0], ENDED), before.shape([4.0, 0.0, 1.0], ENDED))
