"""A base that was pulled into another cache is the same model under a new path."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
from msgspec.structs import replace

from rlft_tui.models.model import Model
from rlft_tui.models.models_table import add_model, model_by_name, move_base
from rlft_tui.models.same_base import is_moved_base


@pytest.fixture
def stored(tmp_path: Path) -> Model:
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return Model("small", "base", str(folder), created_at=1.0)


def copied(stored: Model, place: Path) -> Model:
    shutil.copytree(stored.path, place)
    return replace(stored, path=str(place), created_at=2.0)


def test_the_same_bytes_under_another_path_are_the_same_base(stored: Model, tmp_path: Path) -> None:
    given = copied(stored, tmp_path / "new")
    assert is_moved_base(stored, given)
    assert not is_moved_base(stored, stored)
    assert not is_moved_base(stored, replace(given, run_id="dpo-1"))
    (tmp_path / "new" / "model.safetensors").write_bytes(b"weightz")
    assert not is_moved_base(stored, given)
    assert not is_moved_base(stored, replace(given, path=str(tmp_path / "nowhere")))


def test_weights_that_are_gone_stand_in_nobodys_way(stored: Model, tmp_path: Path) -> None:
    given = copied(stored, tmp_path / "new")
    (tmp_path / "new" / "model.safetensors").write_bytes(b"others")
    shutil.rmtree(stored.path)
    assert is_moved_base(stored, given)
    assert not is_moved_base(replace(stored, path="org/on-a-hub"), given)


def test_what_was_trained_on_a_base_follows_it(fresh_db: duckdb.DuckDBPyConnection, stored: Model) -> None:
    tuned = Model("dpo-1", "adapter", "/runs/dpo-1/model", "small", stored.path, "dpo-1", "abc")
    other = replace(tuned, name="dpo-2", path="/runs/dpo-2/model", base_path="/other")
    for model in (stored, tuned, other):
        add_model(fresh_db, model)
    move_base(fresh_db, "small", "/new/small")
    found = [model_by_name(fresh_db, name) for name in ("small", "dpo-1", "dpo-2")]
    assert [(one.path, one.base_path) for one in found] == [
        ("/new/small", ""), ("/runs/dpo-1/model", "/new/small"), ("/runs/dpo-2/model", "/other")
    ]  # fmt: skip
