"""SQL on ``datasets``, and the verdicts that a data set is made of."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

import duckdb
import orjson

from rlft_tui.datasets.dataset import Dataset, DatasetSpec
from rlft_tui.errors import ConflictError, NotFoundError
from rlft_tui.prompts.prompt import Message
from rlft_tui.prompts.prompts_table import decode_context

_COLUMNS = "hash, name, path, train_rows, heldout_rows, created_at, left_out"
SHORTEST_HASH = 4
"""Digits of a hash that are enough to name it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A current preference with the pair it is about."""

    example_id: str
    labeler_id: str
    choice: str
    """a, b or tie."""
    confidence: int | None
    prompt: str
    context: tuple[Message, ...]
    response_a: str
    response_b: str
    category: str
    flagged: bool
    """Whether somebody flagged the pair as broken and has not taken it back."""
    strength: int | None = None
    """1 (negligibly) to 4 (significantly better); None when not asked, and for a tie."""
    quality: str = ""
    """Of a tie: both_good or both_bad."""


@dataclass(frozen=True, slots=True)
class WrittenAnswer:
    """A better answer that a labeller wrote, with the pair and their own verdict on it."""

    id: str
    text: str
    example_id: str
    labeler_id: str
    prompt: str
    context: tuple[Message, ...]
    response_a: str
    response_b: str
    category: str
    flagged: bool
    choice: str
    """a, b, tie, or empty when the writer has not judged the pair."""


def current_verdicts(connection: duckdb.DuckDBPyConnection, spec: DatasetSpec) -> list[Verdict]:
    """The verdicts a spec asks for by labeller and category, in a fixed order."""
    rows = connection.execute(
        """select e.id, p.labeler_id, p.choice, p.confidence, e.prompt, e.context,
                  e.response_a, e.response_b, e.category,
                  e.id in (select example_id from current_marks where kind = 'flag'),
                  p.strength, p.quality
           from current_preferences as p join examples as e on p.example_id = e.id
           where (len($1::varchar[]) = 0 or p.labeler_id in (select unnest($1::varchar[])))
             and (len($2::varchar[]) = 0 or e.category in (select unnest($2::varchar[])))
           order by e.id, p.labeler_id""",
        [list(spec.labelers), list(spec.categories)],
    ).fetchall()
    return [
        Verdict(
            example_id=identity,
            labeler_id=labeler,
            choice=choice,
            confidence=confidence,
            prompt=prompt,
            context=decode_context(context),
            response_a=response_a,
            response_b=response_b,
            category=category,
            flagged=flagged,
            strength=strength,
            quality=quality,
        )
        for (
            identity,
            labeler,
            choice,
            confidence,
            prompt,
            context,
            response_a,
            response_b,
            category,
            flagged,
            strength,
            quality,
        ) in rows
    ]


def written_answers(connection: duckdb.DuckDBPyConnection, spec: DatasetSpec) -> list[WrittenAnswer]:
    """Each labeller's latest better answer on each pair a spec asks for, in a fixed order."""
    rows = connection.execute(
        """select w.id, w.text, e.id, w.labeler_id, e.prompt, e.context, e.response_a, e.response_b,
                  e.category, e.id in (select example_id from current_marks where kind = 'flag'),
                  coalesce(p.choice, '')
           from current_better_answers as w
           join examples as e on w.example_id = e.id
           left join current_preferences as p
             on p.example_id = w.example_id and p.labeler_id = w.labeler_id
           where (len($1::varchar[]) = 0 or w.labeler_id in (select unnest($1::varchar[])))
             and (len($2::varchar[]) = 0 or e.category in (select unnest($2::varchar[])))
           order by e.id, w.labeler_id""",
        [list(spec.labelers), list(spec.categories)],
    ).fetchall()
    return [WrittenAnswer(*(*row[:5], decode_context(row[5]), *row[6:])) for row in rows]


def require_free_name(connection: duckdb.DuckDBPyConnection, name: str, digest: str) -> None:
    """ConflictError when a name (other than the empty one) belongs to other content."""
    taken = connection.execute(
        "select hash from datasets where name = $1 and hash <> $2 and $1 <> ''", [name, digest]
    ).fetchall()
    if taken:
        raise ConflictError(
            f"there is another data set called {name}",
            where=taken[0][0],
            remedy="Choose another name",
        )


def add_dataset(connection: duckdb.DuckDBPyConnection, dataset: Dataset, spec: DatasetSpec) -> Dataset:
    """Record a frozen data set; one with the same hash is the same one and stays.

    Raises ConflictError when its name belongs to other content.
    """
    require_free_name(connection, dataset.name, dataset.hash)
    connection.execute(
        f"""insert into datasets ({_COLUMNS}, spec) values ($1, $2, $3, $4, $5, $6, $7, $8)
            on conflict do nothing""",
        [
            dataset.hash,
            dataset.name,
            dataset.path,
            dataset.train_rows,
            dataset.heldout_rows,
            dataset.created_at,
            orjson.dumps(dataset.left_out).decode(),
            orjson.dumps(spec).decode(),
        ],
    )
    connection.execute(
        "update datasets set name = $1 where hash = $2 and name = ''", [dataset.name, dataset.hash]
    )
    return dataset_by_name(connection, dataset.hash)


def list_datasets(connection: duckdb.DuckDBPyConnection) -> tuple[Dataset, ...]:
    """Newest first."""
    rows = connection.execute(f"select {_COLUMNS} from datasets order by created_at desc, hash").fetchall()
    return tuple(_dataset(row) for row in rows)


def dataset_by_name(connection: duckdb.DuckDBPyConnection, name_or_hash: str) -> Dataset:
    """By hash, the start of one (four digits or more), or name; ``latest`` for the newest.

    Raises NotFoundError with the nearest name, ConflictError for a start that fits several.
    """
    known = list_datasets(connection)
    if not known:
        raise NotFoundError("there is no data set yet", remedy="Freeze the labels into one: rlft data build")
    if name_or_hash == "latest":
        return known[0]
    exact = [one for one in known if name_or_hash in (one.hash, one.name)]
    if exact and name_or_hash:
        return exact[0]
    starts = [
        one for one in known if len(name_or_hash) >= SHORTEST_HASH and one.hash.startswith(name_or_hash)
    ]
    if len(starts) == 1:
        return starts[0]
    if starts:
        raise ConflictError(
            f"{name_or_hash} is the start of {len(starts)} data sets",
            remedy=f"Give more of the hash: {', '.join(one.hash for one in starts)}",
        )
    names = [word for one in known for word in (one.hash, one.name) if word]
    near = difflib.get_close_matches(name_or_hash, names, n=1)
    remedy = f"Did you mean {near[0]}?" if near else f"Newest: {known[0].name or known[0].hash}"
    raise NotFoundError(f"no data set called {name_or_hash!r}", remedy=remedy)


def _dataset(row: tuple[Any, ...]) -> Dataset:
    digest, name, path, train_rows, heldout_rows, created_at, left_out = row
    return Dataset(digest, name, path, train_rows, heldout_rows, created_at, orjson.loads(left_out))
