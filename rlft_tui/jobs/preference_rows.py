"""Rows of a frozen data set, read and turned into the tokens that are trained on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlft_tui.errors import NotFoundError, RlftError

Conversation = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class PreferenceRow:
    """One comparison in TRL's conversational form."""

    prompt: Conversation
    chosen: Conversation
    rejected: Conversation

    def as_dict(self) -> dict[str, Conversation]:
        return {"prompt": self.prompt, "chosen": self.chosen, "rejected": self.rejected}


@dataclass(frozen=True, slots=True)
class TokenRow:
    """Token ids of one comparison; the loss falls on ``chosen`` and ``rejected`` only."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]


def read_rows(path: Path, *, required: bool = True) -> list[PreferenceRow]:
    """Every row of a JSON lines file; RlftError names the first line that is none."""
    if not path.is_file():
        raise NotFoundError("no data set here", where=str(path), remedy="rlft data build makes one")
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            rows.append(_row(line, f"{path}:{number}"))
    if required and not rows:
        raise RlftError(
            "there is no row to train on", where=str(path), remedy="Label more, then rlft data build"
        )
    return rows


def _row(line: str, where: str) -> PreferenceRow:
    try:
        record = json.loads(line)
        return PreferenceRow(*(_conversation(record[key]) for key in ("prompt", "chosen", "rejected")))
    except ValueError as error:
        raise RlftError(f"not a preference row: {error}", where=where) from None
    except KeyError as error:
        raise RlftError(f"not a preference row: no {error.args[0]!r}", where=where) from None
    except TypeError:
        raise RlftError("not a preference row: lists of role and content expected", where=where) from None


def _conversation(value: object) -> Conversation:
    if not isinstance(value, list) or not value:
        raise TypeError
    return [{"role": str(turn["role"]), "content": str(turn["content"])} for turn in value]


def tokenise(tokenizer: Any, row: PreferenceRow) -> TokenRow:
    """Exactly TRL's way: an answer is what the template adds behind the generation prompt."""
    prompt = _template(tokenizer, row.prompt, add_generation_prompt=True)
    chosen = _template(tokenizer, row.prompt + row.chosen)
    rejected = _template(tokenizer, row.prompt + row.rejected)
    return TokenRow(prompt, chosen[len(prompt) :], rejected[len(prompt) :])


def _template(tokenizer: Any, messages: Conversation, **options: bool) -> list[int]:
    return list(tokenizer.apply_chat_template(messages, return_dict=True, **options)["input_ids"])
