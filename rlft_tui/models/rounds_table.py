"""SQL on ``rounds``, ``round_pairs`` and ``decisions``."""

from __future__ import annotations

import duckdb

from rlft_tui.errors import ConflictError, NotFoundError
from rlft_tui.models.name_hint import name_hint
from rlft_tui.models.round import CurrentVersion, Decision, Round

_COLUMNS = "id, kind, model, opponent, policy, run_id, dataset, pairs, trouble, created_at"
_DECISIONS = "id, round_id, decision, policy, model, labeler_id, note, created_at"


def add_round(connection: duckdb.DuckDBPyConnection, one: Round) -> Round:
    """Enter a round; one with this id stays as it is.

    Raises ConflictError when it compares other models.
    """
    connection.execute(
        f"insert into rounds ({_COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
        "on conflict do nothing",
        [
            *(one.id, one.kind, one.model, one.opponent, one.policy),
            *(one.run_id, one.dataset, one.pairs, one.trouble, one.created_at),
        ],
    )
    stored = round_by_id(connection, one.id)
    if (stored.model, stored.opponent) != (one.model, one.opponent):
        raise ConflictError("there is another round of this id", where=one.id)
    return stored


def list_rounds(connection: duckdb.DuckDBPyConnection) -> tuple[Round, ...]:
    """Newest first."""
    rows = connection.execute(f"select {_COLUMNS} from rounds order by created_at desc, id desc").fetchall()
    return tuple(Round(*row) for row in rows)


def round_by_id(connection: duckdb.DuckDBPyConnection, round_id: str) -> Round:
    """Raises NotFoundError that offers the nearest ids."""
    rows = connection.execute(f"select {_COLUMNS} from rounds where id = $1", [round_id]).fetchall()
    if not rows:
        known = [one.id for one in list_rounds(connection)]
        remedy = name_hint(round_id, known) if known else "There is none yet: a training run begins one"
        raise NotFoundError(f"no round {round_id!r}", remedy=remedy)
    return Round(*rows[0])


def rounds_due(connection: duckdb.DuckDBPyConnection) -> tuple[Round, ...]:
    """Those whose pairs are still to be asked for, oldest first."""
    rows = connection.execute(
        f"""select {_COLUMNS} from rounds
            where pairs > 0 and trouble = '' and id not in (select round_id from round_pairs)
            order by created_at, id"""
    ).fetchall()
    return tuple(Round(*row) for row in rows)


def set_trouble(connection: duckdb.DuckDBPyConnection, round_id: str, trouble: str) -> None:
    """Say why a round has no pairs; empty once it can have some."""
    connection.execute("update rounds set trouble = $2 where id = $1", [round_id, trouble])


def add_pairs_run(connection: duckdb.DuckDBPyConnection, round_id: str, run_id: str, now: float) -> None:
    """A generate run makes pairs for a round; safe to repeat."""
    connection.execute(
        "insert into round_pairs values ($1, $2, $3) on conflict do nothing", [run_id, round_id, now]
    )


def pairs_runs(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, ...]]:
    """The generate runs of each round, oldest first."""
    rows = connection.execute(
        "select round_id, list(run_id order by created_at, run_id) from round_pairs group by round_id"
    ).fetchall()
    return {round_id: tuple(runs) for round_id, runs in rows}


def add_decision(connection: duckdb.DuckDBPyConnection, decision: Decision) -> None:
    """Append; the same one again changes nothing."""
    connection.execute(
        f"""insert into decisions ({_DECISIONS}) values ($1, $2, $3, $4, $5, $6, $7, $8)
            on conflict do nothing""",
        [
            *(decision.id, decision.round_id, decision.decision, decision.policy),
            *(decision.model, decision.labeler_id, decision.note, decision.created_at),
        ],
    )


def last_decisions(connection: duckdb.DuckDBPyConnection) -> dict[str, Decision]:
    """What was decided last of each round."""
    rows = connection.execute(f"select {_DECISIONS} from decisions order by created_at, id").fetchall()
    return {row[1]: Decision(*row) for row in rows}


def current_versions(connection: duckdb.DuckDBPyConnection) -> dict[str, CurrentVersion]:
    """Each policy with the model that was promoted last."""
    rows = connection.execute("select policy, model, created_at from current_versions order by 1").fetchall()
    return {row[0]: CurrentVersion(*row) for row in rows}


def policy_of(connection: duckdb.DuckDBPyConnection, model: str) -> str:
    """The policy a model stands in: that of the round it came from, else the base at the root of it.

    So a run that names no policy goes on with that of the model it begins with.
    """
    seen: set[str] = set()
    name = model
    while name not in seen:
        seen.add(name)
        rows = connection.execute(
            "select policy from rounds where model = $1 and policy <> '' order by created_at desc limit 1",
            [name],
        ).fetchall()
        if rows:
            return str(rows[0][0])
        bases = connection.execute(
            "select base from models where name = $1 and base <> ''", [name]
        ).fetchall()
        if not bases:
            break
        name = str(bases[0][0])
    return name.replace("/", "--")
