"""SQL on ``datasets``."""

from __future__ import annotations

import difflib
from typing import Any

import duckdb
import msgspec
import orjson

from rlft_tui.datasets.dataset import Dataset, DatasetSpec
from rlft_tui.datasets.derive import kinds_for, wrong_kind
from rlft_tui.errors import ConflictError, NotFoundError

_COLUMNS = "hash, name, path, train_rows, heldout_rows, created_at, left_out, kind"
_READ = f"{_COLUMNS}, coalesce(spec ->> 'source', '')"
SHORTEST_HASH = 4
"""Digits of a hash that are enough to name it."""


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
        f"""insert into datasets ({_COLUMNS}, spec) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            on conflict do nothing""",
        [
            dataset.hash,
            dataset.name,
            dataset.path,
            dataset.train_rows,
            dataset.heldout_rows,
            dataset.created_at,
            orjson.dumps(dataset.left_out).decode(),
            dataset.kind,
            orjson.dumps(msgspec.to_builtins(spec)).decode(),
        ],
    )
    connection.execute(
        "update datasets set name = $1 where hash = $2 and name = ''", [dataset.name, dataset.hash]
    )
    return dataset_by_name(connection, dataset.hash)


def list_datasets(connection: duckdb.DuckDBPyConnection) -> tuple[Dataset, ...]:
    """Newest first."""
    rows = connection.execute(f"select {_READ} from datasets order by created_at desc, hash").fetchall()
    return tuple(_dataset(row) for row in rows)


def dataset_for(connection: duckdb.DuckDBPyConnection, name_or_hash: str, method: str) -> Dataset:
    """As ``dataset_by_name``, for a method: ``latest`` is the newest that it can be trained on.

    Raises RlftError for a data set of a kind that the method cannot use.
    """
    kinds = kinds_for(method)
    if name_or_hash == "latest":
        usable = [one for one in list_datasets(connection) if one.kind in kinds]
        if usable:
            return usable[0]
    chosen = dataset_by_name(connection, name_or_hash)
    if chosen.kind not in kinds:
        raise wrong_kind(method, chosen.kind, where=f"data set {chosen.name or chosen.hash}")
    return chosen


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


def dataset_spec(connection: duckdb.DuckDBPyConnection, digest: str) -> DatasetSpec | None:
    """What a data set was built or imported with; None when it is not known here."""
    rows = connection.execute("select spec from datasets where hash = $1", [digest]).fetchall()
    return msgspec.json.decode(rows[0][0], type=DatasetSpec) if rows else None


def _dataset(row: tuple[Any, ...]) -> Dataset:
    digest, name, path, train_rows, heldout_rows, created_at, left_out, kind, source = row
    left = orjson.loads(left_out)
    return Dataset(digest, name, path, train_rows, heldout_rows, created_at, left, kind, source)
