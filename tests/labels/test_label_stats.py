"""Counts over current verdicts."""

from __future__ import annotations

from rlft_tui.database.connection import open_database
from rlft_tui.labels.label_stats_table import label_stats
from rlft_tui.labels.preference import Mark, Preference, Revocation
from rlft_tui.labels.preferences_table import insert_operations, list_history
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
        Preference("4", "pair-3", "bob", "a", source="import", created_at=2.0 + DAY),
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


def test_statistics_of_nothing(workspace: Workspace) -> None:
    with open_database(workspace) as database, database.reader() as connection:
        stats = label_stats(connection)
    assert (stats.total, stats.by_choice) == (0, {"a": 0, "b": 0, "tie": 0})
    assert (stats.left_rate, stats.longer_rate, stats.median_seconds) == (None, None, None)
