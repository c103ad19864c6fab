"""Prompts from a file: JSON lines, CSV, Parquet, or plain text with one prompt a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

import duckdb

from rlft_tui.prompts.batches import batches
from rlft_tui.prompts.import_report import ImportReport, LineReport
from rlft_tui.prompts.messages import (
    RowError,
    checked_text,
    optional_text,
    parse_messages,
    split_prompt,
)
from rlft_tui.prompts.prompt import Message, Prompt
from rlft_tui.prompts.prompts_table import prompt_digest, store_prompts
from rlft_tui.prompts.row_reader import read_rows
from rlft_tui.record import Record

COLUMNS = ("prompt", "instruction", "question", "messages")
"""Where the question is looked for, in this order."""


class PromptRow(Record, frozen=True):
    """A good row and the line it stood on."""

    line: int
    prompt: Prompt


def import_prompts(
    connection: duckdb.DuckDBPyConnection, name: str, path: Path, *, now: float
) -> ImportReport:
    """Store every good row of a file; call it inside one write transaction.

    Raises RlftError when the file as a whole cannot be read.
    """
    read = imported = 0
    rejected: list[LineReport] = []
    for batch in batches(read_prompts(name, path, now=now), _size):
        read += len(batch)
        rejected += [row for row in batch if isinstance(row, LineReport)]
        imported += store_prompts(connection, [row.prompt for row in batch if isinstance(row, PromptRow)])
    return ImportReport(
        read=read,
        imported=imported,
        duplicates=read - len(rejected) - imported,
        rejected=tuple(rejected),
    )


def read_prompts(name: str, path: Path, *, now: float) -> Iterator[PromptRow | LineReport]:
    """Each prompt of a file, or why its line was refused, in bounded memory."""
    source = PurePath(name).name
    for row in read_rows(name, path):
        if isinstance(row, LineReport):
            yield row
            continue
        try:
            yield PromptRow(row.line, parse_prompt(row.values, source, now))
        except RowError as error:
            yield LineReport(row.line, str(error))


def _size(row: PromptRow | LineReport) -> int:
    """Characters a row keeps in memory, about."""
    if isinstance(row, LineReport):
        return 100
    return 400 + len(row.prompt.prompt) + sum(len(turn.content) for turn in row.prompt.context)


def parse_prompt(values: dict[str, Any], source: str, now: float) -> Prompt:
    """A row as a prompt; its id follows from its content. Raises RowError."""
    column = next((name for name in COLUMNS if values.get(name) is not None), None)
    if column is None:
        named = next((name for name in COLUMNS if name in values), None)
        raise RowError(f"{named} is null" if named else f"has none of {', '.join(COLUMNS)}")
    context: tuple[Message, ...] = ()
    if isinstance(values[column], list):
        messages = parse_messages(values[column], column)
        while messages and messages[-1].role == "assistant":
            messages = messages[:-1]
        context, text = split_prompt(messages, column)
    else:
        text = checked_text(values[column], column)
        if column == "instruction" and (extra := optional_text(values, "input")):
            text = f"{text}\n\n{extra}"
        if not text.strip():
            raise RowError(f"{column} is empty")
        if values.get("context") is not None and isinstance(values["context"], list):
            context = parse_messages(values["context"], "context")
        if system := optional_text(values, "system", "system_prompt"):
            context = (Message("system", system), *context)
    return Prompt(
        id=prompt_digest(text, context),
        prompt=text,
        context=context,
        category=optional_text(values, "category"),
        source=source,
        created_at=now,
    )
