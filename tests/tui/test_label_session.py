"""The rules of labelling, without a screen."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlft_tui.labels.preference import HistoryEntry, Mark, Preference, Progress
from rlft_tui.labels.queue_item import QueueItem, QueuePage
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.tui.label_session import (
    LabelSession,
    ReadingClock,
    duration,
    former_line,
    last_standing,
    progress_line,
)


def progress(labelled: int = 0, remaining: int = 9) -> Progress:
    return Progress(labelled, 0, 0, remaining, None, None)


def pair(name: str) -> ResponsePair:
    return ResponsePair(name, f"ask {name}", f"a of {name}", f"b of {name}")


def page(*names: str, left: str = "a") -> QueuePage:
    items = tuple(QueueItem(pair(name), "a" if left == "a" else "b") for name in names)
    return QueuePage(items, progress(remaining=len(items)))


def session(*names: str, left: str = "a") -> LabelSession:
    numbers = count(1)
    made = LabelSession("anna", now=lambda: 1000.0, make_id=lambda: f"id{next(numbers)}")
    made.receive(page(*names, left=left))
    made.painted(10.0)
    return made


def test_left_is_stored_as_the_side_that_was_shown_there() -> None:
    flipped = session("p", left="b")
    assert flipped.current is not None
    assert (flipped.current.left_text, flipped.current.right_text) == ("b of p", "a of p")
    verdict = flipped.judge("left", 11.0)
    assert verdict is not None
    assert (verdict.choice, verdict.shown_first, verdict.example_id) == ("b", "b", "p")


@pytest.mark.parametrize(("place", "choice"), [("left", "a"), ("right", "b"), ("tie", "tie")])
def test_each_key_stores_its_choice(place: str, choice: str) -> None:
    verdict = session("p").judge(place, 11.0)  # type: ignore[arg-type]
    assert verdict is not None
    assert verdict.choice == choice


def test_a_key_pressed_before_the_pair_was_painted_judges_nothing() -> None:
    labelling = session("p", "q")
    assert labelling.judge("left", 9.99) is None
    assert labelling.judge("left", 10.0) is not None


def test_a_key_pressed_while_a_verdict_is_being_stored_judges_nothing() -> None:
    labelling = session("p", "q")
    assert labelling.judge("left", 11.0) is not None
    assert labelling.judge("left", 11.1) is None
    assert labelling.set_aside("skip", 11.1) is None
    assert not labelling.begin_undo()


def test_a_key_that_waited_while_the_next_pair_was_painted_judges_nothing() -> None:
    labelling = session("p", "q")
    labelling.judge("left", 11.0)
    labelling.stored(progress(1))
    assert labelling.judge("left", 12.0) is None, "not painted yet"
    labelling.painted(13.0)
    assert labelling.judge("left", 12.0) is None, "pressed before the paint, handled after it"
    verdict = labelling.judge("left", 13.5)
    assert verdict is not None
    assert verdict.example_id == "q"


def test_the_pair_stays_until_the_verdict_is_stored() -> None:
    labelling = session("p", "q")
    labelling.judge("right", 11.0)
    assert labelling.current is not None
    assert labelling.current.pair.id == "p"
    labelling.stored(progress(1))
    assert labelling.current.pair.id == "q"
    assert labelling.progress == progress(1)


def test_confidence_and_note_go_into_one_verdict_only() -> None:
    labelling = session("p", "q")
    labelling.confidence, labelling.note = 4, "cites a source"
    first = labelling.judge("left", 11.0)
    labelling.stored(progress(1))
    labelling.painted(12.0)
    second = labelling.judge("left", 13.0)
    assert first is not None
    assert second is not None
    assert (first.confidence, first.reasoning) == (4, "cites a source")
    assert (second.confidence, second.reasoning) == (None, "")


def test_a_flag_carries_the_note() -> None:
    labelling = session("p")
    labelling.note = "cut off"
    mark = labelling.set_aside("flag", 11.0)
    assert mark == Mark("id1", "p", "anna", "flag", "cut off", 1000.0)


def test_a_refused_pair_gives_way_and_a_refused_verdict_keeps_it() -> None:
    labelling = session("p", "q")
    labelling.judge("left", 11.0)
    labelling.refused(keep=True)
    assert labelling.current is not None
    assert (labelling.current.pair.id, labelling.phase) == ("p", "judging")
    labelling.judge("left", 12.0)
    labelling.refused(keep=False)
    assert labelling.current.pair.id == "q"


def test_pairs_are_asked_for_until_three_wait_and_never_twice() -> None:
    labelling = LabelSession("anna")
    assert labelling.missing() == LabelSession.AHEAD + 1
    labelling.receive(page("p", "q"))
    assert labelling.missing() == 2
    assert labelling.held() == ("p", "q")
    labelling.receive(page("q", "r", "s"))
    assert labelling.held() == ("p", "q", "r", "s")
    assert labelling.missing() == 0


def test_a_page_that_was_under_way_does_not_bring_a_judged_pair_back() -> None:
    labelling = session("p", "q")
    labelling.judge("left", 11.0)
    labelling.stored(progress(1))
    labelling.receive(page("p", "r"))
    assert labelling.held() == ("q", "r")


def test_the_end_of_the_queue_and_an_empty_store_are_told_apart() -> None:
    labelling = session("p")
    labelling.judge("left", 11.0)
    labelling.stored(progress(1, 0))
    assert labelling.phase == "loading"
    labelling.receive(page())
    assert labelling.phase == "finished"
    fresh = LabelSession("anna")
    fresh.receive(page())
    assert fresh.phase == "empty"
    fresh.look_again()
    assert fresh.receive(page("p"))
    assert fresh.phase == "painting"


def test_undo_brings_the_pair_back_as_it_was_and_keeps_the_other_next() -> None:
    labelling = session("p", "q", "r", left="b")
    labelling.note = "long"
    verdict = labelling.judge("left", 11.0)
    assert verdict is not None
    labelling.stored(progress(1))
    labelling.painted(12.0)
    assert labelling.begin_undo()
    assert labelling.judge("left", 13.0) is None
    revocation = labelling.take_back(verdict)
    assert (revocation.target_id, revocation.labeler_id) == (verdict.id, "anna")
    labelling.bring_back(QueueItem(pair("p"), "a"), verdict, progress(0))
    assert labelling.current is not None
    assert (labelling.current.pair.id, labelling.current.left) == ("p", "b")
    assert former_line(labelling.current) == "taken back: left better"
    assert labelling.note == "long"
    assert [item.pair.id for item in labelling.upcoming] == ["q", "r"]
    labelling.painted(14.0)
    again = labelling.judge("right", 15.0)
    assert again is not None
    assert (again.choice, again.id) == ("a", "id3")


def test_a_note_on_a_pair_that_an_undo_moved_away_comes_back_with_it() -> None:
    labelling = session("p", "q")
    verdict = labelling.judge("left", 11.0)
    assert verdict is not None
    labelling.stored(progress(1))
    labelling.painted(12.0)
    labelling.confidence, labelling.note = 2, "half read"
    labelling.begin_undo()
    labelling.take_back(verdict)
    labelling.bring_back(QueueItem(pair("p"), "a"), verdict, progress(0))
    assert (labelling.confidence, labelling.note) == (None, "")
    labelling.painted(13.0)
    labelling.judge("left", 14.0)
    labelling.stored(progress(1))
    assert (labelling.confidence, labelling.note) == (2, "half read")


def test_the_note_and_confidence_of_a_skipped_pair_come_back_with_it() -> None:
    undone = session("p", "q")
    undone.confidence, undone.note = 2, "half read"
    mark = undone.set_aside("skip", 11.0)
    assert mark is not None
    undone.stored(progress())
    undone.painted(12.0)
    assert (undone.confidence, undone.note) == (None, "")
    undone.begin_undo()
    undone.take_back(mark)
    undone.bring_back(QueueItem(pair("p"), "a"), mark, progress())
    assert (undone.confidence, undone.note) == (2, "half read")

    reopened = session("p")
    reopened.confidence, reopened.note = 2, "half read"
    reopened.set_aside("skip", 11.0)
    reopened.stored(progress())
    reopened.reopened("p")
    reopened.change_queue()
    assert reopened.receive(page("p"))
    assert (reopened.confidence, reopened.note) == (2, "half read")


def test_undo_with_nothing_to_take_back_changes_nothing() -> None:
    labelling = session("p")
    assert labelling.begin_undo()
    labelling.cancel_undo()
    assert labelling.judge("tie", 11.0) is not None


def test_the_last_standing_operation_passes_over_those_taken_back() -> None:
    first = Preference("1", "p", "anna", "a")
    second = Mark("2", "q", "anna", "skip")
    assert last_standing((HistoryEntry(second, "", True), HistoryEntry(first, "", False))) == first
    assert last_standing((HistoryEntry(second, "", True),)) is None
    assert last_standing(()) is None


def test_reading_time_leaves_out_idle_gaps_and_other_windows() -> None:
    clock = ReadingClock(idle_seconds=60)
    clock.start(0.0)
    clock.touch(10.0)
    clock.touch(500.0)
    assert clock.milliseconds(505.0) == 75_000
    clock.start(1000.0)
    clock.leave(1010.0)
    clock.touch(1300.0)
    assert clock.milliseconds(1305.0) == 15_000


@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=30))
def test_reading_time_never_exceeds_the_time_that_passed(moments: list[float]) -> None:
    ordered = sorted(moments)
    clock = ReadingClock(idle_seconds=60)
    clock.start(ordered[0])
    for moment in ordered:
        clock.touch(moment)
    spent = clock.milliseconds(ordered[-1])
    assert 0 <= spent <= (ordered[-1] - ordered[0]) * 1000 + 1


def test_the_status_line_says_what_is_known() -> None:
    assert progress_line(Progress(1200, 0, 0, 72, None, None)) == "1,200 labelled · 72 left"
    full = Progress(12, 1, 2, 72, 94.2, 2757)
    assert progress_line(full) == "12 labelled · 72 left · 1 skipped · 2 flagged · 94/h · about 46 min to go"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (45, "45 s"), (720, "12 min"), (12_000, "3 h 20 min")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text
