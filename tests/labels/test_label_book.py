"""Verdicts, marks and undo through the book: counts, order and what is on disk."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlft_tui.database.connection import Database, open_database
from rlft_tui.errors import ConflictError, NotFoundError, UnavailableError
from rlft_tui.ids import new_id
from rlft_tui.labels import history_table, preferences_table
from rlft_tui.labels.journal import PreferenceJournal
from rlft_tui.labels.label_book import LabelBook
from rlft_tui.labels.label_queue import left_side
from rlft_tui.labels.labelers_table import list_labelers
from rlft_tui.labels.preference import (
    BetterAnswer,
    Choice,
    LabelOperation,
    Mark,
    MarkKind,
    Preference,
    Revocation,
)
from rlft_tui.labels.reliability import GoldAnswer
from rlft_tui.labels.reliability_table import list_gold
from rlft_tui.pairs.pairs_table import add_pairs
from rlft_tui.paths import Workspace
from tests.conftest import make_pairs


@contextmanager
def opened(workspace: Workspace, pairs: int = 0) -> Iterator[tuple[LabelBook, Database]]:
    with open_database(workspace) as database:
        if pairs:
            with database.write() as connection:
                add_pairs(connection, make_pairs(pairs))
        book = LabelBook(database, PreferenceJournal(workspace.journal))
        book.reconcile()
        yield book, database
        book.close()


def verdict(pair: str, choice: Choice = "a", labeler: str = "ada") -> Preference:
    return Preference(new_id(), pair, labeler, choice)


def mark(pair: str, kind: MarkKind = "skip") -> Mark:
    return Mark(new_id(), pair, "ada", kind)


def undo(operation: LabelOperation, labeler: str = "ada") -> Revocation:
    return Revocation(new_id(), operation.id, labeler)


def order(book: LabelBook, labeler: str = "ada", limit: int = 100) -> list[str]:
    return book.next_ids(labeler, limit, ())[0]


def current(database: Database) -> list[tuple[str, str, str]]:
    with database.reader() as connection:
        found = preferences_table.list_current(connection, "", 0, 10_000)
    return [(one.labeler_id, one.example_id, one.choice) for one in found]


def test_judged_skipped_and_flagged_pairs_leave_the_queue_and_are_counted(workspace: Workspace) -> None:
    with opened(workspace, pairs=6) as (book, _):
        first, second, third, *rest = order(book)
        book.add(verdict(first))
        book.add(mark(second, "skip"))
        progress = book.add(mark(third, "flag"))

        assert order(book) == rest
        counts = (progress.labelled, progress.skipped, progress.flagged, progress.remaining)
        assert counts == (1, 1, 1, 3)


def test_the_order_is_random_fixed_and_the_labellers_own(workspace: Workspace) -> None:
    with opened(workspace, pairs=40) as (book, _):
        ada, bob = order(book, "ada"), order(book, "bob")
    with opened(workspace) as (book, _):
        assert order(book, "ada") == ada
    in_sequence = [pair.id for pair in make_pairs(40)]
    assert sorted(ada) == sorted(bob) == sorted(in_sequence)
    assert len({tuple(ada), tuple(bob), tuple(in_sequence)}) == 3


def test_the_left_side_is_even_over_pairs_and_the_same_each_time() -> None:
    sides = [left_side("ada", f"pair-{n}") for n in range(1000)]
    assert sides == [left_side("ada", f"pair-{n}") for n in range(1000)]
    assert 400 < sides.count("a") < 600
    assert sides != [left_side("bob", f"pair-{n}") for n in range(1000)]


def test_prefetched_pairs_are_not_given_again(workspace: Workspace) -> None:
    with opened(workspace, pairs=10) as (book, _):
        ids = order(book)
        assert book.next_ids("ada", 3, tuple(ids[:4]))[0] == ids[4:7]


def test_new_pairs_join_a_queue_that_was_empty(workspace: Workspace) -> None:
    with opened(workspace) as (book, database):
        assert order(book) == []
        with database.write() as connection:
            add_pairs(connection, make_pairs(3))
        book.pairs_changed()
        ids, progress = book.next_ids("ada", 10, ())
        assert len(ids) == progress.remaining == 3


def test_every_verdict_can_be_undone_after_a_restart_the_latest_first(workspace: Workspace) -> None:
    with opened(workspace, pairs=5) as (book, _):
        judged = [verdict(pair) for pair in order(book)]
        for one in judged:
            book.add(one)
        assert order(book) == []
    with opened(workspace) as (book, database):
        for position, one in enumerate(reversed(judged)):
            progress = book.add(undo(one))
            assert progress.remaining == position + 1
            assert order(book)[0] == one.example_id
        assert current(database) == []
    with opened(workspace) as (book, _):
        assert order(book) == [one.example_id for one in judged]


def test_a_skip_can_be_undone(workspace: Workspace) -> None:
    with opened(workspace, pairs=5) as (book, _):
        skipped = mark(order(book)[3])
        book.add(skipped)
        progress = book.add(undo(skipped))
        assert (progress.skipped, progress.remaining) == (0, 5)
        assert order(book)[0] == skipped.example_id


def test_the_latest_verdict_of_a_labeller_stands_and_undoing_it_brings_the_first_back(
    workspace: Workspace,
) -> None:
    with opened(workspace, pairs=2) as (book, database):
        first, second = verdict("pair-0", "a"), verdict("pair-0", "b")
        book.add(first)
        progress = book.add(second)
        assert (progress.labelled, progress.remaining) == (1, 1)
        assert current(database) == [("ada", "pair-0", "b")]
        progress = book.add(undo(second))
        assert (progress.labelled, progress.remaining) == (1, 1)
        assert current(database) == [("ada", "pair-0", "a")]


def test_labellers_do_not_touch_each_other(workspace: Workspace) -> None:
    with opened(workspace, pairs=2) as (book, database):
        ada = verdict("pair-0", "a", "ada")
        book.add(ada)
        assert book.add(verdict("pair-0", "b", "bob")).remaining == 1
        with pytest.raises(ConflictError, match="ada's"):
            book.add(undo(ada, "bob"))
        assert current(database) == [("ada", "pair-0", "a"), ("bob", "pair-0", "b")]


def test_a_repeated_request_is_acknowledged_and_stored_once(workspace: Workspace) -> None:
    with opened(workspace, pairs=2) as (book, database):
        one = verdict("pair-0")
        assert book.add(one) == book.add(one)
        taken_back = undo(one)
        assert book.add(taken_back) == book.add(taken_back)
        assert current(database) == []
    assert workspace.journal.read_bytes().count(b"\n") == 2


def test_a_verdict_on_an_unknown_pair_reaches_neither_journal_nor_database(workspace: Workspace) -> None:
    with opened(workspace, pairs=1) as (book, database):
        for wrong in (verdict("nowhere"), mark("nowhere"), Revocation(new_id(), "nothing", "ada")):
            with pytest.raises(NotFoundError):
                book.add(wrong)
        assert current(database) == []
        assert workspace.journal.read_bytes() == b""


def test_strength_quality_and_a_written_answer_come_back_from_the_journal(workspace: Workspace) -> None:
    given: list[LabelOperation] = [
        Preference("1", "pair-0", "ada", "a", strength=4, created_at=1.0),
        Preference("2", "pair-1", "ada", "tie", quality="both_bad", created_at=2.0),
        BetterAnswer("3", "pair-1", "ada", "What neither said.", created_at=3.0),
        Preference("4", "pair-0", "ada", "b", source="repeat", created_at=4.0),
    ]
    with opened(workspace, pairs=3) as (book, _):
        for one in given:
            book.add(one)
    for file in (workspace.database, Path(f"{workspace.database}.wal")):
        file.unlink(missing_ok=True)
    with open_database(workspace) as database:
        book = LabelBook(database, PreferenceJournal(workspace.journal))
        book.reconcile()
        with database.reader() as connection:
            history = history_table.list_history(connection, "ada", 10)
        assert [entry.operation for entry in history] == given[::-1]
        # The repeat measures the labeller; the verdict before it stands.
        assert current(database) == [("ada", "pair-0", "a"), ("ada", "pair-1", "tie")]
        book.close()


def test_a_written_answer_leaves_the_queue_as_it_is_and_can_be_taken_back(workspace: Workspace) -> None:
    with opened(workspace, pairs=4) as (book, _):
        ids = order(book)
        before = book.next_ids("ada", 1, ())[1]
        answer = BetterAnswer(new_id(), ids[2], "ada", "Better.")
        assert book.add(answer) == before
        assert order(book) == ids
        assert book.add(answer) == before
        book.add(undo(answer))
        assert order(book) == ids
        with pytest.raises(ConflictError, match="already undone"):
            book.add(undo(answer))


def test_undoing_twice_is_refused(workspace: Workspace) -> None:
    with opened(workspace, pairs=1) as (book, _):
        one = verdict("pair-0")
        book.add(one)
        book.add(undo(one))
        with pytest.raises(ConflictError, match="already undone"):
            book.add(undo(one))


def test_a_lost_database_gets_every_verdict_mark_and_undo_back_from_the_journal(workspace: Workspace) -> None:
    with opened(workspace, pairs=8) as (book, database):
        ids = order(book)
        taken_back = verdict(ids[0])
        done = [taken_back, verdict(ids[1], "b"), mark(ids[2]), mark(ids[3], "flag"), undo(taken_back)]
        for one in done:
            book.add(one)
        stood, queue = current(database), order(book)
    for file in (workspace.database, Path(f"{workspace.database}.wal")):
        file.unlink(missing_ok=True)

    with open_database(workspace) as database:
        book = LabelBook(database, PreferenceJournal(workspace.journal))
        warnings = book.reconcile()
        assert any("5 labels were missing in the database" in line for line in warnings)
        assert any("1 verdict is on pairs that are not stored" in line for line in warnings)
        assert current(database) == stood
        with database.write() as connection:
            assert [one.name for one in list_labelers(connection)] == ["ada"]
            add_pairs(connection, make_pairs(8))
        book.pairs_changed()
        assert order(book) == queue
        assert book.reconcile() == []
        book.close()


def test_gold_answers_come_back_from_the_journal(workspace: Workspace) -> None:
    with opened(workspace, pairs=2) as (book, _):
        book.set_gold(GoldAnswer(new_id(), "pair-0", "ada", "b"))
        book.set_gold(GoldAnswer(new_id(), "pair-1", "ada", "a"))
        book.set_gold(GoldAnswer(new_id(), "pair-1", "ada", ""))
    for file in (workspace.database, Path(f"{workspace.database}.wal")):
        file.unlink(missing_ok=True)

    with opened(workspace, pairs=2) as (_, database), database.reader() as connection:
        assert [(one.example_id, one.choice) for one in list_gold(connection)] == [("pair-0", "b")]


def test_a_deleted_journal_is_written_again_from_the_database(workspace: Workspace) -> None:
    with opened(workspace, pairs=3) as (book, _):
        one = verdict("pair-0", "b")
        book.add(one)
        book.add(mark("pair-1"))
        book.add(undo(one))
    lines = set(workspace.journal.read_bytes().splitlines())
    workspace.journal.unlink()
    with open_database(workspace) as database:
        book = LabelBook(database, PreferenceJournal(workspace.journal))
        assert any("3 labels were missing in the journal" in line for line in book.reconcile())
        book.close()
    assert set(workspace.journal.read_bytes().splitlines()) == lines


def test_a_journal_replaced_under_a_living_server_takes_no_more_verdicts(workspace: Workspace) -> None:
    with opened(workspace, pairs=1) as (book, database):
        workspace.journal.rename(workspace.root / "moved.jsonl")
        with pytest.raises(UnavailableError, match="moved or replaced"):
            book.add(verdict("pair-0"))
        assert current(database) == []


def test_an_import_that_fails_half_way_leaves_no_verdict_anywhere(workspace: Workspace) -> None:
    with opened(workspace, pairs=2) as (book, database):
        with pytest.raises(ZeroDivisionError), book.transaction() as writing:
            _ = writing.add_imported([verdict("pair-0")]) / 0
        assert current(database) == []
        assert workspace.journal.read_bytes() == b""

        with book.transaction() as writing:
            assert writing.add_imported([verdict("pair-0"), verdict("pair-1", "b")]) == 2
        assert len(current(database)) == 2
        assert workspace.journal.read_bytes().count(b"\n") == 2
        assert order(book) == []


steps = st.lists(
    st.tuples(st.sampled_from(["a", "b", "tie", "skip", "flag", "undo"]), st.integers(0, 5)), max_size=25
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_counts_kept_in_memory_are_those_the_database_would_give(
    workspace: Workspace, taken: list[tuple[str, int]]
) -> None:
    labeler = new_id()
    standing: list[LabelOperation] = []
    with opened(workspace, pairs=6) as (book, _):
        for action, n in taken:
            if action == "undo":
                if standing:
                    book.add(undo(standing.pop(n % len(standing)), labeler))
                continue
            pair = f"pair-{n}"
            one: Preference | Mark
            if action in ("skip", "flag"):
                one = Mark(new_id(), pair, labeler, action)  # type: ignore[arg-type]
            else:
                one = Preference(new_id(), pair, labeler, action)  # type: ignore[arg-type]
            book.add(one)
            standing.append(one)
        ids, progress = book.next_ids(labeler, 100, ())
        book.pairs_changed()
        assert book.next_ids(labeler, 100, ()) == (ids, progress)


def test_a_verdict_whose_journal_line_did_not_reach_the_disk_is_not_acknowledged(
    workspace: Workspace,
) -> None:
    broken: list[bool] = []

    def sync(descriptor: int) -> None:
        if broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        os.fdatasync(descriptor)

    with open_database(workspace) as database:
        with database.write() as connection:
            add_pairs(connection, make_pairs(2))
        book = LabelBook(database, PreferenceJournal(workspace.journal, sync=sync))
        book.reconcile()
        book.add(verdict("pair-0"))
        before = workspace.journal.read_bytes()
        broken.append(True)
        with pytest.raises(UnavailableError):
            book.add(verdict("pair-1"))
        assert workspace.journal.read_bytes() == before
        book.close()


def test_verdicts_are_stored_while_an_import_is_under_way(workspace: Workspace) -> None:
    with opened(workspace, 3) as (book, database):
        imported = [verdict(f"new-{n}", labeler="eve") for n in range(3)]

        def run(*, fail: bool) -> None:
            with book.import_transaction() as writing:
                add_pairs(writing.connection, make_pairs(3, prefix="new"))
                assert writing.add_imported(imported) == 3
                begun.set()
                assert go_on.wait(60)
                if fail:
                    raise RuntimeError("the file ends in the middle")

        for number, fail in enumerate((True, False)):
            begun, go_on = threading.Event(), threading.Event()
            with ThreadPoolExecutor(1) as pool:
                done = pool.submit(run, fail=fail)
                assert begun.wait(60)
                assert book.add(verdict(f"pair-{number}")).labelled == number + 1
                assert len(order(book)) == 2 - number, "what is imported is not offered yet"
                go_on.set()
                assert (done.exception() is not None) == fail
            stored = {(labeler, pair) for labeler, pair, _ in current(database)}
            assert ("ada", f"pair-{number}") in stored
            assert (("eve", "new-0") in stored) == (not fail)
        assert len(order(book)) == 4
        assert workspace.journal.read_bytes().count(b"\n") == 2 + 3
    with opened(workspace) as (book, database):
        assert len(current(database)) == 5, "database and journal agree"


def test_an_import_that_meets_the_same_pairs_stores_nothing(workspace: Workspace) -> None:
    with opened(workspace) as (book, database):

        def collide() -> None:
            with book.import_transaction() as writing:
                add_pairs(writing.connection, make_pairs(2))
                writing.add_imported([verdict("pair-0", labeler="eve")])
                with database.write() as connection:
                    add_pairs(connection, make_pairs(1))

        with pytest.raises(ConflictError, match="Do it again"):
            collide()
        assert current(database) == []
        assert workspace.journal.read_bytes() == b""
        book.add(verdict("pair-0"))
        assert len(current(database)) == 1
