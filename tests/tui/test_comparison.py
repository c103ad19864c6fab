"""A blind comparison: nothing tells the sides apart, and the preference is stored the right way round."""

from __future__ import annotations

import random

import pytest

from rlft_tui.models.model import Model
from rlft_tui.server.answers import StreamedText
from rlft_tui.tui.comparison import Comparison, Verdict, suggested


def streamed(*, blind: bool = True, seed: int = 0) -> Comparison:
    round_ = Comparison(("base", "tuned"), blind=blind)
    round_.begin("Why?", rng=random.Random(seed))
    for side, words in ((0, "from the base"), (1, "from the tuned")):
        round_.take(StreamedText("text", side, words, tokens=3), 10.0)
        round_.take(StreamedText("done", side, tokens=3, tokens_per_second=5.0 + side), 11.0)
    return round_


def test_both_orders_come_up() -> None:
    assert {streamed(seed=seed).left for seed in range(20)} == {"a", "b"}


def test_unblinded_puts_the_base_on_the_left() -> None:
    assert {streamed(blind=False, seed=seed).left for seed in range(20)} == {"a"}


def test_nothing_tells_the_sides_apart_until_the_verdict() -> None:
    round_ = streamed()
    titles = round_.title("left") + round_.title("right")
    assert "base" not in titles
    assert "tuned" not in titles
    assert "tokens/s" not in titles
    round_.state = "judged"
    assert {"base", "tuned"} == {round_.title(place).split()[0] for place in ("left", "right")}
    assert "tokens/s" in round_.title("left")


def test_a_title_gives_up_its_speed_and_then_the_end_of_the_name_but_never_half_a_figure() -> None:
    round_ = streamed(blind=False)
    round_.state = "judged"
    assert round_.title("right", 31) == "tuned · 3 tokens · 6.0 tokens/s"
    assert round_.title("right", 30) == "tuned · 3 tokens"
    assert round_.title("right", 15) == "tun… · 3 tokens"


def test_what_is_loading_is_not_named_while_blind() -> None:
    round_ = Comparison(("base", "tuned"))
    round_.begin("Why?")
    round_.take(StreamedText("loading", 1, "tuned"), 0.0)
    assert "tuned" not in round_.note
    assert round_.note


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("verdict", ["left", "right", "tie"])
def test_the_verdict_names_the_stored_side(seed: int, verdict: Verdict) -> None:
    round_ = streamed(seed=seed)
    pair, preference = round_.judge(verdict, "ada", 14.0)
    assert (pair.response_a, pair.model_a) == ("from the base", "base")
    assert (pair.response_b, pair.model_b) == ("from the tuned", "tuned")
    assert pair.source == "compare"
    assert pair.settings["a"]["seed"] == 1
    assert preference.example_id == pair.id
    assert preference.time_spent_ms == 3000
    if verdict == "tie":
        assert preference.choice == "tie"
    elif verdict == "left":
        assert preference.choice == round_.left == preference.shown_first
    else:
        assert preference.choice != round_.left


def test_half_an_answer_cannot_be_judged() -> None:
    round_ = Comparison(("base", "tuned"))
    round_.begin("Why?")
    round_.take(StreamedText("done", 0, tokens=1), 0.0)
    with pytest.raises(ValueError, match="nothing to judge"):
        round_.judge("left", "ada", 0.0)
    round_.ended()
    assert round_.state == "failed"
    assert "ended before" in round_.note


def test_an_error_stays_on_the_screen() -> None:
    round_ = Comparison(("base", "tuned"))
    round_.begin("Why?")
    round_.take(StreamedText("error", 0, "out of memory"), 0.0)
    round_.ended()
    assert (round_.state, round_.note) == ("failed", "out of memory")


def test_newest_adapter_and_its_base_are_suggested() -> None:
    base = Model("smollm2", "base", "/m")
    old = Model("old", "adapter", "/o", base="smollm2", created_at=1.0)
    new = Model("new", "adapter", "/n", base="smollm2", created_at=2.0)
    orphan = Model("orphan", "adapter", "/x", base="gone", created_at=3.0)
    assert suggested((new, base, old, orphan)) == ("smollm2", "new")
    assert suggested((base,)) == ("smollm2", "smollm2")
    assert suggested((orphan,)) is None
