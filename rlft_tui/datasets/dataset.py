"""A frozen, hashed training set built from labels."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """Which verdicts go in and how they are split."""

    name: str = ""
    heldout_fraction: float = 0.2
    """Share of prompts (not rows) kept out, so that no prompt stands on both sides."""
    seed: int = 0
    labelers: tuple[str, ...] = ()
    """Empty means all."""
    categories: tuple[str, ...] = ()
    min_confidence: int = 1
    better_answers: bool = True
    """Whether an answer a labeller wrote is chosen over the one they judged better."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set as it stands on disk: ``train.jsonl`` and ``heldout.jsonl``."""

    hash: str
    """First 12 hex digits of the SHA-256 over both files."""
    name: str
    path: str
    train_rows: int
    heldout_rows: int
    created_at: float
    left_out: dict[str, int] = field(default_factory=dict)
    """Verdicts not used, counted by reason: tie, identical answers, empty answer, contradiction …"""
