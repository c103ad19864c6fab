"""A blind comparison: nothing tells the sides apart, and what is stored is the right way round."""

from __future__ import annotations

import random

import pytest

from rlft_tui.errors import RlftError
from rlft_tui.labels.preference import Preference
from rlft_tui.labels.ranking import Ranking, check_ranking, decompose
from rlft_tui.models.model import Model
from rlft_tui.prompts.prompt import Message
from rlft_tui.server.answers import StreamedText
from rlft_tui.tui.comparison import Comparison, suggested
from rlft_tui.tui.comparison_sides import SideText, asked_sides, side_from, side_labels, stored_settings
from rlft_tui.tui.comparison_verdict import SEEN, Decision, Groups, make_verdict
from rlft_tui.tui.prompt_walk import Judged, PromptWalk, Tally

LEFT, RIGHT, TIE = ((0,), (1,)), ((1,), (0,)), ((0, 1),)


def begun(*models: str, blind: bool = True, seed: int = 0, context: tuple[Message, ...] = ()) -> Comparison:
    sides = asked_sides([SideText(name, {}) for name in models or ("base", "tuned")])
    round_ = Comparison(sides, blind, "Why?", context)
    round_.begin(rng=random.Random(seed))
    return round_


def streamed(
    *models: str, blind: bool = True, seed: int = 0, context: tuple[Message, ...] = ()
) -> Comparison:
    round_ = begun(*models, blind=blind, seed=seed, context=context)
    for side, asked in enumerate(round_.sides):
        round_.take(StreamedText("text", side, f"from {asked.model}", tokens=3))
        round_.take(StreamedText("done", side, tokens=3, tokens_per_second=5.0 + side))
    return round_


def test_both_orders_come_up_and_unblinded_the_first_stands_on_the_left() -> None:
    assert {streamed(seed=seed).order for seed in range(20)} == {(0, 1), (1, 0)}
    assert {streamed(blind=False, seed=seed).order for seed in range(20)} == {(0, 1)}


def test_nothing_tells_the_sides_apart_until_the_verdict() -> None:
    round_ = streamed()
    titles = round_.title(0) + round_.title(1)
    for secret in ("base", "tuned", "tokens"):
        assert secret not in titles
    round_.state, round_.names_seen = "judged", True
    assert {"base", "tuned"} == {round_.title(place).split()[0] for place in (0, 1)}
    assert "tokens/s" in round_.title(0)


def test_a_fast_model_is_shown_no_sooner_than_a_slow_one() -> None:
    round_ = begun()
    fast, slow = round_.order.index(0), round_.order.index(1)
    round_.take(StreamedText("text", 0, "a hundred words at once", tokens=100))
    assert round_.visible(fast) == round_.visible(slow) == ""
    round_.take(StreamedText("text", 1, "and", tokens=1))
    assert (round_.visible(fast), round_.visible(slow)) == ("a h", "and")
    round_.take(StreamedText("done", 0, tokens=100))
    assert round_.visible(fast) == "a h", "that it ended early would tell it too"
    round_.take(StreamedText("done", 1, tokens=1))
    assert round_.visible(fast) == "a hundred words at once"


def test_with_names_shown_each_side_comes_as_fast_as_it_can() -> None:
    round_ = begun(blind=False)
    round_.take(StreamedText("text", 0, "quick", tokens=2))
    assert (round_.visible(0), round_.visible(1)) == ("quick", "")


def test_a_title_gives_up_its_speed_and_then_the_end_of_the_name_but_never_half_a_figure() -> None:
    round_ = streamed(blind=False)
    assert round_.title(1, 31) == "tuned · 3 tokens · 6.0 tokens/s"
    assert round_.title(1, 30) == "tuned · 3 tokens"
    assert round_.title(1, 15) == "tun… · 3 tokens"


def test_a_title_keeps_what_tells_two_sides_of_one_model_apart() -> None:
    sides = asked_sides([SideText("a-long-name", {"seed": "7"}), SideText("a-long-name", {"seed": "12"})])
    round_ = Comparison(sides, blind=False)
    round_.begin()
    for side in (0, 1):
        round_.take(StreamedText("done", side, "yes", tokens=3, ended="length"))
    assert round_.title(1, 36, chosen=True) == "✓ a-long… · seed 12 · 3 tokens · cut"
    assert round_.title(1, 25, chosen=True) == "✓ a-long… · seed 12 · cut"
    assert round_.title(1, 20, chosen=True) == "✓ a-long-… · seed 12"
    assert round_.name(1, 15) == "a-lo… · seed 12"


def test_what_is_loading_is_not_named_while_blind() -> None:
    round_ = begun()
    round_.take(StreamedText("loading", 1, "tuned"))
    assert round_.note
    assert "tuned" not in round_.note


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("groups", [LEFT, RIGHT, TIE])
def test_the_verdict_names_the_stored_side(seed: int, groups: Groups) -> None:
    round_ = streamed(seed=seed, context=(Message("system", "Be brief."),))
    verdict = make_verdict(round_, Decision(groups, strength=4, time_spent_ms=3000), "ada", 14.0)
    (pair,), preference = verdict.pairs, verdict.judged
    assert isinstance(preference, Preference)
    assert (pair.response_a, pair.model_a) == ("from base", "base")
    assert (pair.response_b, pair.model_b) == ("from tuned", "tuned")
    assert pair.source == "compare"
    assert (pair.settings["blind"], pair.settings["system"]) == (True, "Be brief.")
    assert pair.settings["a"] == {"temperature": 0.7, "top_p": 1.0, "max_new_tokens": 256, "seed": 1}
    assert pair.settings["b"]["seed"] != 1, "the other side draws its own numbers"
    assert preference.example_id == pair.id
    assert preference.time_spent_ms == 3000
    assert preference.shown_first == ("a" if round_.order[0] == 0 else "b")
    if groups == TIE:
        assert (preference.choice, preference.strength) == ("tie", None)
    else:
        assert preference.choice == "ab"[round_.order[groups[0][0]]]
        assert preference.strength == 4


def test_both_good_is_a_tie_and_a_verdict_after_the_names_were_seen_says_so() -> None:
    round_ = streamed()
    round_.names_seen = True
    judged = make_verdict(round_, Decision(TIE, quality="both_good", note="nice"), "ada", 1.0).judged
    assert isinstance(judged, Preference)
    assert (judged.choice, judged.quality) == ("tie", "both_good")
    assert judged.reasoning == f"nice ({SEEN})"


def test_an_open_order_of_four_says_nothing_of_the_rest_among_themselves() -> None:
    round_ = streamed("one", "two", "three", "four")
    verdict = make_verdict(round_, Decision(((2,), (0, 1, 3)), open_end=True), "ada", 1.0)
    ranking = verdict.judged
    assert isinstance(ranking, Ranking)
    check_ranking(ranking)
    best = f"from {round_.sides[round_.order[2]].model}"
    assert len(verdict.pairs) == 3
    for one, pair in zip(decompose(ranking), verdict.pairs, strict=True):
        assert pair.source == f"ranking:{ranking.id}"
        assert best == (pair.response_a if one.choice == "a" else pair.response_b)
        assert {pair.settings["a"]["temperature"], pair.settings["blind"]} == {0.7, True}
    whole = make_verdict(round_, Decision(((2,), (0, 1), (3,))), "ada", 1.0)
    assert len(whole.pairs) == 6


def test_equal_answers_of_several_are_one_answer() -> None:
    round_ = streamed("same", "same", "other")
    decision = Decision(((round_.order.index(2),), tuple(p for p in range(3) if round_.order[p] != 2)))
    verdict = make_verdict(round_, decision, "ada", 1.0)
    assert isinstance(verdict.judged, Preference)
    assert verdict.judged.choice == "b"
    assert {verdict.pairs[0].model_a, verdict.pairs[0].model_b} == {"same", "other"}
    alike = streamed("same", "same", "same")
    with pytest.raises(RlftError, match="all the same"):
        make_verdict(alike, Decision(((0,), (1, 2))), "ada", 1.0)


def test_half_an_answer_cannot_be_judged_and_an_error_stays() -> None:
    round_ = begun()
    round_.take(StreamedText("done", 0, tokens=1))
    with pytest.raises(ValueError, match="nothing to judge"):
        make_verdict(round_, Decision(LEFT), "ada", 0.0)
    round_.ended()
    assert (round_.state, "ended before" in round_.note) == ("failed", True)
    other = begun()
    other.take(StreamedText("error", 0, "out of memory"))
    other.ended()
    assert (other.state, other.note) == ("failed", "out of memory")


def test_what_a_side_leaves_empty_is_the_first_ones_and_what_it_sets_tells_it_apart() -> None:
    first = SideText("m", {"temperature": "0.2", "seed": "7"})
    sides = asked_sides([first, SideText("m", {"temperature": "1.1"}), SideText("n", {})])
    assert [side.temperature for side in sides] == [0.2, 1.1, 0.2]
    assert len({side.seed for side in sides}) == 3
    assert side_labels(sides) == ("m · temperature 0.2", "m · temperature 1.1", "n")
    four = asked_sides([first, *(side_from(f"m@{own}") for own in ("temperature=0", "seed=9", "top_p=0.9"))])
    assert side_labels(four)[0] == "m · temperature 0.2, top p 1, seed 7"
    assert side_labels(four)[1] == "m · temperature 0, top p 1"
    assert side_labels(four)[2] == "m · temperature 0.2, top p 1, seed 9"
    assert stored_settings(sides[0]) == {"temperature": 0.2, "top_p": 1.0, "max_new_tokens": 256, "seed": 7}
    for settings, words in (
        ({"temperature": "9"}, "temperature: must be less"),
        ({"seed": "one"}, "seed: must be a whole number"),
        ({"max_new_tokens": "0"}, "max tokens: must be"),
        ({"top_p": "x"}, "top p: must be"),
    ):
        with pytest.raises(RlftError, match=words):
            asked_sides([SideText("m", settings), SideText("m", {})])


def test_a_side_is_written_as_a_model_and_its_settings() -> None:
    assert side_from("ollama:llama3.2") == SideText("ollama:llama3.2", {})
    assert side_from("org/m@main") == SideText("org/m@main", {})
    assert side_from("m@temperature=0.2,max-new-tokens=9") == SideText(
        "m", {"temperature": "0.2", "max_new_tokens": "9"}
    )
    with pytest.raises(RlftError, match="no setting of a side"):
        side_from("m@heat=3")


def test_newest_adapter_and_its_base_are_suggested() -> None:
    base = Model("smollm2", "base", "/m")
    old = Model("old", "adapter", "/o", base="smollm2", created_at=1.0)
    new = Model("new", "adapter", "/n", base="smollm2", created_at=2.0)
    orphan = Model("orphan", "adapter", "/x", base="gone", created_at=3.0)
    assert suggested((new, base, old, orphan)) == ("smollm2", "new")
    assert suggested((base,)) == ("smollm2", "smollm2")
    assert suggested((orphan,)) is None


def test_the_tally_counts_every_two_answers_of_which_something_was_said() -> None:
    two = streamed("base", "tuned", blind=False)
    three = streamed("base", "tuned", "best", blind=False)
    rounds = [
        (two, Decision(RIGHT)),
        (two, Decision(TIE)),
        (three, Decision(((2,), (0, 1)), open_end=True)),
    ]
    tally = Tally([Judged(0, shown, said, make_verdict(shown, said, "ada", 1.0)) for shown, said in rounds])
    standings = {name: (one.wins, one.losses, one.ties) for name, one in tally.standings().items()}
    assert standings == {"best": (2, 0, 0), "tuned": (1, 1, 1), "base": (0, 2, 1)}
    assert tally.lines()[0].startswith("best: 2 won, 0 lost, 0 ties: 100% (")


def test_a_walk_knows_its_place_and_both_ends() -> None:
    walk = PromptWalk(tuple("ab"), "two.txt")  # type: ignore[arg-type]
    assert (walk.line(), walk.current, walk.upcoming) == ("1 of 2 · two.txt", "a", "b")
    assert not walk.step(-1)
    assert walk.step()
    assert walk.step()
    assert (walk.current, walk.step()) == (None, False)
