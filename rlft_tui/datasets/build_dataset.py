"""Freeze the current verdicts into a training set."""

from __future__ import annotations

from typing import Any

import duckdb

from rlft_tui.database.connection import Database
from rlft_tui.datasets.dataset import Dataset, DatasetSpec
from rlft_tui.datasets.derive import prompts
from rlft_tui.datasets.freeze import check_spec, freeze
from rlft_tui.datasets.select_answers import (
    scored_rows,
    select_completions,
    select_judged,
    select_scored,
    settled,
)
from rlft_tui.datasets.select_preferences import select_rows, select_written, with_margins
from rlft_tui.datasets.selection import Selection
from rlft_tui.datasets.verdicts_table import (
    current_verdicts,
    known_prompts,
    scored_answers,
    written_answers,
)
from rlft_tui.errors import RlftError
from rlft_tui.paths import Workspace


def build_dataset(database: Database, workspace: Workspace, spec: DatasetSpec, *, now: float) -> Dataset:
    """Freeze what a spec asks for, write it to ``datasets/<hash>/`` and record it.

    The same labels and spec give the same hash and the data set that is already there.
    Raises RlftError when nothing is left to train on, ConflictError when the name is taken.
    """
    check_spec(spec)
    with database.reader() as connection:
        selection, asked = _select(connection, spec)
    if not selection.rows:
        raise RlftError(_nothing(asked, selection.left_out, spec), remedy=_remedy(spec))
    return freeze(database, workspace, spec, selection, now=now)


def _select(connection: duckdb.DuckDBPyConnection, spec: DatasetSpec) -> tuple[Selection[Any], int]:
    """The rows of the kind a spec asks for, and how many verdicts, scores or prompts were looked at."""
    if spec.kind == "prompts":
        found = known_prompts(connection, spec)
        return Selection(tuple(prompts(found)), {}), len(found)
    if spec.kind == "scored":
        answers = scored_answers(connection, spec)
        return scored_rows(answers), len(answers)
    verdicts = current_verdicts(connection, spec)
    written = written_answers(connection, spec) if spec.better_answers else []
    if spec.kind == "unpaired":
        scored = scored_answers(connection, spec)
        selection = select_judged(verdicts, min_confidence=spec.min_confidence) + select_scored(scored)
        return settled(selection), len(verdicts) + len(scored)
    preferences = select_rows(verdicts, min_confidence=spec.min_confidence)
    if spec.kind == "sft":
        chosen = select_completions(preferences.rows, verdicts, written)
        return chosen + Selection((), preferences.left_out), len(verdicts) + len(written)
    return with_margins(preferences + select_written(written)), len(verdicts)


def _nothing(asked: int, left_out: dict[str, int], spec: DatasetSpec) -> str:
    if spec.kind == "prompts":
        return "there are no prompts here"
    one, many = {
        "unpaired": ("verdict or score", "verdicts or scores"),
        "scored": ("score", "scores"),
    }.get(spec.kind, ("verdict", "verdicts"))
    if not asked:
        return f"there are no {many} to train on"
    reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
    who = f"the only {one} cannot" if asked == 1 else f"none of the {asked:,} {many} can"
    return f"{who} be trained on ({reasons})"


def _remedy(spec: DatasetSpec) -> str:
    if spec.kind == "prompts":
        return "Import some: rlft prompts import FILE"
    if spec.kind == "scored":
        return "Score some answers first: rlft score"
    return "Label some pairs first: rlft label"
