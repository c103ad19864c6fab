"""What a model is asked for one row of a task, and what is expected of it."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.evaluations.suites.freeze import ID
from rlft_tui.evaluations.suites.tasks import AnswerTask, ChoiceTask

Messages = list[dict[str, str]]


def messages_of(task: AnswerTask | ChoiceTask, row: Mapping[str, Any]) -> Messages:
    """The conversation that ends with the user's turn; RlftError for a row without a prompt."""
    value = row.get(task.prompt)
    if isinstance(value, list) and value and all(_is_message(turn) for turn in value):
        asked = [{"role": str(turn["role"]), "content": str(turn["content"])} for turn in value]
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        asked = [{"role": "user", "content": filled(task, row)}]
    else:
        raise RlftError(f"item {row.get(ID)} has no {task.prompt}", where=f"task {task.name}")
    return [{"role": "system", "content": task.system}, *asked] if task.system else asked


def filled(task: AnswerTask | ChoiceTask, row: Mapping[str, Any]) -> str:
    """The template with the row's columns in it; {prompt} is the prompt's column whatever it is called."""
    values = {**row, "prompt": row.get(task.prompt, "")}
    made = []
    for text, name, form, _ in string.Formatter().parse(task.template):
        made.append(text)
        if name is None:
            continue
        if form or name not in values:
            raise RlftError(
                f"the template names {{{name}}}, which item {row.get(ID)} does not have",
                where=f"task {task.name}",
                remedy="Write {{ and }} for braces that stand for themselves",
            )
        made.append(str(values[name]))
    return "".join(made)


def expected_texts(task_name: str, column: str, row: Mapping[str, Any]) -> list[str]:
    """What is right, one or several; RlftError for a row that does not say."""
    value = row.get(column)
    values = value if isinstance(value, list) else [value]
    if not values or any(one is None or isinstance(one, dict | list) for one in values):
        raise RlftError(f"item {row.get(ID)} has no {column}", where=f"task {task_name}")
    return [str(one) for one in values]


def shown(messages: Messages) -> str:
    """A conversation as one text for people."""
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in messages)


def right_choice(task: ChoiceTask, row: Mapping[str, Any]) -> int:
    """Which choice is right, from 0: told by its number, its letter, or its text."""
    choices = row.get(task.choices)
    if isinstance(choices, dict):  # as ARC's columns come: {"text": […], "label": […]}
        labels, choices = choices.get("label"), choices.get("text")
        if isinstance(labels, list) and row.get(task.expected) in labels:
            return labels.index(row.get(task.expected))
    if not isinstance(choices, list) or len(choices) < 2:
        raise RlftError(f"item {row.get(ID)} has no list of {task.choices}", where=f"task {task.name}")
    value = row.get(task.expected)
    at: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        at = value
    elif isinstance(value, str):
        if value in choices:
            at = choices.index(value)
        elif value.strip().isdecimal():
            at = int(value)
        elif len(value.strip()) == 1:
            at = ord(value.strip().upper()) - ord("A")
    if at is None or not 0 <= at < len(choices):
        raise RlftError(
            f"item {row.get(ID)}: {task.expected} is none of the choices", where=f"task {task.name}"
        )
    return at


def choice_texts(task: ChoiceTask, row: Mapping[str, Any]) -> list[str]:
    """The choices as texts."""
    choices = row[task.choices]
    return [str(one) for one in (choices["text"] if isinstance(choices, dict) else choices)]


def _is_message(turn: object) -> bool:
    return (
        isinstance(turn, dict) and isinstance(turn.get("role"), str) and isinstance(turn.get("content"), str)
    )
