"""The registry of models."""

from __future__ import annotations

import duckdb
import pytest
from msgspec.structs import replace

from rlft_tui.errors import ConflictError, NotFoundError, RlftError
from rlft_tui.models.model import Model
from rlft_tui.models.models_table import add_model, list_models, model_by_name

BASE = Model("smollm2-135m", "base", "/cache/smollm2-135m", created_at=2.0)
TUNED = Model(
    "dpo-1", "adapter", "/runs/dpo-1/model", "smollm2-135m", BASE.path, "dpo-1", "abc123", created_at=1.0
)


def test_registering_again_changes_nothing(fresh_db: duckdb.DuckDBPyConnection) -> None:
    assert add_model(fresh_db, TUNED) == TUNED
    assert add_model(fresh_db, BASE) == BASE
    assert add_model(fresh_db, replace(TUNED, created_at=99.0)) == TUNED
    assert list_models(fresh_db) == (BASE, TUNED)
    assert model_by_name(fresh_db, "dpo-1") == TUNED


def test_a_name_belongs_to_one_model(fresh_db: duckdb.DuckDBPyConnection) -> None:
    add_model(fresh_db, BASE)
    with pytest.raises(ConflictError, match="another model called smollm2-135m"):
        add_model(fresh_db, replace(BASE, path="/elsewhere"))
    assert list_models(fresh_db) == (BASE,)


def test_an_unknown_name_is_answered_with_the_nearest(fresh_db: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(NotFoundError, match="rlft models pull"):
        model_by_name(fresh_db, "smollm2-135m")
    add_model(fresh_db, BASE)
    with pytest.raises(NotFoundError, match=r"no model called 'smollm-135m'\. Did you mean smollm2-135m\?"):
        model_by_name(fresh_db, "smollm-135m")
    with pytest.raises(NotFoundError, match="Known: smollm2-135m"):
        model_by_name(fresh_db, "x")


def test_a_model_needs_a_name(fresh_db: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(RlftError, match="needs a name"):
        add_model(fresh_db, replace(BASE, name=" "))
