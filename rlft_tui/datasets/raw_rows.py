"""Rows of a raw file as rows of a data set: the columns people use for prompts, answers and labels."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import orjson

from rlft_tui.datasets.rows import CompletionRow, Conversation, JudgedRow, PromptRow, ScoredRow
from rlft_tui.datasets.score_scale import score_label
from rlft_tui.pairs.formats import trl
from rlft_tui.pairs.formats.values import is_blank, json_list, number, truth
from rlft_tui.prompts.import_prompts import COLUMNS, parse_prompt
from rlft_tui.prompts.messages import RowError, checked_text, optional_text, parse_messages, split_prompt
from rlft_tui.prompts.prompt import Message

CONVERSATIONS = ("messages", "conversations", "conversation")
ANSWERS = ("completion", "response", "answer", "output")
"""Where the answer to a prompt is looked for, in this order."""
_TAKEN = {*COLUMNS, "context", "system", "system_prompt", "input", "category", "id", "example_id"}
_REWARD_ARGUMENTS = {"prompts", "completion", "completions", "completion_ids", "trainer_state", "log_extra"}
"""What TRL hands to every reward function under these names: a column cannot have them too."""
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def clean_text(text: str) -> str:
    """The text with plain line ends, without control characters and white space around it."""
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def parse_completion(values: dict[str, Any]) -> CompletionRow:
    """A row to imitate: a conversation, a prompt with its answer, or the chosen one of two. RowError."""
    category = optional_text(values, "category")
    column = next((name for name in CONVERSATIONS if not is_blank(values.get(name))), "")
    if column:
        turns = parse_messages(json_list(values[column], column), column)
        prompt, completion = _split_conversation(turns, column)
    elif "chosen" in values and "rejected" in values:
        prompt, text = _chosen(values)
        completion = [Message("assistant", text)]
    else:
        prompt, completion = _prompt(values), _answer(values)
    row = CompletionRow(_cleaned(prompt), _cleaned(completion), "", category)
    _require(row.prompt, row.completion)
    return CompletionRow(row.prompt, row.completion, _identity(row.prompt, row.completion), category)


def parse_judged(values: dict[str, Any]) -> JudgedRow:
    """An answer with a label (true or false), or with a score from 0 to 1. RowError."""
    prompt, completion = _cleaned(_prompt(values)), _cleaned(_answer(values))
    if len(completion) != 1:
        raise RowError(f"the answer has {len(completion)} messages where one is judged")
    _require(prompt, completion)
    score = number(values.get("score"), "score")
    if not is_blank(values.get("label")):
        label: bool | None = truth(values["label"], "label")
    elif score is None:
        raise RowError("has neither label nor score")
    elif not 0 <= score <= 1:
        raise RowError(f"score is {score:g}, not from 0 to 1")
    else:
        label = score_label(score)
    if label is None:
        raise RowError(f"score {score:g} is mediocre: it says neither good nor bad")
    category = optional_text(values, "category")
    return JudgedRow(prompt, completion, label, _identity(prompt, completion), category, score)


def parse_scored(values: dict[str, Any]) -> ScoredRow:
    """An answer with a score from 0 to 1. RowError."""
    prompt, completion = _cleaned(_prompt(values)), _cleaned(_answer(values))
    if len(completion) != 1:
        raise RowError(f"the answer has {len(completion)} messages where one is scored")
    _require(prompt, completion)
    score = number(values.get("score"), "score")
    if score is None:
        raise RowError("has no score")
    if not 0 <= score <= 1:
        raise RowError(f"score is {score:g}, not from 0 to 1")
    # The same answer may have been scored by several people.
    identity = hashlib.sha256(f"{_identity(prompt, completion)}~{score}".encode()).hexdigest()[:16]
    return ScoredRow(prompt, completion, score, identity, optional_text(values, "category"))


def parse_prompt_row(values: dict[str, Any]) -> PromptRow:
    """A prompt with every further column, for the rewards. RowError."""
    prompt = _cleaned(_prompt(values))
    _require(prompt, [])
    used = {*_TAKEN, *CONVERSATIONS}
    # "answer" is what a reward compares with; of the other columns only TRL's own names are dropped.
    columns = {
        name: _plain(value)
        for name, value in values.items()
        if name and name not in used and name not in _REWARD_ARGUMENTS
    }
    return PromptRow(prompt, _identity(prompt, columns), optional_text(values, "category"), columns)


def uniform_columns(rows: list[PromptRow]) -> list[PromptRow]:
    """The same columns in every row, null where one has none; a column of mixed types becomes text."""
    names = sorted({name for row in rows for name in row.columns})
    mixed = {
        name
        for name in names
        if len({_family(row.columns[name]) for row in rows if row.columns.get(name) is not None}) > 1
    }

    def value(row: PromptRow, name: str) -> Any:
        found = row.columns.get(name)
        if name not in mixed or found is None or isinstance(found, str):
            return found
        return orjson.dumps(found).decode()

    return [
        PromptRow(row.prompt, row.example_id, row.category, {name: value(row, name) for name in names})
        for row in rows
    ]


def _prompt(values: dict[str, Any]) -> list[Message]:
    """The turns up to and with the user's last one."""
    values = {name: value for name, value in values.items() if not (name in COLUMNS and is_blank(value))}
    text = values.get("prompt")
    if isinstance(text, str) and text.lstrip().startswith("[{"):
        # Parquet and CSV files carry conversations as JSON.
        values = {**values, "prompt": json_list(text, "prompt")}
    elif isinstance(text, str):
        context, prompt = trl.text_prompt(checked_text(text, "prompt"))
        if context:
            return [*context, Message("user", prompt)]
    found = parse_prompt(values, "", 0.0)
    return [*found.context, Message("user", found.prompt)]


def _answer(values: dict[str, Any]) -> list[Message]:
    column = next((name for name in ANSWERS if not is_blank(values.get(name))), "")
    if not column:
        raise RowError(f"has none of {', '.join(ANSWERS)}")
    value = values[column]
    if not isinstance(value, list):
        return [Message("assistant", checked_text(value, column))]
    turns = parse_messages(value, column)
    if not turns or turns[0].role != "assistant" or turns[-1].role != "assistant":
        raise RowError(f"{column} has to begin and end with the assistant")
    return list(turns)


def _chosen(values: dict[str, Any]) -> tuple[list[Message], str]:
    context, prompt, chosen, _ = trl.answers(values)
    return [*context, Message("user", prompt)], chosen


def _split_conversation(turns: tuple[Message, ...], column: str) -> tuple[list[Message], list[Message]]:
    """What stands before the assistant's first turn, and the rest up to its last."""
    first = next((place for place, turn in enumerate(turns) if turn.role == "assistant"), None)
    if first is None:
        raise RowError(f"{column} has no answer of the assistant")
    context, prompt = split_prompt(turns[:first], column)
    last = max(place for place, turn in enumerate(turns) if turn.role == "assistant")
    return [*context, Message("user", prompt)], list(turns[first : last + 1])


def _cleaned(turns: list[Message]) -> Conversation:
    return [{"role": turn.role, "content": clean_text(turn.content)} for turn in turns]


def _require(prompt: Conversation, completion: Conversation) -> None:
    if not prompt[-1]["content"]:
        raise RowError("the prompt is empty")
    if any(turn["role"] == "assistant" and not turn["content"] for turn in completion):
        raise RowError("an answer is empty")


def _identity(*content: Any) -> str:
    """A name for a row that follows from its content."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """What JSON holds; the rest (dates, decimals) as text."""
    return orjson.loads(orjson.dumps(value, default=str))


def _family(value: Any) -> str:
    if isinstance(value, bool):
        return "truth"
    return "number" if isinstance(value, int | float) else type(value).__name__
