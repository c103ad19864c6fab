"""One row of a data set, by kind, in TRL's conversational formats."""

from __future__ import annotations

from typing import Any

from msgspec import field

from rlft_tui.datasets.dataset import DatasetKind
from rlft_tui.record import Record

Conversation = list[dict[str, str]]
"""Messages with role and content, as chat templates take them."""


class PreferenceRow(Record, frozen=True):
    """Two answers, one of them preferred."""

    prompt: Conversation
    """Messages up to and with the user's last turn."""
    chosen: Conversation
    """One assistant message."""
    rejected: Conversation
    example_id: str = ""
    category: str = ""
    margin: float | None = None
    """How much better (0 to 1), as TRL's reward trainer reads it; in all rows of a file or in none."""

    def as_dict(self) -> dict[str, Any]:
        """The columns that TRL's trainers read, the margin aside."""
        return {"prompt": self.prompt, "chosen": self.chosen, "rejected": self.rejected}


class CompletionRow(Record, frozen=True):
    """An answer to imitate."""

    prompt: Conversation
    completion: Conversation
    """Begins and ends with the assistant; what the assistant says in it is learned."""
    example_id: str = ""
    category: str = ""


class JudgedRow(Record, frozen=True):
    """An answer and whether it is wanted (Ethayarajh et al. 2024)."""

    prompt: Conversation
    completion: Conversation
    """One assistant message."""
    label: bool
    example_id: str = ""
    category: str = ""
    score: float | None = None
    """0 to 1, where the label follows from a score; in all rows of a file or in none."""


class ScoredRow(Record, frozen=True):
    """An answer and how good it is."""

    prompt: Conversation
    completion: Conversation
    """One assistant message."""
    score: float
    """0 (very poor) to 1 (excellent)."""
    example_id: str = ""
    category: str = ""


class PromptRow(Record, frozen=True):
    """A prompt to be answered while training."""

    prompt: Conversation
    example_id: str = ""
    category: str = ""
    columns: dict[str, Any] = field(default_factory=dict)
    """What the reward functions get besides the answer, such as ``answer``; beside the prompt in the file."""


Row = PreferenceRow | CompletionRow | JudgedRow | ScoredRow | PromptRow
ROW_TYPES: dict[DatasetKind, type[Row]] = {
    "preference": PreferenceRow,
    "sft": CompletionRow,
    "unpaired": JudgedRow,
    "scored": ScoredRow,
    "prompts": PromptRow,
}


def answer_text(messages: Conversation) -> str:
    """What the last message says; empty without one."""
    return messages[-1]["content"] if messages else ""


def prompt_key(row: Row) -> str:
    """What makes two rows ask the same: the last user turn, letter case and white space aside."""
    return " ".join(row.prompt[-1]["content"].casefold().split())


def texts(row: Row) -> list[str]:
    """Every text of a row, the prompt's turns first."""
    if isinstance(row, PreferenceRow):
        parts = [row.prompt, row.chosen, row.rejected]
    elif isinstance(row, PromptRow):
        parts = [row.prompt]
    else:
        parts = [row.prompt, row.completion]
    return [turn["content"] for part in parts for turn in part]
