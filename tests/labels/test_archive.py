"""An archive brings everything back: the same ids, times, takings-back and order; and adds nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rlft_tui.config import create_workspace
from rlft_tui.database.connection import open_database
from rlft_tui.labels.archive_lines import archive_lines
from rlft_tui.labels.export_table import LabelledPairs
from rlft_tui.labels.imported_labels import ImportedLabels
from rlft_tui.labels.journal import PreferenceJournal
from rlft_tui.labels.label_book import LabelBook
from rlft_tui.labels.labelled_pair import LabelledPair
from rlft_tui.labels.preference import BetterAnswer, Mark, Preference, Revocation
from rlft_tui.labels.reliability import GoldAnswer
from rlft_tui.labels.reliability_table import list_gold
from rlft_tui.pairs.import_pairs import import_pairs
from rlft_tui.pairs.pairs_table import add_pairs, pairs_page
from rlft_tui.prompts.import_report import ImportReport
from rlft_tui.prompts.prompt import Message
from tests.conftest import make_pairs

OPERATIONS = (
    Preference("v1", "pair-0", "ada", "a", "b", 4, "clear \u2028 ü", 1200, "human", 10.5, 3),
    Preference("v2", "pair-0", "ben", "tie", source="human", created_at=11.0, quality="both_bad"),
    Preference("v3", "pair-1", "ada", "b", source="repeat", created_at=12.0),
    Preference("v4", "pair-1", "ada", "b", source="scripted", created_at=11.5),
    Preference("v5", "pair-2", "ada", "a", created_at=13.0),
    Mark("m1", "pair-3", "ben", "flag", "broken", 14.0),
    Mark("m2", "pair-4", "ben", "skip", "", 14.5),
    BetterAnswer("w1", "pair-0", "ada", "Better than both.", 15.0),
    Revocation("r1", "v5", "ada", 16.0),
    Revocation("r2", "m2", "ben", 17.0),
)


@contextmanager
def opened(root: Path) -> Iterator[tuple[LabelBook, PreferenceJournal]]:
    workspace = create_workspace(root)
    with open_database(workspace) as database:
        journal = PreferenceJournal(workspace.journal)
        book = LabelBook(database, journal)
        try:
            yield book, journal
        finally:
            book.close()


def fill(book: LabelBook) -> None:
    with book.transaction() as writing:
        pairs = make_pairs(5)
        # Two pairs of the same content under ids of their own stay two.
        twin = {**{name: getattr(pairs[0], name) for name in pairs[0].__struct_fields__}, "id": "twin"}
        rich = {
            **twin,
            "id": "rich",
            "context": (Message("system", "Be brief."),),
            "settings": {"a": {"seed": 2**60, "temperature": 0.7}},
        }
        add_pairs(writing.connection, [*pairs, type(pairs[0])(**twin), type(pairs[0])(**rich)])
    for operation in OPERATIONS:
        book.add(operation)


def archived(book: LabelBook, labeler: str = "") -> bytes:
    with book.transaction() as writing:
        return b"".join(archive_lines(writing.connection, labeler))


def restored(book: LabelBook, file: Path) -> ImportReport:
    with book.transaction() as writing:
        sink = ImportedLabels(writing, labeler="", name=file.name)
        return import_pairs(writing.connection, file.name, file, now=99.0, sink=sink).report


def test_an_archive_restores_an_empty_workspace_and_adds_nothing_twice(tmp_path: Path) -> None:
    file = tmp_path / "archive.jsonl"
    with opened(tmp_path / "one") as (book, _):
        fill(book)
        file.write_bytes(archived(book))
        assert restored(book, file).verdicts == restored(book, file).imported == 0
        with book.transaction() as writing:
            pairs = pairs_page(writing.connection)[1]
    with opened(tmp_path / "two") as (book, journal):
        report = restored(book, file)
        assert (report.imported, report.verdicts, report.refused) == (7, len(OPERATIONS), 0)
        assert archived(book) == file.read_bytes()
        with book.transaction() as writing:
            assert pairs_page(writing.connection)[1] == pairs
        assert {operation.id for operation in journal.read()} == {one.id for one in OPERATIONS}
        again = restored(book, file)
        assert (again.imported, again.verdicts, again.duplicates) == (0, 0, 7)
        assert book.reconcile() == []


def test_an_archive_comes_back_into_a_workspace_that_has_its_pairs(tmp_path: Path) -> None:
    """Imported pairs have their content as id, in the archive too."""
    plain, file = tmp_path / "pairs.jsonl", tmp_path / "archive.jsonl"
    plain.write_text('{"prompt": "p", "response_a": "a", "response_b": "b"}\n')
    with opened(tmp_path / "one") as (book, _):
        assert restored(book, plain).imported == 1
        with book.transaction() as writing:
            pair = pairs_page(writing.connection)[1][0]
        book.add(Preference("v1", pair.id, "ada", "a", created_at=1.0))
        file.write_bytes(archived(book))
        assert restored(book, file).duplicates == 1
    with opened(tmp_path / "two") as (book, _):
        assert restored(book, plain).imported == 1
        report = restored(book, file)
        assert (report.imported, report.duplicates, report.verdicts) == (0, 1, 1)


def test_an_archive_of_one_labeller_has_all_pairs_and_only_their_labels(tmp_path: Path) -> None:
    with opened(tmp_path / "one") as (book, _):
        fill(book)
        text = archived(book, "ben").decode()
    assert text.count('"kind":"pair"') == 7
    assert '"ada"' not in text
    assert text.count('"labeler_id":"ben"') == 4


def test_labels_about_unknown_pairs_are_refused_by_line(tmp_path: Path) -> None:
    with opened(tmp_path / "one") as (book, _):
        fill(book)
        lines = archived(book).splitlines(keepends=True)
    file = tmp_path / "part.jsonl"
    file.write_bytes(b"".join(line for line in lines if b'"kind":"pair"' not in line))
    with opened(tmp_path / "two") as (book, _):
        report = restored(book, file)
    assert (report.imported, report.verdicts) == (0, 2)
    assert report.refused == len(OPERATIONS) - 2
    assert all("neither here nor in the archive" in entry.reason for entry in report.rejected)


def test_an_import_that_fails_leaves_neither_labels_nor_journal_lines(tmp_path: Path) -> None:
    file = tmp_path / "cut.jsonl"
    with opened(tmp_path / "one") as (book, _):
        fill(book)
        file.write_bytes(b"".join(archived(book).splitlines(keepends=True)[:-1]))
    with opened(tmp_path / "two") as (book, journal):
        with pytest.raises(Exception, match="cut short"):
            restored(book, file)
        assert list(journal.read()) == []
        assert archived(book).count(b"\n") == 2


def test_gold_answers_travel_in_the_archive_and_the_latest_stands(tmp_path: Path) -> None:
    said = (
        GoldAnswer("g1", "pair-0", "ada", "a", 20.0),
        GoldAnswer("g2", "pair-1", "ben", "b", 21.0),
        GoldAnswer("g3", "pair-0", "ben", "tie", 22.0),
        GoldAnswer("g4", "pair-1", "ben", "", 23.0),
    )
    file = tmp_path / "archive.jsonl"
    with opened(tmp_path / "one") as (book, _):
        fill(book)
        for answer in said:
            book.set_gold(answer)
        file.write_bytes(archived(book))
        with book.transaction() as writing:
            kept_back = b"".join(archive_lines(writing.connection, gold=False))
    assert b"goldanswer" not in kept_back
    assert f'"labels":{len(OPERATIONS)}'.encode() in kept_back.splitlines()[-1]
    with opened(tmp_path / "two") as (book, journal):
        assert restored(book, file).verdicts == len(OPERATIONS) + len(said)
        assert archived(book) == file.read_bytes()
        assert [one for one in journal.read() if isinstance(one, GoldAnswer)] == list(said)
        with book.transaction() as writing:
            (gold,) = list_gold(writing.connection)
    assert (gold.example_id, gold.choice, gold.created_at) == ("pair-0", "tie", 22.0)


def labelled(book: LabelBook, labeler: str = "") -> list[LabelledPair]:
    with book.transaction() as writing:
        return list(LabelledPairs(writing.connection, labeler))


def test_labelled_pairs_are_what_stands_now_in_the_order_of_the_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rlft_tui.labels.export_table.PAGE", 2)
    with opened(tmp_path / "one") as (book, _):
        fill(book)
        book.add(Preference("v6", "pair-3", "ada", "a", created_at=20.0))
        everyone, ben = labelled(book), labelled(book, "ben")
        with book.transaction() as writing:
            head = LabelledPairs(writing.connection).head
    assert [one.pair.id for one in everyone] == ["pair-0", "pair-1", "pair-3"]
    assert [[verdict.id for verdict in one.verdicts] for one in everyone] == [["v1", "v2"], ["v4"], ["v6"]]
    assert [[answer.id for answer in one.written] for one in everyone] == [["w1"], [], []]
    assert [one.flagged for one in everyone] == [False, False, True]
    assert [[verdict.id for verdict in one.verdicts] for one in ben] == [["v2"]]
    assert (head.pairs, head.verdicts, head.strengths, head.stored_pairs) == (3, 4, 1, 7)
