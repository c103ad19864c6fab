"""SQL on ``models``: the registry."""

from __future__ import annotations

from typing import Any

import duckdb
from msgspec.structs import replace

from rlft_tui.errors import ConflictError, NotFoundError, RlftError
from rlft_tui.models.model import Model
from rlft_tui.models.name_hint import name_hint
from rlft_tui.models.remarks_table import forget_remarks, remarks

_COLUMNS = "name, kind, path, base, base_path, run_id, dataset, created_at"


def add_model(connection: duckdb.DuckDBPyConnection, model: Model) -> Model:
    """Register a model; the same one again (whatever its date) is left as it is.

    Raises ConflictError when the name belongs to another model.
    """
    if not model.name.strip():
        raise RlftError("a model needs a name", where="models")
    connection.execute(
        f"insert into models ({_COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing",
        [
            model.name,
            model.kind,
            model.path,
            model.base,
            model.base_path,
            model.run_id,
            model.dataset,
            model.created_at,
        ],
    )
    stored = model_by_name(connection, model.name)
    if (stored.kind, stored.path, stored.base) != (model.kind, model.path, model.base):
        raise ConflictError(
            f"there is another model called {model.name}", where=stored.path, remedy="Choose another name"
        )
    return stored


def move_base(connection: duckdb.DuckDBPyConnection, name: str, path: str) -> None:
    """A base lies somewhere else now: what was trained on it is read with it from there."""
    connection.execute(
        "update models set base_path = $2 where base_path = (select path from models where name = $1)",
        [name, path],
    )
    connection.execute("update models set path = $2 where name = $1", [name, path])


def model_by_name(connection: duckdb.DuckDBPyConnection, name: str) -> Model:
    """Raises NotFoundError that offers the nearest names."""
    rows = connection.execute(f"select {_COLUMNS} from models where name = $1", [name]).fetchall()
    if not rows:
        names = [known for (known,) in connection.execute("select name from models order by 1").fetchall()]
        raise NotFoundError(f"no model called {name!r}", remedy=name_hint(name, names))
    return _with_remarks(connection, [_model(rows[0])])[0]


def list_models(connection: duckdb.DuckDBPyConnection) -> tuple[Model, ...]:
    """Bases first, then adapters, oldest first."""
    rows = connection.execute(
        f"select {_COLUMNS} from models order by kind <> 'base', created_at, name"
    ).fetchall()
    return _with_remarks(connection, [_model(row) for row in rows])


def remove_model(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Forget a model and what was said of it; verdicts keep its name."""
    connection.execute("delete from models where name = $1", [name])
    forget_remarks(connection, name)


def models_in(connection: duckdb.DuckDBPyConnection, folder: str) -> tuple[Model, ...]:
    """Those whose weights lie in a folder, or in one below it."""
    inside = f"{folder.rstrip('/')}/"
    return tuple(one for one in list_models(connection) if f"{one.path}/".startswith(inside))


def _with_remarks(connection: duckdb.DuckDBPyConnection, models: list[Model]) -> tuple[Model, ...]:
    said = remarks(connection)
    rows = connection.execute("select model, policy from current_versions order by policy").fetchall()
    current: dict[str, str] = dict(rows)
    return tuple(
        replace(
            one,
            note=said.get(one.name, ("", ()))[0],
            tags=said.get(one.name, ("", ()))[1],
            current_of=current.get(one.name, ""),
        )
        for one in models
    )


def _model(row: tuple[Any, ...]) -> Model:
    return Model(*row)
