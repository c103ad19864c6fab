"""The schema grows by recorded, transactional steps."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlft_tui.database.migrations import (
    MIGRATIONS,
    answer_lengths,
    applied_migrations,
    gold_answers,
    migrate,
    verdict_strength,
)
from rlft_tui.database.place_table import relocate
from rlft_tui.errors import RlftError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def schema(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, ...]]:
    return connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() where not internal order by all"
    ).fetchall()


def insert_preference(
    connection: duckdb.DuckDBPyConnection,
    identity: str,
    *,
    labeler: str = "ada",
    example: str = "e1",
    choice: str = "a",
    at: float = 1.0,
) -> None:
    connection.execute(
        """insert into preferences (id, example_id, labeler_id, choice, confidence, reasoning, time_spent_ms,
                                    created_at, shown_first, source)
           values ($1, $2, $3, $4, null, '', 0, $5, 'a', 'human')""",
        [identity, example, labeler, choice, at],
    )


def test_a_blank_database_gets_every_step_once() -> None:
    connection = duckdb.connect(":memory:")
    names = [step.__name__ for step in MIGRATIONS]

    assert migrate(connection) == names
    assert migrate(connection) == []
    assert applied_migrations(connection) == names
    assert {"prompts", "examples", "preferences", "labelers"} <= {table for table, *_ in schema(connection)}


@pytest.mark.parametrize("steps", range(1, len(MIGRATIONS) + 1))
def test_an_older_schema_becomes_the_same_as_a_blank_one_and_keeps_its_rows(steps: int) -> None:
    old, blank = duckdb.connect(":memory:"), duckdb.connect(":memory:")
    migrate(old, MIGRATIONS[:steps])
    insert_preference(old, "p1")
    old.execute("insert into labelers values ('ada', 'ada@example.org', 1.0)")

    migrate(old)
    migrate(blank)

    assert schema(old) == schema(blank)
    assert old.execute("select id, choice from current_preferences").fetchall() == [("p1", "a")]
    assert old.execute("select * from labelers").fetchall() == [("ada", "ada@example.org", 1.0)]


def test_gold_pairs_of_an_older_schema_stay_gold() -> None:
    connection = duckdb.connect(":memory:")
    migrate(connection, MIGRATIONS[: MIGRATIONS.index(gold_answers)])
    connection.execute("insert into gold values ('e1', 'b', 3.0)")

    migrate(connection)

    assert connection.execute("select * from gold").fetchall() == [("e1", "b", 3.0)]


def test_a_step_that_fails_leaves_nothing_behind() -> None:
    connection = duckdb.connect(":memory:")
    migrate(connection)
    before = schema(connection)

    def half_done(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("create table new_things (id varchar primary key)")
        connection.execute("select * from nowhere")

    with pytest.raises(duckdb.CatalogException):
        migrate(connection, (*MIGRATIONS, half_done))

    assert schema(connection) == before
    assert applied_migrations(connection) == [step.__name__ for step in MIGRATIONS]


def test_a_database_of_a_newer_program_is_refused_by_name() -> None:
    connection = duckdb.connect(":memory:")
    migrate(connection)
    connection.execute("insert into migrations values ('from_the_future', 9e9)")

    with pytest.raises(RlftError, match=r"newer rlft \(it has from_the_future\).*Upgrade"):
        migrate(connection)


@settings(max_examples=25, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=8, unique=True))
def test_any_text_survives_storing_and_migrating(texts: list[str]) -> None:
    connection = duckdb.connect(":memory:", config={"threads": 1})
    migrate(connection, MIGRATIONS[:1])
    for text in texts:
        connection.execute("insert into labelers values ($1, $1, 0)", [text])

    migrate(connection)

    rows = connection.execute("select id, email from labelers").fetchall()
    assert sorted(rows) == sorted((text, text) for text in texts)


def test_the_latest_verdict_of_a_labeller_counts_and_a_revoked_one_does_not(
    fresh_db: duckdb.DuckDBPyConnection,
) -> None:
    insert_preference(fresh_db, "p1", choice="a", at=1.0)
    insert_preference(fresh_db, "p2", choice="b", at=2.0)
    insert_preference(fresh_db, "p3", choice="tie", at=1.0, labeler="bob")
    current = "select id from current_preferences order by id"
    assert fresh_db.execute(current).fetchall() == [("p2",), ("p3",)]

    fresh_db.execute("insert into revocations values ('r1', 'p2', 'ada', 3.0)")

    assert fresh_db.execute(current).fetchall() == [("p1",), ("p3",)]


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("ef"), st.integers(1, 3)), max_size=12),
    st.sets(st.integers(0, 11), max_size=4),
)
def test_both_views_of_the_current_verdicts_say_the_same(
    verdicts: list[tuple[str, str, int]], revoked: set[int]
) -> None:
    connection = duckdb.connect(":memory:", config={"threads": 1})
    migrate(connection)
    for number, (labeler, example, at) in enumerate(verdicts):
        insert_preference(connection, f"p{number:02}", labeler=labeler, example=example, at=at)
        if number in revoked:
            connection.execute("insert into revocations values ($1, $1, 'x', 9)", [f"p{number:02}"])

    found = [
        connection.execute(f"select * from {view} order by id").fetchall()
        for view in ("standing_preferences", "current_preferences")
    ]
    assert found[0] == found[1]
    latest = {
        (labeler, example): (at, number)
        for number, (labeler, example, at) in sorted(enumerate(verdicts), key=lambda one: (one[1][2], one[0]))
        if number not in revoked
    }
    assert [row[0] for row in found[0]] == sorted(f"p{number:02}" for _, number in latest.values())


def test_old_verdicts_have_neither_strength_nor_quality() -> None:
    connection = duckdb.connect(":memory:")
    migrate(connection, tuple(step for step in MIGRATIONS if step is not verdict_strength)[:3])
    insert_preference(connection, "p1", choice="tie")

    migrate(connection)

    columns = "select strength, quality from current_preferences"
    assert connection.execute(columns).fetchall() == [(None, "")]
    connection.execute("update preferences set strength = 4, quality = 'both_bad'")
    assert connection.execute(columns).fetchall() == [(4, "both_bad")]
    assert connection.execute("select * from current_better_answers").fetchall() == []


def test_labeler_summary_counts_labels_and_agreement(fresh_db: duckdb.DuckDBPyConnection) -> None:
    for example, ada, bob in (("e1", "a", "a"), ("e2", "a", "b"), ("e3", "tie", "tie"), ("e4", "b", "")):
        insert_preference(fresh_db, f"ada-{example}", example=example, choice=ada)
        if bob:
            insert_preference(fresh_db, f"bob-{example}", labeler="bob", example=example, choice=bob)
    insert_preference(fresh_db, "eve", labeler="eve", example="e9")

    rows = fresh_db.execute(
        "select labeler_id, total_labels, agreement_rate from labeler_summary order by 1"
    ).fetchall()

    assert rows == [("ada", 4, pytest.approx(2 / 3)), ("bob", 3, pytest.approx(2 / 3)), ("eve", 1, None)]


def test_moving_the_workspace_moves_the_paths_inside_it(fresh_db: duckdb.DuckDBPyConnection) -> None:
    fresh_db.execute(
        """insert into datasets values ('abc', '', '/old/w/datasets/abc', 1, 1, 0, '{}', '{}', 'sft');
           insert into models values ('tuned', 'adapter', '/old/w/r/model', 'base', '/cache/m', '', '', 0),
                                     ('near', 'base', '/old/workspace2/m', '', '', '', '', 0)"""
    )
    assert relocate(fresh_db, "/old/w") == ""
    assert relocate(fresh_db, "/new place/w") == "/old/w"
    assert relocate(fresh_db, "/new place/w") == ""

    paths = fresh_db.execute("select name, path, base_path from models order by name").fetchall()
    assert paths == [("near", "/old/workspace2/m", ""), ("tuned", "/new place/w/r/model", "/cache/m")]
    assert fresh_db.execute("select path from datasets").fetchall() == [("/new place/w/datasets/abc",)]


def test_answers_stored_earlier_get_their_lengths() -> None:
    connection = duckdb.connect(":memory:")
    migrate(connection, tuple(step for step in MIGRATIONS if step is not answer_lengths)[:4])
    connection.execute(
        """insert into examples (id, prompt, response_a, response_b, model_a, model_b, category,
                                 created_at, source, context, settings, digest)
           values ('e1', 'Why?', 'naïve 日本', '', '', '', '', 0, '', '[]', '{}', uuid())"""
    )

    migrate(connection)

    assert connection.execute("select length_a, length_b from examples").fetchall() == [(8, 0)]
