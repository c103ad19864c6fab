"""Counts over current verdicts."""

from __future__ import annotations

from typing import Any

import pytest

from rlft_tui.database.connection import open_database
from rlft_tui.errors import RlftError
from rlft_tui.labels.history_table import list_history
from rlft_tui.labels.label_stats_table import label_stats
from rlft_tui.labels.preference import BetterAnswer, Mark, Preference, Revocation
from rlft_tui.labels.preferences_table import insert_operations
from rlft_tui.pairs.pairs_table import add_pairs
from rlft_tui.paths import Workspace
from tests.conftest import make_pairs

DAY = 86_400.0


def test_statistics_count_what_stands(workspace: Workspace) -> None:
    operations = [
        # a is the longer answer of these pairs.
        Preference("1", "pair-0", "ada", "a", shown_first="a", time_spent_ms=1000, created_at=1.0),
        Preference("2", "pair-1", "ada", "b", shown_first="a", time_spent_ms=3000, created_at=2.0),
        Preference("3", "pair-2", "bob", "tie", time_spent_ms=8000, created_at=1.0 + DAY),
        Preference("4", "pair-3", "bob", "a", source="import", created_at=1.9 * DAY),
        Preference("5", "pair-4", "ada", "a", time_spent_ms=99_000, created_at=3.0),
        Revocation("6", "5", "ada", created_at=4.0),
        Mark("7", "pair-5", "ada", "skip", created_at=5.0),
        Mark("8", "pair-6", "ada", "flag", created_at=6.0),
    ]
    with open_database(workspace) as database:
        with database.write() as connection:
            add_pairs(connection, make_pairs(8))
            assert insert_operations(connection, operations) == 8
            assert insert_operations(connection, operations) == 0
        with database.reader() as connection:
            everybody, ada = label_stats(connection), label_stats(connection, "ada")
            history = list_history(connection, "ada", 3)

    assert everybody.total == 4
    assert everybody.by_choice == {"a": 2, "b": 1, "tie": 1}
    assert everybody.by_labeler == {"ada": 2, "bob": 2}
    assert everybody.by_day == {"1970-01-01": 2, "1970-01-02": 2}
    assert (everybody.skipped, everybody.flagged, everybody.revoked) == (1, 1, 1)
    assert everybody.left_rate == 0.5
    assert everybody.longer_rate == 2 / 3
    assert everybody.median_seconds == 3.0
    assert (ada.total, ada.by_labeler, ada.median_seconds) == (2, {"ada": 2}, 2.0)
    assert [(entry.operation.id, entry.revoked) for entry in history] == [
        ("8", False),
        ("7", False),
        ("5", True),
    ]
    assert history[0].prompt == "Question 6 of pair?"


def test_strengths_qualities_and_written_answers_are_counted(workspace: Workspace) -> None:
    operations = [
        Preference("1", "pair-0", "ada", "a", strength=4, created_at=1.0),
        Preference("2", "pair-1", "ada", "b", strength=1, created_at=2.0),
        Preference("3", "pair-2", "ada", "b", strength=4, created_at=3.0),
        Preference("4", "pair-3", "ada", "tie", quality="both_good", created_at=4.0),
        Preference("5", "pair-4", "ada", "tie", quality="both_bad", created_at=5.0),
        Preference("6", "pair-5", "ada", "a", created_at=6.0),
        Preference("7", "pair-0", "ada", "b", source="repeat", strength=2, created_at=7.0),
        BetterAnswer("8", "pair-4", "ada", "Better.", created_at=8.0),
        BetterAnswer("9", "pair-4", "ada", "Better still.", created_at=9.0),
    ]
    with open_database(workspace) as database:
        with database.write() as connection:
            add_pairs(connection, make_pairs(8))
            insert_operations(connection, operations)
        with database.reader() as connection:
            stats, nobody = label_stats(connection, "ada"), label_stats(connection, "bob")
    assert stats.total == 6
    assert stats.by_choice == {"a": 2, "b": 2, "tie": 2}
    assert list(stats.by_strength.items()) == [("negligibly", 1), ("significantly", 2)]
    assert stats.by_quality == {"both_bad": 1, "both_good": 1}
    assert stats.written == 1
    assert (nobody.by_strength, nobody.by_quality, nobody.written) == ({}, {}, 0)


def test_history_is_searched_narrowed_paged_and_tells_what_stands(workspace: Workspace) -> None:
    operations = [
        Preference("1", "pair-1", "ada", "a", reasoning="Too LONG", created_at=1.0),
        Preference("2", "pair-1", "ada", "b", created_at=2.0),
        Mark("3", "pair-2", "ada", "skip", created_at=3.0),
        Mark("4", "pair-3", "ada", "flag", note="broken maths", created_at=4.0),
        BetterAnswer("5", "pair-1", "ada", "first", created_at=5.0),
        BetterAnswer("6", "pair-1", "ada", "second 100%", created_at=6.0),
        Preference("7", "pair-5", "ada", "a", created_at=7.0),
        Revocation("8", "7", "ada", created_at=8.0),
        Preference("9", "pair-5", "bob", "a", created_at=9.0),
        Preference("10", "pair-1", "ada", "a", source="repeat", created_at=10.0),
        Preference("11", "gone", "ada", "a", created_at=11.0),
    ]
    with open_database(workspace) as database:
        with database.write() as connection:
            add_pairs(connection, make_pairs(8))
            insert_operations(connection, operations)
        with database.reader() as connection:

            def ids(limit: int = 100, **narrowed: Any) -> list[str]:
                return [one.operation.id for one in list_history(connection, "ada", limit, **narrowed)]

            everything = list_history(connection, "ada", 100)
            assert ids() == ["11", "10", "7", "6", "5", "4", "3", "2", "1"]
            assert ids(3, offset=2) == ["7", "6", "5"]
            assert ids(only="skip") == ["3"]
            assert ids(only="written") == ["6", "5"]
            assert ids(only="verdict", search="question 1") == ["10", "2", "1"]
            assert ids(search="too long") == ["1"]
            assert ids(search="MATHS") == ["4"]
            assert ids(search="100%") == ["6"]
            assert ids(search="nowhere") == []
            with pytest.raises(RlftError, match="no kind of label 'skips'"):
                ids(only="skips")
    states = {one.operation.id: (one.revoked, one.superseded) for one in everything}
    replaced = {identity for identity, (_, superseded) in states.items() if superseded}
    assert replaced == {"1", "5"}
    assert {identity for identity, (revoked, _) in states.items() if revoked} == {"7"}
    assert everything[0].prompt == ""


def test_statistics_of_nothing(workspace: Workspace) -> None:
    with open_database(workspace) as database, database.reader() as connection:
        stats = label_stats(connection)
    assert (stats.total, stats.by_choice) == (0, {"a": 0, "b": 0, "tie": 0})
    assert (stats.left_rate, stats.longer_rate, stats.median_seconds) == (None, None, None)
