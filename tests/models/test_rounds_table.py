"""Rounds, decisions and remarks in the database."""

from __future__ import annotations

import duckdb
import pytest
from msgspec.structs import replace

from rlft_tui.errors import ConflictError, NotFoundError, RlftError
from rlft_tui.models.model import Model
from rlft_tui.models.models_table import add_model, model_by_name, remove_model
from rlft_tui.models.remarks_table import remarks, set_remarks
from rlft_tui.models.round import Decision, Round
from rlft_tui.models.rounds_table import (
    add_decision,
    add_pairs_run,
    add_round,
    current_versions,
    last_decisions,
    list_rounds,
    pairs_runs,
    policy_of,
    round_by_id,
    rounds_due,
    set_trouble,
)

BASE = Model("base", "base", "/cache/base", created_at=1.0)
TUNED = Model("dpo-1", "adapter", "/runs/dpo-1/model", "base", BASE.path, "dpo-1", "abc", created_at=2.0)
FIRST = Round("dpo-1", "round", "dpo-1", "base", "support", "dpo-1", "abc", pairs=20, created_at=3.0)


def decided(model: str, decision: str, at: float, *, policy: str = "support") -> Decision:
    return Decision(f"d-{at}", model, decision, policy, model, "ada", created_at=at)  # type: ignore[arg-type]


def test_a_round_is_due_until_its_pairs_were_asked_for(fresh_db: duckdb.DuckDBPyConnection) -> None:
    assert add_round(fresh_db, FIRST) == FIRST
    add_round(fresh_db, replace(FIRST, id="dpo-2", pairs=0, created_at=4.0))
    assert add_round(fresh_db, replace(FIRST, created_at=99.0)) == FIRST, "the same again changes nothing"
    assert [one.id for one in list_rounds(fresh_db)] == ["dpo-2", "dpo-1"]
    assert rounds_due(fresh_db) == (FIRST,), "nobody wanted pairs in the other one"
    set_trouble(fresh_db, "dpo-1", "no prompts")
    assert rounds_due(fresh_db) == ()
    set_trouble(fresh_db, "dpo-1", "")
    add_pairs_run(fresh_db, "dpo-1", "dpo-1-pairs", 5.0)
    add_pairs_run(fresh_db, "dpo-1", "dpo-1-pairs", 6.0)
    add_pairs_run(fresh_db, "dpo-1", "dpo-1-pairs-2", 7.0)
    assert rounds_due(fresh_db) == ()
    assert pairs_runs(fresh_db) == {"dpo-1": ("dpo-1-pairs", "dpo-1-pairs-2")}


def test_a_round_keeps_its_models_and_is_found_by_nearest_name(fresh_db: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(NotFoundError, match="There is none yet"):
        round_by_id(fresh_db, "dpo-1")
    add_round(fresh_db, FIRST)
    with pytest.raises(ConflictError):
        add_round(fresh_db, replace(FIRST, opponent="another"))
    with pytest.raises(NotFoundError, match="Did you mean dpo-1"):
        round_by_id(fresh_db, "dpo-l")


def test_the_model_promoted_last_is_current(fresh_db: duckdb.DuckDBPyConnection) -> None:
    add_model(fresh_db, BASE)
    add_model(fresh_db, TUNED)
    assert current_versions(fresh_db) == {}
    for decision in (
        decided("base", "promoted", 1.0),
        decided("dpo-1", "promoted", 2.0),
        decided("dpo-9", "rejected", 3.0),
        decided("x", "promoted", 4.0, policy="other"),
    ):
        add_decision(fresh_db, decision)
        add_decision(fresh_db, decision)
    current = {policy: one.model for policy, one in current_versions(fresh_db).items()}
    assert current == {"support": "dpo-1", "other": "x"}
    assert model_by_name(fresh_db, "dpo-1").current_of == "support"
    assert model_by_name(fresh_db, "base").current_of == ""
    add_decision(fresh_db, decided("base", "promoted", 5.0))
    assert current_versions(fresh_db)["support"].model == "base", "back to an earlier one"
    assert last_decisions(fresh_db)["base"].created_at == 5.0


def test_a_run_without_a_policy_goes_on_with_that_of_its_model(fresh_db: duckdb.DuckDBPyConnection) -> None:
    for model in (BASE, TUNED, replace(TUNED, name="dpo-2", base="dpo-1", path="/runs/dpo-2/model")):
        add_model(fresh_db, model)
    assert policy_of(fresh_db, "dpo-2") == "base", "the base at the root names it"
    add_round(fresh_db, FIRST)
    assert policy_of(fresh_db, "dpo-2") == "support"
    assert policy_of(fresh_db, "org/name") == "org--name", "a folder is called after it"


def test_notes_and_tags(fresh_db: duckdb.DuckDBPyConnection) -> None:
    add_model(fresh_db, BASE)
    set_remarks(fresh_db, "base", note=" steady ", add=("demo", "old"))
    set_remarks(fresh_db, "base", add=("demo", "new"), drop=("old",))
    assert model_by_name(fresh_db, "base") == replace(BASE, note="steady", tags=("demo", "new"))
    for tag in ("two words", "", "x" * 41, "bell\a"):
        with pytest.raises(RlftError, match="not a tag"):
            set_remarks(fresh_db, "base", add=(tag,))
    remove_model(fresh_db, "base")
    assert remarks(fresh_db) == {}, "a later model of that name does not inherit them"
