"""A step's best and worst answer beside the fixed prompts."""

from __future__ import annotations

from rlft_tui.runs.run_status import BEST, WORST, SampleHead
from rlft_tui.tui.sample_book import SampleBook


def test_the_best_and_the_worst_answer_stay_out_of_the_means() -> None:
    book = SampleBook()
    book.add(
        [
            SampleHead(step=1, index=0, kl=1.0, reward=0.2),
            SampleHead(step=1, index=1, kl=3.0, reward=0.4),
            SampleHead(step=1, index=BEST, kl=9.0, reward=1.0),
            SampleHead(step=1, index=WORST, kl=9.0, reward=-1.0),
        ]
    )
    assert (book.mean_kl(), book.mean_reward()) == (2.0, 0.30000000000000004)
    best, worst = book.extreme(best=True), book.extreme(best=False)
    assert best is not None
    assert worst is not None
    assert (best.index, worst.index) == (BEST, WORST)


def test_where_a_step_has_nothing_else_the_means_are_theirs() -> None:
    book = SampleBook()
    book.add([SampleHead(step=2, index=BEST, reward=1.0), SampleHead(step=2, index=WORST, reward=0.0)])
    assert book.mean_reward() == 0.5
