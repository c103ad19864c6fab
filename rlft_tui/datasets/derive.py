"""What each training method reads, made from data sets of other kinds where that loses nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rlft_tui.datasets.dataset import DatasetKind
from rlft_tui.datasets.rows import CompletionRow, JudgedRow, PreferenceRow, PromptRow, Row, ScoredRow
from rlft_tui.datasets.score_scale import score_label
from rlft_tui.errors import RlftError

METHOD_KINDS: dict[str, tuple[DatasetKind, ...]] = {
    "sft": ("sft", "preference", "unpaired", "scored"),
    "reward": ("preference", "scored"),
    "dpo": ("preference",),
    "kto": ("unpaired", "preference", "scored"),
    "grpo": ("prompts", "preference", "sft", "unpaired", "scored"),
    "rloo": ("prompts", "preference", "sft", "unpaired", "scored"),
    "ppo": ("prompts", "preference", "sft", "unpaired", "scored"),
}
"""The kinds a method can be trained on, its own first."""
METHOD_OF: dict[DatasetKind, str] = {
    "preference": "dpo",
    "sft": "sft",
    "unpaired": "kto",
    "scored": "reward",
    "prompts": "grpo",
}
"""The method that data of a kind is proved for when none is named."""


def kinds_for(method: str) -> tuple[DatasetKind, ...]:
    """The kinds of data a method can be trained on; RlftError for an unknown method."""
    try:
        return METHOD_KINDS[method]
    except KeyError:
        raise RlftError(f"no method called {method!r}", remedy=f"Known: {', '.join(METHOD_KINDS)}") from None


def wrong_kind(method: str, kind: DatasetKind, where: str) -> RlftError:
    """The error for data that a method cannot be trained on."""
    kinds = kinds_for(method)
    return RlftError(
        f"{method} cannot be trained on {kind} data",
        where=where,
        remedy=f"Build one of kind {' or '.join(kinds)}: rlft data build --kind {kinds[0]}",
    )


def rows_for(method: str, kind: DatasetKind, rows: Iterable[Row], *, where: str = "data set") -> list[Row]:
    """The rows a method is trained on; RlftError when it cannot use that kind."""
    if kind not in kinds_for(method):
        raise wrong_kind(method, kind, where)
    if METHOD_KINDS[method][0] == kind or method == "reward":
        # A reward model learns comparisons and scores each in its own way.
        return list(rows)
    return list({"sft": completions, "kto": judgements}.get(method, prompts)(rows))


def completions(rows: Iterable[Row]) -> Iterator[Row]:
    """The chosen answer of each comparison, the wanted ones among judged answers; each once."""
    seen = set()
    for row in rows:
        if isinstance(row, PreferenceRow):
            answer = row.chosen
        elif (isinstance(row, JudgedRow) and row.label) or (
            isinstance(row, ScoredRow) and score_label(row.score)
        ):
            answer = row.completion
        else:
            continue
        if (key := repr((row.prompt, answer))) not in seen:
            seen.add(key)
            yield CompletionRow(row.prompt, answer, row.example_id, row.category)


def judgements(rows: Iterable[Row]) -> Iterator[Row]:
    """Each comparison as a wanted and an unwanted answer, as TRL's unpair_preference_dataset makes them.

    TRL puts all wanted ones first; here they alternate, so that every batch holds both. A scored
    answer is wanted or unwanted by the scoring guide; a mediocre one is left out.
    """
    for row in rows:
        if isinstance(row, ScoredRow) and (label := score_label(row.score)) is not None:
            yield JudgedRow(row.prompt, row.completion, label, row.example_id, row.category, row.score)
        if isinstance(row, PreferenceRow):
            yield JudgedRow(row.prompt, row.chosen, True, row.example_id, row.category)
            yield JudgedRow(row.prompt, row.rejected, False, row.example_id, row.category)


def prompts(rows: Iterable[Row]) -> Iterator[Row]:
    """The prompts of rows of any kind, each once, in the order they come."""
    seen = set()
    for row in rows:
        if (key := repr(row.prompt)) not in seen:
            seen.add(key)
            yield PromptRow(row.prompt, row.example_id, row.category)
