"""Orders that depend on nothing but the seed and the number of the update."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rlft_tui.jobs.ppo.batches import optimiser_batches, passes, prompts_of_update


def test_every_prompt_comes_up_once_a_turn_in_an_order_that_changes() -> None:
    updates = [prompts_of_update(10, 4, update, seed=3) for update in range(5)]
    places = [place for update in updates for place in update]
    assert sorted(places[:10]) == list(range(10)) == sorted(places[10:])
    assert places[:10] != places[10:]
    assert updates[2] == prompts_of_update(10, 4, 2, seed=3)
    assert updates[2] != prompts_of_update(10, 4, 2, seed=4)


def test_more_answers_than_prompts_means_several_answers_to_each() -> None:
    assert Counter(prompts_of_update(3, 6, 0, seed=0)) == {0: 2, 1: 2, 2: 2}


def test_each_epoch_is_a_fresh_permutation_of_all_answers() -> None:
    epochs = [optimiser_batches(10, 4, seed=1, update=2, epoch=epoch) for epoch in range(4)]
    for epoch in epochs:
        assert [len(batch) for batch in epoch] == [4, 4, 2]
        assert sorted(place for batch in epoch for place in batch) == list(range(10))
    assert len({str(epoch) for epoch in epochs}) == 4
    assert epochs[1] == optimiser_batches(10, 4, seed=1, update=2, epoch=1)
    assert epochs[1] != optimiser_batches(10, 4, seed=1, update=3, epoch=1)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.integers(1, 9), st.integers(1, 120))
def test_passes_hold_each_answer_once_and_keep_to_both_limits(
    lengths: list[int], rows: int, tokens: int
) -> None:
    groups = list(passes(range(len(lengths)), lengths, rows=rows, tokens=tokens))
    assert sorted(place for group in groups for place in group) == list(range(len(lengths)))
    for group in groups:
        assert len(group) <= rows
        assert len(group) == 1 or len(group) * max(lengths[place] for place in group) <= tokens


def test_answers_of_like_length_share_a_pass() -> None:
    lengths = [30, 5, 29, 6, 31, 4]
    assert list(passes(range(6), lengths, rows=3, tokens=10_000)) == [[4, 0, 2], [3, 1, 5]]
