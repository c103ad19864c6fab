"""Rows of a frozen data set, read and turned into the tokens that are trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlft_tui.datasets import dataset_files
from rlft_tui.datasets.rows import Conversation, PreferenceRow
from rlft_tui.errors import RlftError

__all__ = ["Conversation", "PreferenceRow", "TokenRow", "read_rows", "tokenise"]


@dataclass(frozen=True, slots=True)
class TokenRow:
    """Token ids of one comparison; the loss falls on ``chosen`` and ``rejected`` only."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]


def read_rows(path: Path, *, required: bool = True) -> list[PreferenceRow]:
    """Every comparison of a JSON lines file; RlftError names the first line that is none."""
    rows = [row for row in dataset_files.read_rows(path, "preference") if isinstance(row, PreferenceRow)]
    if required and not rows:
        raise RlftError(
            "there is no row to train on", where=str(path), remedy="Label more, then rlft data build"
        )
    return rows


def tokenise(tokenizer: Any, row: PreferenceRow) -> TokenRow:
    """Exactly TRL's way: an answer is what the template adds behind the generation prompt."""
    prompt = _template(tokenizer, row.prompt, add_generation_prompt=True)
    chosen = _template(tokenizer, row.prompt + row.chosen)
    rejected = _template(tokenizer, row.prompt + row.rejected)
    return TokenRow(prompt, chosen[len(prompt) :], rejected[len(prompt) :])


def _template(tokenizer: Any, messages: Conversation, **options: bool) -> list[int]:
    return list(tokenizer.apply_chat_template(messages, return_dict=True, **options)["input_ids"])
