"""The queue as a labeller walks through it: exact filters, sharing out, gold pairs and hidden repeats."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rlft_tui.database.connection import Database, open_database
from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.ids import new_id
from rlft_tui.labels import label_desks, preferences_table, queue_reader, reliability_table
from rlft_tui.labels.arm_saving import measured_arms
from rlft_tui.labels.journal import PreferenceJournal
from rlft_tui.labels.label_book import LabelBook
from rlft_tui.labels.label_queue import REPEAT_GAP, Slot, left_side
from rlft_tui.labels.preference import Choice, Preference, Revocation
from rlft_tui.labels.queue_reader import Shares
from rlft_tui.labels.queue_view import Order, QueueView
from rlft_tui.labels.reliability import GoldAnswer
from rlft_tui.labels.window_holds import HELD_SECONDS, WindowHolds
from rlft_tui.pairs.pairs_table import add_pairs
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.paths import Workspace

PLAIN = QueueView()
DEFAULT = Shares()
FEW = settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
ORDERS: tuple[Order, ...] = ("random", "least", "oldest", "active", "ranking")


def made(count: int) -> list[ResponsePair]:
    return [
        ResponsePair(
            f"p{n:04d}",
            f"ask {n} about {'cats' if n % 3 else 'Dogs'}",
            f"answer one {'long ' * (n % 7)}",
            f"answer two {'wide ' * (n % 5)}",
            f"m{n % 3}",
            f"m{(n // 3) % 3}",
            category=f"c{n % 4}",
            source=f"f{n % 2}",
            created_at=float(count - n),
        )
        for n in range(count)
    ]


@contextmanager
def opened(
    workspace: Workspace, pairs: list[ResponsePair], shares: Shares = DEFAULT
) -> Iterator[tuple[LabelBook, Database]]:
    with open_database(workspace) as database:
        with database.write() as connection:
            connection.execute("delete from examples")
            connection.execute("delete from preferences")
            connection.execute("delete from revocations")
            connection.execute("delete from gold_answers")
            add_pairs(connection, pairs)
        workspace.journal.unlink(missing_ok=True)
        book = LabelBook(database, PreferenceJournal(workspace.journal), shares=shares)
        yield book, database
        book.close()


def judge(book: LabelBook, slot: Slot, labeler: str = "ada", choice: Choice = "a") -> Preference:
    verdict = Preference(
        new_id(), slot.example_id, labeler, choice, shown_first=slot.left, source=slot.source, arm=slot.arm
    )
    book.add(verdict)
    return verdict


def walk(book: LabelBook, view: QueueView, labeler: str = "ada", ahead: int = 3) -> list[Slot]:
    """Judge all there is, with as many pairs prefetched as the label screen has."""
    seen: list[Slot] = []
    held: list[Slot] = []
    while True:
        keys = tuple(slot.key for slot in held)
        held += book.next_slots(labeler, view, ahead - len(held), keys)[0]
        if not held:
            return seen
        slot = held.pop(0)
        judge(book, slot, labeler)
        seen.append(slot)


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_shows_every_pair_once_to_each_labeller(workspace: Workspace, order: Order) -> None:
    pairs = made(120)
    with opened(workspace, pairs) as (book, _):
        for labeler in ("ada", "bob"):
            seen = [slot.example_id for slot in walk(book, QueueView(order=order), labeler)]
            assert sorted(seen) == [pair.id for pair in pairs]


def test_oldest_first_and_least_labelled_first(workspace: Workspace) -> None:
    pairs = made(12)
    with opened(workspace, pairs) as (book, _):
        oldest = [slot.example_id for slot in walk(book, QueueView(order="oldest"))]
        assert oldest == [pair.id for pair in sorted(pairs, key=lambda pair: pair.created_at)]
        for slot in book.next_slots("bob", PLAIN, 5)[0]:
            judge(book, slot, "bob")
        order = [slot.example_id for slot in walk(book, QueueView(order="least"), "eve")]
        judged_twice = set(order[-5:])
        with book._database.reader() as connection:
            bobs = {one.example_id for one in preferences_table.list_current(connection, "bob", 0, 99)}
        assert judged_twice == bobs


views = st.builds(
    QueueView,
    category=st.sampled_from(["", "c1", "c3", "none"]),
    models=st.sampled_from([(), ("m1",), ("m0", "m2"), ("m1", "m1")]),
    source=st.sampled_from(["", "f1"]),
    search=st.sampled_from(["", "CATS", "dogs", "wide wide", "%"]),
    order=st.sampled_from(ORDERS),
)


@FEW
@given(views)
def test_filters_are_exact_and_the_counts_are_theirs(workspace: Workspace, view: QueueView) -> None:
    pairs = made(60)

    def passes(pair: ResponsePair) -> bool:
        sides = (pair.model_a, pair.model_b)
        texts = (pair.prompt, pair.response_a, pair.response_b)
        return (
            view.category in ("", pair.category)
            and view.source in ("", pair.source)
            and (len(view.models) != 1 or view.models[0] in sides)
            and (len(view.models) != 2 or view.models in (sides, sides[::-1]))
            and any(view.search.lower() in text.lower() for text in texts)
        )

    expected = sorted(pair.id for pair in pairs if passes(pair))
    with opened(workspace, pairs) as (book, _):
        outside = next(pair.id for pair in pairs if pair.id not in expected) if len(expected) < 60 else ""
        assert book.next_slots("ada", view, 1)[1].remaining == len(expected)
        if outside:
            judge(book, Slot(outside, "a"))
            assert book.next_slots("ada", view, 1)[1].remaining == len(expected)
        assert sorted(slot.example_id for slot in walk(book, view)) == expected
        progress = book.next_slots("ada", view, 1)[1]
        assert (progress.labelled, progress.remaining) == (len(expected), 0)


@FEW
@given(overlap=st.integers(1, 3), labelers=st.integers(1, 5), seed=st.integers(0, 999))
def test_no_pair_is_judged_by_more_than_the_overlap_and_all_are_by_as_many_as_can(
    workspace: Workspace, overlap: int, labelers: int, seed: int
) -> None:
    chance = random.Random(seed)
    names = [f"labeller-{n}" for n in range(labelers)]
    view = QueueView(overlap=overlap)
    held: dict[str, list[Slot]] = {name: [] for name in names}
    judged: Counter[str] = Counter()
    with opened(workspace, made(17)) as (book, _):
        idle = set()
        while len(idle) < labelers:
            name = chance.choice([name for name in names if name not in idle])
            mine = held[name]
            mine += book.next_slots(name, view, 3 - len(mine), tuple(slot.key for slot in mine))[0]
            if not mine:
                idle.add(name)
                continue
            judged[judge(book, mine.pop(0), name).example_id] += 1
            if chance.random() < 0.2:
                book.pairs_changed()
    assert set(judged.values()) == {min(overlap, labelers)}
    assert len(judged) == 17


def test_an_undone_verdict_gives_the_pair_back_to_the_others(workspace: Workspace) -> None:
    view = QueueView(overlap=1)
    with opened(workspace, made(1)) as (book, _):
        (slot,) = book.next_slots("ada", view, 1)[0]
        verdict = judge(book, slot)
        assert book.next_slots("bob", view, 1)[0] == []
        book.add(Revocation(new_id(), verdict.id, "ada"))
        assert book.next_slots("bob", view, 1)[0] == [], "ada sees it again first"
        book.pairs_changed()
        book.add(Preference(new_id(), slot.example_id, "ada", "b"))
        assert book.next_slots("bob", view, 1)[0] == []


def test_repeats_come_back_swapped_later_in_about_the_share_asked_for(workspace: Workspace) -> None:
    view = QueueView(repeats=True)
    with opened(workspace, made(400), Shares(repeat=0.1)) as (book, database):
        seen = walk(book, view)
        places: dict[str, int] = {}
        repeats = 0
        for place, slot in enumerate(seen):
            if slot.source == "repeat":
                assert place - places[slot.example_id] > REPEAT_GAP
                assert slot.left != left_side("ada", slot.example_id)
                repeats += 1
            else:
                assert slot.example_id not in places
                places[slot.example_id] = place
        assert len(places) == 400
        assert 20 <= repeats <= 65
        with database.reader() as connection:
            current = preferences_table.list_current(connection, "", 0, 5000)
        assert len(current) == 400
        assert {one.source for one in current} == {"human"}
        assert book.next_slots("ada", view, 1)[1].labelled == len(seen)


def test_the_numbers_on_screen_do_not_give_a_repeat_away(workspace: Workspace) -> None:
    view = QueueView(repeats=True)
    with opened(workspace, made(160), Shares(repeat=0.2)) as (book, _):
        before = book.next_slots("ada", view, 1)[1]
        steps = Counter()
        while (slots := book.next_slots("ada", view, 1)[0]) and before.remaining > REPEAT_GAP * 3:
            judge(book, slots[0])
            after = book.next_slots("ada", view, 0)[1]
            steps[slots[0].source, after.labelled - before.labelled, after.remaining - before.remaining] += 1
            before = after
        assert set(steps) == {("human", 1, -1), ("repeat", 1, -1)}


def test_a_client_that_does_not_ask_for_repeats_gets_none(workspace: Workspace) -> None:
    with opened(workspace, made(80), Shares(repeat=1.0)) as (book, _):
        assert len(walk(book, PLAIN)) == 80


def test_an_undone_repeat_comes_back_as_a_repeat_and_leaves_the_first_verdict_standing(
    workspace: Workspace,
) -> None:
    view = QueueView(repeats=True)
    with opened(workspace, made(80), Shares(repeat=1.0)) as (book, database):
        while True:
            (slot,) = book.next_slots("ada", view, 1)[0]
            verdict = judge(book, slot, choice="b" if slot.source == "repeat" else "a")
            if slot.source == "repeat":
                break
        before = book.next_slots("ada", view, 1)[1]
        book.add(Revocation(new_id(), verdict.id, "ada"))
        (back,), after = book.next_slots("ada", view, 1)
        assert back == slot
        assert (after.labelled, after.remaining) == (before.labelled - 1, before.remaining + 1)
        with database.reader() as connection:
            assert {one.choice for one in preferences_table.list_current(connection, "", 0, 99)} == {"a"}


def test_repeats_survive_a_restart(workspace: Workspace) -> None:
    view = QueueView(repeats=True)
    pairs = made(120)
    with opened(workspace, pairs, Shares(repeat=0.3)) as (book, _):
        for _ in range(60):
            (slot,) = book.next_slots("ada", view, 1)[0]
            judge(book, slot)
        there = book.next_slots("ada", view, 1)
        book.pairs_changed()
        again = book.next_slots("ada", view, 1)
        assert again[1] == there[1]
        seen = walk(book, view)
        assert [slot for slot in seen if slot.source == "repeat"]


def test_gold_pairs_come_early_blindly_and_their_accuracy_is_reported(workspace: Workspace) -> None:
    pairs = made(400)
    gold = [pair.id for pair in pairs[300:310]]
    with opened(workspace, pairs) as (book, database):
        for number, one in enumerate(gold):
            book.set_gold(GoldAnswer(new_id(), one, "ada", "a" if number % 2 else "b"))
        with pytest.raises(NotFoundError):
            book.set_gold(GoldAnswer(new_id(), "nowhere", "ada", "a"))
        early = []
        for _ in range(110):
            (slot,) = book.next_slots("ada", PLAIN, 1)[0]
            judge(book, slot)
            early.append(slot)
        assert set(gold) <= {slot.example_id for slot in early}
        assert {slot.example_id for slot in early if slot.arm == "gold"} == set(gold)
        with database.reader() as connection:
            (ada,) = reliability_table.reliability(connection)
            assert (ada.gold, ada.gold_right, ada.gold_rate) == (10, 5, 0.5)
            assert len(reliability_table.list_gold(connection)) == 10
        book.set_gold(GoldAnswer(new_id(), gold[0], "ada", ""))
        with database.reader() as connection:
            assert reliability_table.reliability(connection, "ada")[0].gold == 9
        for slot in book.next_slots("bob", QueueView(category="c0"), 100)[0]:
            assert int(slot.example_id[1:]) % 4 == 0, "gold pairs pass the filters too"


def test_self_agreement_and_side_bias_come_from_the_repeats(workspace: Workspace) -> None:
    with opened(workspace, made(4)) as (book, database):
        for pair, first, again in (("p0000", "a", "b"), ("p0001", "a", "a"), ("p0002", "b", "a")):
            one = Preference(new_id(), pair, "ada", first, shown_first="a")  # type: ignore[arg-type]
            book.add(one)
            book.add(replace(one, id=new_id(), choice=again, shown_first="b", source="repeat"))
        with database.reader() as connection:
            (ada,) = reliability_table.reliability(connection)
        assert (ada.repeats, ada.same, ada.left_twice, ada.right_twice) == (3, 1, 1, 1)
        assert ada.left_bias == 0.0


def test_an_active_order_keeps_a_random_arm_and_the_arms_are_compared(workspace: Workspace) -> None:
    pairs = [
        replace(pair, response_a=f"yes {'good ' * (n % 9)}", response_b=f"no {'bad ' * (n % 4)}")
        for n, pair in enumerate(made(400))
    ]
    with opened(workspace, pairs, Shares(control=0.4)) as (book, database):
        view = QueueView(order="active")
        for _ in range(320):
            (slot,) = book.next_slots("ada", view, 1)[0]
            number = int(slot.example_id[1:])
            judge(book, slot, choice="a" if number % 9 > number % 4 else "b")
        with database.reader() as connection:
            found = {one.arm: one for one in measured_arms(connection)}
        assert set(found) == {"active", "random"}
        assert 90 < found["random"].verdicts < 170
        for one in found.values():
            assert one.trained_on >= 20
            assert one.accuracy is not None
            assert one.accuracy > 0.7


def test_the_ranking_order_asks_about_models_that_are_close(workspace: Workspace) -> None:
    pairs = [
        ResponsePair(f"q{n:04d}", f"ask {n}", "one", f"two {n}", *sides)
        for n in range(600)
        for sides in [(("good", "fair"), ("good", "poor"), ("fair", "fine"))[n % 3]]
    ]
    with opened(workspace, pairs, Shares(control=0.0)) as (book, _):
        for n in range(180):
            choice: Choice = "a" if n % 3 != 2 or n % 2 else "b"
            judge(book, Slot(f"q{n:04d}", "a"), "bob", choice)
        asked = Counter(
            int(slot.example_id[1:]) % 3 for slot in book.next_slots("ada", QueueView(order="ranking"), 60)[0]
        )
        assert asked[2] > 40, "who is clearly better need not be asked again"


def test_a_view_that_makes_no_sense_is_refused() -> None:
    for view in (QueueView(models=("a", "b", "c")), QueueView(overlap=-1)):
        with pytest.raises(RlftError):
            view.checked()


def test_two_windows_show_different_pairs_while_there_are_any(workspace: Workspace) -> None:
    with opened(workspace, made(10), Shares(repeat=0.0)) as (book, _):

        def ask(window: str, *held: str, limit: int = 4) -> list[str]:
            return [slot.key for slot in book.next_slots("ada", PLAIN, limit, held, window=window)[0]]

        first, second = ask("one"), ask("two")
        assert len({*first, *second}) == 8
        assert ask("one") == first, "opened again in the same terminal"
        assert set(ask("")) == set(first), "who names no window takes what comes"
        book.add(Preference(new_id(), first[0], "ada", "a"))
        third = ask("one", *first[1:], limit=1)
        assert not {*third} & {*first, *second}
        everything = ask("two", *second, limit=6)
        assert everything[0] not in {*first, *third}
        assert {*everything[1:]} == {*first[1:], *third}, "at the end it shares"
        assert [slot.key for slot in book.next_slots("bob", PLAIN, 10, (), window="three")[0]]


def test_a_window_that_asks_no_more_holds_nothing() -> None:
    now = 0.0
    holds = WindowHolds(now=lambda: now)
    holds.keep("ada", "one", ["p", "q"])
    holds.keep("ada", "two", ["r"])
    assert holds.elsewhere("ada", "two") == {"p", "q"}
    assert holds.elsewhere("bob", "two") == frozenset()
    holds.keep("ada", "one", ["q"])
    assert holds.elsewhere("ada", "two") == {"q"}
    now = HELD_SECONDS + 1
    assert holds.elsewhere("ada", "two") == frozenset()


def test_nobody_waits_while_more_pairs_are_read_ahead(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_reader, "REFILL", 20)
    monkeypatch.setitem(label_desks.LOW, False, 15)
    reading, go_on = threading.Event(), threading.Event()
    with opened(workspace, made(60), Shares(repeat=0.0)) as (book, _):
        slots, _ = book.next_slots("ada", PLAIN, 5)
        read = label_desks.read_queue

        def slow(*values: object) -> object:
            reading.set()
            assert go_on.wait(60)
            return read(*values)  # type: ignore[arg-type]

        monkeypatch.setattr(label_desks, "read_queue", slow)
        for slot in slots:
            book.add(Preference(new_id(), slot.example_id, "ada", "a"))
        fresh, _ = book.next_slots("ada", PLAIN, 1)
        book.add(Preference(new_id(), fresh[0].example_id, "ada", "a"))
        assert book.next_slots("ada", PLAIN, 1)[1].labelled == 6
        assert reading.wait(60)
        second, _ = book.next_slots("ada", PLAIN, 1)
        book.add(Preference(new_id(), second[0].example_id, "ada", "a"))
        assert book.progress("ada").labelled == 7, "answered before the reading has ended"
        go_on.set()
        rest = {slot.example_id for slot in book.next_slots("ada", PLAIN, 60)[0]}
        assert len(rest) == 53
        assert not rest & {slot.example_id for slot in (*slots, *fresh, *second)}
