"""Statistics through a real server, and computed only when something changed."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.database.connection import open_database
from rlft_tui.labels.preference import Preference, Revocation
from rlft_tui.labels.preferences_table import insert_operations
from rlft_tui.paths import Workspace
from rlft_tui.server.statistics_memo import StatisticsMemo
from tests.conftest import add_pairs


def test_every_section_answers_and_follows_each_verdict(client: WorkspaceClient) -> None:
    pairs = add_pairs(client, 30)
    assert client.pace(labeler="ada").verdicts == 0
    assert client.bias().everybody.left.rate is None
    assert client.agreement().between == ()
    assert client.separations() == ()
    assert client.home("ada").separation is None

    for n, pair in enumerate(pairs):
        at = 1e9 + 100 * n
        client.add_label(Preference(f"a{n}", pair.id, "ada", "b", time_spent_ms=9000, created_at=at))
    for n, pair in enumerate(pairs[:4]):
        client.add_label(Preference(f"b{n}", pair.id, "bob", "b" if n else "a", created_at=2e9))

    pace = client.pace(labeler="ada")
    assert (pace.verdicts, pace.remaining, pace.median_seconds) == (30, 0, 9.0)
    assert pace.recent_per_hour == pytest.approx(36)
    assert pace.trend is not None
    assert client.pace().remaining is None
    assert [one.labeler for one in client.bias().labelers] == ["ada", "bob"]
    (between,) = client.agreement().between
    assert (between.first, between.second, between.agreed.count, between.agreed.n) == ("ada", "bob", 3, 4)
    (apart,) = client.separations()
    assert (apart.model, apart.opponent, apart.n, apart.state) == ("tuned", "base", 34, "separated")
    assert [(one.model, one.n) for one in client.ratings()] == [("tuned", 34), ("base", 34)]
    before = client.label_stats().total

    client.add_label(Revocation("r", "b0", "bob", created_at=2e9 + 1))

    assert client.label_stats().total == before - 1
    assert client.separations()[0].n == 33
    assert client.ratings(against="base")[0].wins == 33
    assert client.agreement().between[0].agreed.n == 3


def test_an_answer_is_kept_until_a_label_is_added(workspace: Workspace) -> None:
    with open_database(workspace) as database:
        memo = StatisticsMemo(database)
        calls: list[str] = []

        def count(connection: duckdb.DuckDBPyConnection) -> Any:
            calls.append("counted")
            return connection.execute("select count(*) from preferences").fetchall()[0][0]

        assert [memo.answer("count", "", count) for _ in range(3)] == [0, 0, 0]
        assert memo.answer("count", "ada", count) == 0
        assert len(calls) == 2
        with database.write() as connection:
            insert_operations(connection, [Preference("1", "p", "ada", "a", created_at=1.0)])
        assert memo.answer("count", "", count) == 1
        assert len(calls) == 3


def test_what_failed_is_asked_again(workspace: Workspace) -> None:
    with open_database(workspace) as database:
        memo = StatisticsMemo(database)

        def fail(connection: duckdb.DuckDBPyConnection) -> int:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            memo.answer("x", "", fail)
        assert memo.answer("x", "", lambda connection: 5) == 5
