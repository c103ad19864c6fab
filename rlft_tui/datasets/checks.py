"""What is wrong with a data set, told before a run is started; no tokens needed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rlft_tui.datasets.build_dataset import prompt_key
from rlft_tui.datasets.dataset import Dataset
from rlft_tui.datasets.dataset_files import (
    HELDOUT,
    TRAIN,
    DatasetRow,
    folder_hash,
    read_dataset_rows,
)
from rlft_tui.errors import RlftError

FEW_ROWS = 16
"""Fewer rows than this teach little more than themselves."""


@dataclass(frozen=True, slots=True)
class DatasetCheck:
    """Errors forbid a run, warnings don't."""

    errors: tuple[str, ...]
    warnings: tuple[str, ...]

    def raise_for_errors(self, dataset: Dataset) -> None:
        """RlftError with the first of them."""
        if self.errors:
            raise RlftError(
                self.errors[0], where=f"data set {dataset.hash}", remedy="Build it again: rlft data build"
            )


def check_dataset(dataset: Dataset) -> DatasetCheck:
    """Look at a recorded data set's files: hash, counts and rows."""
    folder = Path(dataset.path)
    try:
        found = folder_hash(folder)
        train = list(read_dataset_rows(folder / TRAIN))
        heldout = list(read_dataset_rows(folder / HELDOUT))
    except RlftError as error:
        return DatasetCheck((f"its files cannot be read: {error}",), ())
    checked = check_rows(train, heldout)
    if found != dataset.hash:
        return DatasetCheck(
            (f"its files were changed: their hash is {found}", *checked.errors), checked.warnings
        )
    return checked


def check_rows(train: list[DatasetRow], heldout: list[DatasetRow]) -> DatasetCheck:
    """Look at the rows alone."""
    errors, warnings = [], []
    if not train:
        errors.append("there is no row to train on")
    for name, rows in (("training", train), ("held-out", heldout)):
        if count := sum(_answer(row.chosen) == _answer(row.rejected) for row in rows):
            errors.append(f"{count} {name} rows have identical answers")
        if count := sum(not _answer(row.chosen).strip() for row in rows):
            errors.append(f"{count} {name} rows have an empty chosen answer")
        if count := sum(not _answer(row.rejected).strip() for row in rows):
            warnings.append(f"{count} {name} rows have an empty rejected answer")
        if count := _contradictions(rows):
            errors.append(f"{count} {name} rows are contradicted by another row")
    asked = {prompt_key(row) for row in train}
    if leaked := {prompt_key(row) for row in heldout} & asked:
        errors.append(f"{len(leaked)} prompts are in both the training and the held-out rows")
    if 0 < len(train) < FEW_ROWS:
        warnings.append(f"only {len(train)} training rows")
    if not heldout:
        warnings.append("nothing is held out, so the result cannot be measured")
    if train and (share := _longer_share(train)) is not None and not 0.2 <= share <= 0.8:
        longer = "longer" if share > 0.5 else "shorter"
        warnings.append(
            f"the chosen answer is the {longer} one in {max(share, 1 - share):.0%} of the training rows"
        )
    return DatasetCheck(tuple(errors), tuple(warnings))


def _answer(messages: list[dict[str, str]]) -> str:
    return messages[-1]["content"] if messages else ""


def _contradictions(rows: list[DatasetRow]) -> int:
    """Rows that have their mirror image among the others."""
    seen = Counter((repr(row.prompt), _answer(row.chosen), _answer(row.rejected)) for row in rows)
    return sum(
        count
        for (prompt, chosen, rejected), count in seen.items()
        if chosen != rejected and (prompt, rejected, chosen) in seen
    )


def _longer_share(rows: list[DatasetRow]) -> float | None:
    """Share of rows whose chosen answer has more characters; None when all are as long."""
    differences = [len(_answer(row.chosen)) - len(_answer(row.rejected)) for row in rows]
    decided = [difference for difference in differences if difference]
    return sum(difference > 0 for difference in decided) / len(decided) if decided else None
