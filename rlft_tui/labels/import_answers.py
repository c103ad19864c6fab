"""Sets of answers to be ranked, from a file: a prompt with three to eight responses a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

import duckdb

from rlft_tui.errors import RlftError
from rlft_tui.labels.ranking import AnswerSet, answers_id, check_answers
from rlft_tui.labels.rankings_table import add_sets
from rlft_tui.prompts.batches import batches
from rlft_tui.prompts.import_prompts import parse_prompt
from rlft_tui.prompts.import_report import ImportReport, LineReport
from rlft_tui.prompts.messages import RowError, checked_text, optional_text
from rlft_tui.prompts.row_reader import read_rows

COLUMNS = ("responses", "completions", "answers")
"""Where the answers are looked for, in this order."""


def import_answers(
    connection: duckdb.DuckDBPyConnection, name: str, path: Path, *, now: float
) -> ImportReport:
    """Store every good row of a file; call it inside one write transaction."""
    read = imported = 0
    rejected: list[LineReport] = []
    for batch in batches(read_answers(name, path, now=now), _size):
        read += len(batch)
        rejected += [row for row in batch if isinstance(row, LineReport)]
        imported += add_sets(connection, [row for row in batch if isinstance(row, AnswerSet)])
    return ImportReport(read, imported, read - len(rejected) - imported, tuple(rejected))


def read_answers(name: str, path: Path, *, now: float) -> Iterator[AnswerSet | LineReport]:
    """Each set of a file, or why its line was refused, in bounded memory."""
    source = PurePath(name).name
    for row in read_rows(name, path):
        if isinstance(row, LineReport):
            yield row
            continue
        try:
            yield parse_answers(row.values, source, now)
        except (RowError, RlftError) as error:
            yield LineReport(row.line, str(error))


def parse_answers(values: dict[str, Any], source: str, now: float) -> AnswerSet:
    """A row as a set. Answers are texts, or ``{text, model}``. Raises RowError, RlftError."""
    asked = parse_prompt(values, source, now)
    column = next((name for name in COLUMNS if isinstance(values.get(name), list | tuple)), None)
    if column is None:
        raise RowError(f"has no list of {', '.join(COLUMNS)}")
    answers = [_answer(one, f"{column}[{place}]") for place, one in enumerate(values[column])]
    responses = tuple(text for text, _ in answers)
    models = tuple(model for _, model in answers)
    given = values.get("models")
    if isinstance(given, list | tuple) and not any(models):
        models = tuple(checked_text(model, "models") for model in given)
    check_answers(responses, models)
    return AnswerSet(
        id=answers_id(asked.prompt, asked.context, responses),
        prompt=asked.prompt,
        responses=responses,
        models=models if any(models) else (),
        context=asked.context,
        category=asked.category,
        source=source,
        created_at=now,
    )


def _answer(value: Any, column: str) -> tuple[str, str]:
    if not isinstance(value, dict):
        return checked_text(value, column), ""
    key = next((name for name in ("text", "content", "response") if name in value), "text")
    return checked_text(value.get(key), f"{column}.{key}"), optional_text(value, "model")


def _size(row: AnswerSet | LineReport) -> int:
    """Characters a row keeps in memory, about."""
    return 100 if isinstance(row, LineReport) else 600 + 2 * sum(map(len, (row.prompt, *row.responses)))
