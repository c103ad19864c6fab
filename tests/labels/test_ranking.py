"""What follows from an order of several answers."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlft_tui.database.connection import open_database
from rlft_tui.errors import RlftError
from rlft_tui.labels import rank_book
from rlft_tui.labels.journal import PreferenceJournal
from rlft_tui.labels.label_book import LabelBook
from rlft_tui.labels.operation_codec import journalled_from, plain_values
from rlft_tui.labels.rank_book import RankBook
from rlft_tui.labels.ranking import Ranking, answers_id, check_ranking, decompose, ranking_from
from rlft_tui.pairs.pairs_table import add_pairs
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.paths import Workspace
from rlft_tui.prompts.prompt import Message


@st.composite
def rankings(draw: st.DrawFn) -> Ranking:
    count = draw(st.integers(3, 8))
    texts = st.text(min_size=1, max_size=20).filter(str.strip)
    responses = draw(st.lists(texts, min_size=count, max_size=count, unique=True))
    order: list[list[int]] = []
    for index in draw(st.permutations(range(count))):
        if order and draw(st.booleans()):
            order[-1].append(index)
        else:
            order.append([index])
    return Ranking(
        id=draw(st.text(min_size=1, max_size=8)),
        prompt="Why?",
        responses=tuple(responses),
        order=tuple(map(tuple, order)),
        labeler_id="ada",
        models=draw(st.sampled_from([(), tuple(f"m{n}" for n in range(count))])),
        set_id="set",
        context=draw(st.sampled_from([(), (Message("system", "Be brief."),)])),
        created_at=1.5,
    )


@settings(deadline=None)
@given(rankings())
def test_every_two_answers_make_one_pair_whose_verdict_is_their_order(ranking: Ranking) -> None:
    check_ranking(ranking)
    place = {ranking.responses[i]: n for n, group in enumerate(ranking.order) for i in group}
    found = decompose(ranking)
    named = {frozenset((one.pair.response_a, one.pair.response_b)) for one in found}
    assert named == set(map(frozenset, combinations(ranking.responses, 2)))
    assert len(found) == len(named)
    for one in found:
        a, b = place[one.pair.response_a], place[one.pair.response_b]
        assert one.choice == ("tie" if a == b else "a" if a < b else "b")
        assert one.pair.source == f"ranking:{ranking.id}"
        assert one.pair.context == ranking.context
        if ranking.models:
            assert one.pair.model_a == f"m{ranking.responses.index(one.pair.response_a)}"
    assert len({one.verdict_id for one in found}) == len(found)


@settings(deadline=None)
@given(rankings(), st.data())
def test_the_same_answers_in_another_order_make_the_same_pairs(ranking: Ranking, data: st.DataObject) -> None:
    turn = data.draw(st.permutations(range(len(ranking.responses))))
    back = {old: new for new, old in enumerate(turn)}
    other = Ranking(
        id="other",
        prompt=ranking.prompt,
        responses=tuple(ranking.responses[old] for old in turn),
        models=tuple(ranking.models[old] for old in turn) if ranking.models else (),
        order=tuple(tuple(back[old] for old in group) for group in ranking.order),
        labeler_id="bob",
        context=ranking.context,
    )
    one = {(r.pair.id, r.pair.response_a, r.pair.response_b, r.choice) for r in decompose(ranking)}
    two = {(r.pair.id, r.pair.response_a, r.pair.response_b, r.choice) for r in decompose(other)}
    assert one == two
    assert answers_id("Why?", (), ranking.responses) == answers_id("Why?", (), other.responses)


@settings(deadline=None)
@given(rankings())
def test_a_ranking_is_read_back_from_journal_and_table(ranking: Ranking) -> None:
    assert journalled_from(plain_values(ranking)) == ranking
    row = (ranking.id, ranking.set_id, ranking.labeler_id, ranking.content, ranking.created_at)
    assert ranking_from(row) == ranking


@pytest.mark.parametrize(
    ("responses", "order"),
    [
        (("a", "b"), ((0,), (1,))),
        (tuple("abcdefghi"), tuple((n,) for n in range(9))),
        (("a", "b", "a"), ((0,), (1,), (2,))),
        (("a", "b", " "), ((0,), (1,), (2,))),
        (("a", "b", "c"), ((0,), (1,))),
        (("a", "b", "c"), ((0,), (1,), (1,))),
        (("a", "b", "c"), ((0, 1, 2), ())),
        (("a", "b", "c"), ((0,), (1,), (3,))),
    ],
)
def test_an_order_that_is_none_is_refused(
    responses: tuple[str, ...], order: tuple[tuple[int, ...], ...]
) -> None:
    with pytest.raises(RlftError):
        check_ranking(Ranking("r", "Why?", responses, order, "ada"))


def test_sets_are_made_of_some_prompts_at_a_time_until_all_are(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rank_book, "PROMPTS", 3)
    pairs = [
        ResponsePair(f"{n}{side}", f"Q{n}?", f"{side} one", f"{side} two") for n in range(8) for side in "ab"
    ]
    with open_database(workspace) as database:
        labels = LabelBook(database, PreferenceJournal(workspace.journal))
        book = RankBook(database, labels)
        with database.write() as connection:
            add_pairs(connection, pairs)
        first = book.next("ada", 2)
        assert (len(first.items), first.progress.remaining) == (2, 3)
        seen = {item.answers.id for item in first.items}
        while items := book.next("ada", 2, seen).items:
            seen |= {item.answers.id for item in items}
        assert len(seen) == 8
        with database.write() as connection:
            add_pairs(connection, [ResponsePair("new", "Q0?", "c one", "c two")])
        fresh = [one.answers for one in book.next("ada", 20).items if one.answers.id not in seen]
        assert [(one.prompt, len(one.responses)) for one in fresh] == [("Q0?", 6)]
        labels.close()
