"""A frozen, hashed training set, built from labels or imported from a file."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import field

from rlft_tui.errors import RlftError
from rlft_tui.prompts.import_report import ImportReport
from rlft_tui.record import Record

DatasetKind = Literal["preference", "sft", "unpaired", "scored", "prompts"]
KINDS: dict[DatasetKind, str] = {
    "preference": "prompt, chosen and rejected answer, with a margin where strengths are known",
    "sft": "prompt and an answer to imitate",
    "unpaired": "prompt, answer, and whether it is wanted",
    "scored": "prompt, answer, and its score from 0 to 1",
    "prompts": "prompts alone, with any further columns for the rewards",
}
"""What a row of each kind holds."""


class DatasetSpec(Record, frozen=True):
    """Which rows go in and how they are split."""

    name: str = ""
    heldout_fraction: float = 0.2
    """Share of prompts (not rows) kept out, so that no prompt stands on both sides."""
    seed: int = 0
    labelers: tuple[str, ...] = ()
    """Empty means all people; judges (``judge:NAME``) have to be named."""
    categories: tuple[str, ...] = ()
    min_confidence: int = 1
    better_answers: bool = True
    """Whether an answer a labeller wrote is chosen over the one they judged better."""
    kind: DatasetKind = "preference"
    source: str = ""
    """Name of the file the rows came from; empty for a data set built from labels."""
    columns: dict[str, str] = field(default_factory=dict)
    """Of an imported file: the name a column is read as, and the name it has there."""
    max_characters: int = 0
    """Of an imported file: rows with more characters in all texts together are refused; 0 keeps all."""
    agent: str = ""
    """Of scored answers: only those for this policy, or given to what its versions wrote; empty for all."""


class Dataset(Record, frozen=True):
    """A data set as it stands on disk: ``train.jsonl`` and ``heldout.jsonl``."""

    hash: str
    """First 12 hex digits of the SHA-256 over both files."""
    name: str
    path: str
    train_rows: int
    heldout_rows: int
    created_at: float
    left_out: dict[str, int] = field(default_factory=dict)
    """What was not used, counted by reason: tie, identical answers, empty answer, contradiction …"""
    kind: DatasetKind = "preference"
    source: str = ""
    """Name of the file it was imported from; empty for one built from labels."""


class DatasetImport(Record, frozen=True):
    """The data set a file became, and what became of its lines."""

    dataset: Dataset
    report: ImportReport
    """Imported are the rows of a new data set; none when these very rows were frozen before."""


class DatasetCheck(Record, frozen=True):
    """Errors forbid a run, warnings ask for a yes."""

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    tokens: dict[str, Any] | None = None
    """What the trainer will see (jobs/token_check.py), when tokens were looked at."""

    def __add__(self, other: DatasetCheck) -> DatasetCheck:
        return DatasetCheck(
            self.errors + other.errors, self.warnings + other.warnings, self.tokens or other.tokens
        )

    def raise_for_errors(self, dataset: Dataset) -> None:
        """RlftError with the first of them."""
        if self.errors:
            raise RlftError(
                self.errors[0], where=f"data set {dataset.hash}", remedy="Build it again: rlft data build"
            )
