"""The schema, as named steps that are recorded in the database they were applied to."""

from __future__ import annotations

import time
from collections.abc import Callable

import duckdb

from rlft_tui.errors import RlftError

Migration = Callable[[duckdb.DuckDBPyConnection], None]

_LABELER_SUMMARY = """create view labeler_summary as
    with votes as (
        select labeler_id, example_id, choice from current_preferences),
    agreement as (
        select mine.labeler_id, avg((mine.choice = other.choice)::integer) as agreement_rate
        from votes as mine
        join votes as other
          on mine.example_id = other.example_id and mine.labeler_id <> other.labeler_id
        group by mine.labeler_id)
    select labeler_id, count(*) as total_labels, any_value(agreement_rate) as agreement_rate
    from votes left join agreement using (labeler_id)
    group by labeler_id"""


def first_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Prompts, pairs, labels, data sets and models.

    Primary keys only: a secondary index costs file size and buys under a millisecond
    on one lookup. Ids are made by the client. Times are unix seconds.
    """
    for statement in (
        """create table prompts (
            id varchar primary key,
            prompt varchar not null,
            context json not null,
            category varchar not null,
            source varchar not null,
            created_at double not null,
            digest uuid not null)""",
        """create table examples (
            id varchar primary key,
            prompt varchar not null,
            response_a varchar not null,
            response_b varchar not null,
            model_a varchar not null,
            model_b varchar not null,
            category varchar not null,
            created_at double not null,
            source varchar not null,
            context json not null,
            settings json not null,
            digest uuid not null)""",
        """create table preferences (
            id varchar primary key,
            example_id varchar not null,
            labeler_id varchar not null,
            choice varchar not null check (choice in ('a', 'b', 'tie')),
            confidence tinyint check (confidence between 1 and 5),
            reasoning varchar not null,
            time_spent_ms bigint not null,
            created_at double not null,
            shown_first varchar not null check (shown_first in ('a', 'b')),
            source varchar not null)""",
        """create table marks (
            id varchar primary key,
            example_id varchar not null,
            labeler_id varchar not null,
            kind varchar not null check (kind in ('skip', 'flag')),
            note varchar not null,
            created_at double not null)""",
        """create table revocations (
            id varchar primary key,
            target_id varchar not null,
            labeler_id varchar not null,
            created_at double not null)""",
        """create table labelers (
            id varchar primary key,
            email varchar not null,
            created_at double not null)""",
        """create table datasets (
            hash varchar primary key,
            name varchar not null,
            path varchar not null,
            train_rows bigint not null,
            heldout_rows bigint not null,
            created_at double not null,
            left_out json not null,
            spec json not null)""",
        """create table models (
            name varchar primary key,
            kind varchar not null,
            path varchar not null,
            base varchar not null,
            base_path varchar not null,
            run_id varchar not null,
            dataset varchar not null,
            created_at double not null)""",
    ):
        connection.execute(statement)


def label_views(connection: duckdb.DuckDBPyConnection) -> None:
    """What stands now: labels are only ever appended, so the current ones are a view."""
    for statement in (
        """create view current_preferences as
            select * exclude (place) from (
                select *, row_number() over (
                    partition by labeler_id, example_id order by created_at desc, id desc) as place
                from preferences
                where id not in (select target_id from revocations))
            where place = 1""",
        """create view current_marks as
            select * from marks where id not in (select target_id from revocations)""",
        _LABELER_SUMMARY,
    ):
        connection.execute(statement)


def workspace_place(connection: duckdb.DuckDBPyConnection) -> None:
    """Where the workspace lies (one row), so that moving the folder does not break stored paths."""
    connection.execute("create table place (root varchar not null)")


def verdict_strength(connection: duckdb.DuckDBPyConnection) -> None:
    """How much better, both good or both bad, and answers written by the labeller.

    A hidden repeat (source ``repeat``) measures the labeller and is never the current verdict.
    A view keeps the columns it was made with, so those over preferences are made again.
    """
    for statement in (
        "drop view labeler_summary",
        "drop view current_preferences",
        "alter table preferences add column strength tinyint",
        "alter table preferences add column quality varchar default ''",
        """create table better_answers (
            id varchar primary key,
            example_id varchar not null,
            labeler_id varchar not null,
            text varchar not null,
            created_at double not null)""",
        """create view current_preferences as
            select * exclude (place) from (
                select *, row_number() over (
                    partition by labeler_id, example_id order by created_at desc, id desc) as place
                from preferences
                where source <> 'repeat' and id not in (select target_id from revocations))
            where place = 1""",
        """create view current_better_answers as
            select * exclude (place) from (
                select *, row_number() over (
                    partition by labeler_id, example_id order by created_at desc, id desc) as place
                from better_answers
                where id not in (select target_id from revocations))
            where place = 1""",
        _LABELER_SUMMARY,
    ):
        connection.execute(statement)


def answer_lengths(connection: duckdb.DuckDBPyConnection) -> None:
    """Characters of each answer beside its text: reading all texts to tell the longer one of a
    million pairs takes longer than everything else that the statistics need.
    """
    for statement in (
        "alter table examples add column length_a integer",
        "alter table examples add column length_b integer",
        "update examples set length_a = length(response_a), length_b = length(response_b)",
    ):
        connection.execute(statement)


def queue_arms(connection: duckdb.DuckDBPyConnection) -> None:
    """Why each judged pair had been shown, and the pairs whose right answer is known.

    A view keeps the columns it was made with, so those over preferences are made again.
    """
    for statement in (
        "drop view labeler_summary",
        "drop view current_preferences",
        "alter table preferences add column arm varchar default ''",
        """create view current_preferences as
            select * exclude (place) from (
                select *, row_number() over (
                    partition by labeler_id, example_id order by created_at desc, id desc) as place
                from preferences
                where source <> 'repeat' and id not in (select target_id from revocations))
            where place = 1""",
        _LABELER_SUMMARY,
        """create table gold (
            example_id varchar primary key,
            choice varchar not null check (choice in ('a', 'b', 'tie')),
            created_at double not null)""",
    ):
        connection.execute(statement)


def feedback_and_rankings(connection: duckdb.DuckDBPyConnection) -> None:
    """Scores of single answers, sets of answers to be ranked, and the orders given to them."""
    for statement in (
        """create table feedback (
            id varchar primary key,
            prompt varchar not null,
            response varchar not null,
            score double not null check (score between 0 and 1),
            kind varchar not null check (kind in ('score', 'thumb', 'likert')),
            labeler_id varchar not null,
            example_id varchar not null,
            model varchar not null,
            run_id varchar not null,
            notes varchar not null,
            created_at double not null)""",
        """create view current_feedback as
            select * from feedback where id not in (select target_id from revocations)""",
        """create table answer_sets (
            id varchar primary key,
            prompt varchar not null,
            content json not null,
            created_at double not null)""",
        """create table rankings (
            id varchar primary key,
            set_id varchar not null,
            labeler_id varchar not null,
            content json not null,
            created_at double not null)""",
        """create view current_rankings as
            select * exclude (place) from (
                select *, row_number() over (
                    partition by labeler_id, set_id order by created_at desc, id desc) as place
                from rankings
                where id not in (select target_id from revocations))
            where place = 1""",
    ):
        connection.execute(statement)


def dataset_kinds(connection: duckdb.DuckDBPyConnection) -> None:
    """What the rows of each data set are; those made before there were kinds hold preferences."""
    connection.execute("alter table datasets add column kind varchar default 'preference'")


def gold_answers(connection: duckdb.DuckDBPyConnection) -> None:
    """Gold answers are appended like every label, so that the journal and the archive hold them."""
    for statement in (
        """create table gold_answers (
            id varchar primary key,
            example_id varchar not null,
            labeler_id varchar not null,
            choice varchar not null check (choice in ('a', 'b', 'tie', '')),
            created_at double not null)""",
        """insert into gold_answers
            select 'gold-' || example_id, example_id, '', choice, created_at from gold""",
        "drop table gold",
        """create view gold as
            select example_id, arg_max(choice, (created_at, id)) as choice, max(created_at) as created_at
            from gold_answers group by example_id having choice <> ''""",
    ):
        connection.execute(statement)


def standing_preferences(connection: duckdb.DuckDBPyConnection) -> None:
    """``current_preferences`` for those who read it whole, at a third of the cost.

    Hardly anybody judges a pair twice, so only verdicts whose labeller and pair have the same hash
    as another's are put in order. Of one pair or one labeller ``current_preferences`` is faster:
    what is asked for reaches its window, and not these hashes.
    """
    connection.execute(
        """create view standing_preferences as
            with counted as (
                select *, hash(labeler_id, example_id) as about from preferences
                where source <> 'repeat' and id not in (select target_id from revocations)),
            twice as (select about from counted group by about having count(*) > 1),
            superseded as (
                select id from (
                    select id, row_number() over (
                        partition by labeler_id, example_id order by created_at desc, id desc) as place
                    from counted where about in (select about from twice))
                where place > 1)
            select * exclude (about) from counted where id not in (select id from superseded)"""
    )


def feedback_agent(connection: duckdb.DuckDBPyConnection) -> None:
    """Which policy a score is for; the view keeps the columns it was made with, so it is made again."""
    for statement in (
        "drop view current_feedback",
        "alter table feedback add column agent varchar default ''",
        """create view current_feedback as
            select * from feedback where id not in (select target_id from revocations)""",
    ):
        connection.execute(statement)


def rounds(connection: duckdb.DuckDBPyConnection) -> None:
    """Blind comparisons of two models, what was decided after them, and what people say of a model.

    A round's pairs are those of its generate runs: ``examples.source`` is ``run:`` and the run's id.
    Decisions are appended; a policy's current version is the model promoted last.
    """
    for statement in (
        """create table rounds (
            id varchar primary key,
            kind varchar not null check (kind in ('round', 'ab')),
            model varchar not null,
            opponent varchar not null,
            policy varchar not null,
            run_id varchar not null,
            dataset varchar not null,
            pairs integer not null,
            trouble varchar not null,
            created_at double not null)""",
        """create table round_pairs (
            run_id varchar primary key,
            round_id varchar not null,
            created_at double not null)""",
        """create table decisions (
            id varchar primary key,
            round_id varchar not null,
            decision varchar not null check (decision in ('promoted', 'rejected')),
            policy varchar not null,
            model varchar not null,
            labeler_id varchar not null,
            note varchar not null,
            created_at double not null)""",
        """create view current_versions as
            select policy, arg_max(model, (created_at, id)) as model, max(created_at) as created_at
            from decisions where decision = 'promoted' group by policy""",
        """create table model_remarks (
            name varchar primary key,
            note varchar not null,
            tags json not null)""",
    ):
        connection.execute(statement)


def evaluation_results(connection: duckdb.DuckDBPyConnection) -> None:
    """What evaluations found; the items behind it stay in the run folders."""
    connection.execute(
        """create table evaluations (
            model varchar not null,
            suite varchar not null,
            task varchar not null,
            metric varchar not null,
            value double,
            n bigint not null,
            low double,
            high double,
            stderr double,
            better varchar not null,
            unit varchar not null,
            settings varchar not null,
            model_key varchar not null,
            run_id varchar not null,
            created_at double not null,
            errors bigint not null,
            unique (run_id, model, suite, task, metric))"""
    )


def judge_calls(connection: duckdb.DuckDBPyConnection) -> None:
    """Every call of a judge; made again from the run folders where it is lost."""
    connection.execute(
        """create table judgements (
            id varchar primary key,
            run_id varchar not null,
            item_id varchar not null,
            first varchar not null,
            status varchar not null,
            label varchar not null,
            answer varchar not null,
            chances json,
            prompt_tokens bigint,
            answer_tokens bigint,
            cost double,
            seconds double not null,
            judge varchar not null,
            rubric varchar not null,
            rubric_version varchar not null,
            rated varchar not null,
            created_at double not null)"""
    )


MIGRATIONS: tuple[Migration, ...] = (
    first_tables,
    label_views,
    workspace_place,
    verdict_strength,
    answer_lengths,
    queue_arms,
    feedback_and_rankings,
    dataset_kinds,
    gold_answers,
    standing_preferences,
    feedback_agent,
    rounds,
    evaluation_results,
    judge_calls,
)
"""Oldest first. A step that was released is never changed: add another."""


def migrate(
    connection: duckdb.DuckDBPyConnection, migrations: tuple[Migration, ...] = MIGRATIONS
) -> list[str]:
    """Apply the steps that are missing, each in its own transaction; the names of those applied.

    Raises RlftError for a database written by a newer program.
    """
    applied = applied_migrations(connection)
    known = [step.__name__ for step in migrations]
    if unknown := [name for name in applied if name not in known]:
        raise RlftError(
            f"the database was written by a newer rlft (it has {', '.join(unknown)})",
            remedy="Upgrade: pip install --upgrade rlft_tui",
        )
    done = []
    for step in migrations:
        if step.__name__ in applied:
            continue
        connection.execute("begin transaction")
        try:
            connection.execute(
                "create table if not exists migrations (name varchar primary key, applied_at double not null)"
            )
            step(connection)
            connection.execute("insert into migrations values (?, ?)", [step.__name__, time.time()])
            connection.execute("commit")
        except BaseException:
            connection.execute("rollback")
            raise
        done.append(step.__name__)
    return done


def applied_migrations(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of the steps this database has, oldest first; none for a blank one."""
    there = connection.execute(
        "select count(*) from duckdb_tables() where table_name = 'migrations' and not internal"
    ).fetchall()[0][0]
    if not there:
        return []
    rows = connection.execute("select name from migrations order by applied_at, name").fetchall()
    return [name for (name,) in rows]
