"""What is wrong with a data set for a method, told before a run is started; no tokens needed."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from rlft_tui.counted import counted, plural
from rlft_tui.datasets.dataset import Dataset, DatasetCheck, DatasetKind
from rlft_tui.datasets.dataset_files import HELDOUT, TRAIN, folder_hash, read_rows
from rlft_tui.datasets.derive import rows_for
from rlft_tui.datasets.mixed_order import mixed_order, one_sided_batches
from rlft_tui.datasets.near_duplicates import near_duplicates
from rlft_tui.datasets.rows import (
    CompletionRow,
    JudgedRow,
    PreferenceRow,
    Row,
    ScoredRow,
    answer_text,
    prompt_key,
)
from rlft_tui.errors import RlftError

FEW_ROWS = 16
"""Fewer rows than this teach little more than themselves."""
HARDLY = 0.05
"""A standard deviation of scores (0 to 1) below this teaches next to nothing."""
_LOPSIDED = 4
"""So many times as many answers of one label as of the other deserve a weight: KTO recommends
that weight times count stays between 1:1 and 4:3 (Ethayarajh et al. 2024, section 4.2)."""
_SHOWN = 3


def check_dataset(dataset: Dataset, method: str = "", *, batch_size: int = 0) -> DatasetCheck:
    """Look at a recorded data set's files: hash, counts and rows, as the method is trained on them."""
    folder = Path(dataset.path)
    try:
        found = folder_hash(folder)
        checked = _check_files(folder, found, dataset.kind, method, batch_size)
    except RlftError as error:
        return DatasetCheck((f"its files cannot be read: {error}",), ())
    if found != dataset.hash:
        return DatasetCheck((f"its files were changed: their hash is {found}",), ()) + checked
    return checked


@lru_cache(maxsize=32)
def _check_files(folder: Path, digest: str, kind: DatasetKind, method: str, batch_size: int) -> DatasetCheck:
    """Remembered, because a launch asks again what the form has asked; the digest is that of the files."""
    train, heldout = (list(read_rows(folder / name, kind)) for name in (TRAIN, HELDOUT))
    if method:
        train = rows_for(method, kind, train, where=f"data set {digest}")
        heldout = rows_for(method, kind, heldout)
    checked = check_rows(train, heldout)
    if method == "kto" and batch_size > 1:
        checked += DatasetCheck((), tuple(_one_sided_batches(train, batch_size)))
    return checked


def check_rows(train: Sequence[Row], heldout: Sequence[Row]) -> DatasetCheck:
    """Look at the rows alone."""
    errors: list[str] = []
    warnings: list[str] = []
    if not train:
        errors.append("there is no row to train on")
    for name, rows in (("training", train), ("held-out", heldout)):
        found = _check_answers(name, rows)
        errors += found.errors
        warnings += found.warnings
    asked = {prompt_key(row) for row in train}
    kept_out = {prompt_key(row) for row in heldout}
    if leaked := kept_out & asked:
        errors.append(f"{_are(len(leaked), 'prompt')} in both the training and the held-out rows")
    if near := near_duplicates(kept_out - asked, asked):
        shown = "; ".join(f"{_cut(one)!r} ~ {_cut(other)!r}" for one, other in near[:_SHOWN])
        warnings.append(
            f"{len(near)} of {len(kept_out)} held-out prompts are nearly training prompts: {shown}"
        )
    if 0 < len(train) < FEW_ROWS:
        warnings.append(f"only {counted(len(train), 'training row')}")
    if not heldout:
        warnings.append("nothing is held out, so the result cannot be measured")
    warnings += _one_sided(train)
    errors += _one_label(train)
    return DatasetCheck(tuple(errors), tuple(warnings))


def _have(count: int, what: str) -> str:
    return f"{counted(count, what)} {plural(count, 'has', 'have')}"


def _are(count: int, what: str) -> str:
    return f"{counted(count, what)} {plural(count, 'is', 'are')}"


def _check_answers(name: str, rows: Sequence[Row]) -> DatasetCheck:
    """Empty, identical, contradicted and repeated answers in one file."""
    errors: list[str] = []
    warnings: list[str] = []
    compared = [row for row in rows if isinstance(row, PreferenceRow)]
    single = [row for row in rows if isinstance(row, CompletionRow | JudgedRow | ScoredRow)]
    if count := sum(answer_text(row.chosen) == answer_text(row.rejected) for row in compared):
        errors.append(f"{_have(count, f'{name} row')} identical answers")
    if count := sum(not answer_text(row.chosen).strip() for row in compared):
        errors.append(f"{_have(count, f'{name} row')} an empty chosen answer")
    if count := sum(not answer_text(row.rejected).strip() for row in compared):
        warnings.append(f"{_have(count, f'{name} row')} an empty rejected answer")
    if count := _contradictions(compared):
        errors.append(f"{_are(count, f'{name} row')} contradicted by another row")
    if count := sum(not answer_text(row.completion).strip() for row in single):
        errors.append(f"{_have(count, f'{name} row')} an empty answer")
    if count := _judged_both_ways(rows):
        warnings.append(f"{_are(count, f'{name} answer')} wanted in one row and unwanted in another")
    if count := len(rows) - len({repr(_content(row)) for row in rows}):
        warnings.append(f"{_are(count, f'{name} row')} repeated")
    return DatasetCheck(tuple(errors), tuple(warnings))


def _content(row: Row) -> tuple[object, ...]:
    if isinstance(row, PreferenceRow):
        return (row.prompt, row.chosen, row.rejected)
    if isinstance(row, JudgedRow):
        return (row.prompt, row.completion, row.label)
    if isinstance(row, ScoredRow):
        return (row.prompt, row.completion, row.score)
    return (row.prompt, row.completion) if isinstance(row, CompletionRow) else (row.prompt, row.columns)


def _contradictions(rows: Sequence[PreferenceRow]) -> int:
    """Rows that have their mirror image among the others."""
    seen = Counter((repr(row.prompt), answer_text(row.chosen), answer_text(row.rejected)) for row in rows)
    return sum(
        count
        for (prompt, chosen, rejected), count in seen.items()
        if chosen != rejected and (prompt, rejected, chosen) in seen
    )


def _judged_both_ways(rows: Sequence[Row]) -> int:
    """Answers that are wanted in one row and unwanted in another.

    Building and importing settle that by majority; it is left where rows are made from
    comparisons, in which an answer may win here and lose there.
    """
    labels: dict[str, set[bool]] = {}
    for row in rows:
        if isinstance(row, JudgedRow):
            labels.setdefault(repr((row.prompt, row.completion)), set()).add(row.label)
    return sum(len(found) > 1 for found in labels.values())


def _one_label(train: Sequence[Row]) -> Iterator[str]:
    judged = [row.label for row in train if isinstance(row, JudgedRow)]
    if judged and len(set(judged)) == 1:
        yield f"every training answer is {'wanted' if judged[0] else 'unwanted'}, so nothing is told apart"


def _one_sided(train: Sequence[Row]) -> Iterator[str]:
    """What the training rows teach besides what they are meant to, or fail to teach."""
    compared = [row for row in train if isinstance(row, PreferenceRow)]
    if (share := _longer_share(compared)) is not None and not 0.2 <= share <= 0.8:
        longer = "longer" if share > 0.5 else "shorter"
        yield f"the chosen answer is the {longer} one in {max(share, 1 - share):.0%} of the training rows"
    margins = [row.margin for row in compared if row.margin is not None]
    if len(margins) > 1 and statistics.pstdev(margins) < 1e-9:
        yield f"every margin is {margins[0]:g}, so it says nothing about single rows"
    scores = [row.score for row in train if isinstance(row, JudgedRow | ScoredRow) and row.score is not None]
    if len(scores) > 1 and (spread := statistics.pstdev(scores)) < HARDLY:
        yield f"the scores hardly vary (standard deviation {spread:.2f})"
    labels = Counter(row.label for row in train if isinstance(row, JudgedRow))
    few, many = sorted((labels[True], labels[False]))
    if few and many > _LOPSIDED * few:
        weight = "desirable_weight" if labels[True] == few else "undesirable_weight"
        yield f"{labels[True]} answers are wanted, {labels[False]} are not: set {weight} to {many / few:.1f}"


def _one_sided_batches(train: Sequence[Row], batch_size: int) -> Iterator[str]:
    judged = [row for row in train if isinstance(row, JudgedRow)]
    if lacking := one_sided_batches(mixed_order(judged, batch_size, 0), batch_size):
        batches = -(-len(judged) // batch_size)
        yield f"{lacking} of {batches} batches of {batch_size} hold answers of one label only"


def _longer_share(rows: Sequence[PreferenceRow]) -> float | None:
    """Share of rows whose chosen answer has more characters; None when all are as long."""
    differences = [len(answer_text(row.chosen)) - len(answer_text(row.rejected)) for row in rows]
    decided = [difference for difference in differences if difference]
    return sum(difference > 0 for difference in decided) / len(decided) if decided else None


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
