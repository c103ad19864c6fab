"""In what runs differ: their settings, and how their data sets were judged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlft_tui.record import Record

_NEVER_ALIKE = ("id",)
_EXAMPLES = 20


class Difference(Record, frozen=True):
    """One setting that is not the same in all runs."""

    setting: str
    """Its path, with dots: ``model.name``."""
    values: tuple[str, ...]
    """One a run; empty where a run has no such setting."""


class JudgedApart(Record, frozen=True):
    """An example that is in both data sets and judged differently."""

    prompt: str
    first: str
    second: str


class DataDifference(Record, frozen=True):
    """A run's training data beside that of the first run, row by row."""

    run_id: str
    rows: int
    shared: int
    """Examples that both have, judged alike."""
    apart: int
    """Examples that both have, judged differently."""
    only_first: int
    only_second: int
    examples: tuple[JudgedApart, ...] = ()
    """Some of those judged differently."""


class RunComparison(Record, frozen=True):
    """Two runs or more; everything is set beside the first."""

    runs: tuple[str, ...]
    settings: tuple[Difference, ...]
    data: tuple[DataDifference, ...]
    """One for each run after the first; none for runs without training data."""


def compare_runs(specs: Sequence[Mapping[str, Any]], datasets: Sequence[Path]) -> RunComparison:
    """``specs`` as plain values and the folders of the runs' own data sets, in one order."""
    ids = tuple(str(spec.get("id", "")) for spec in specs)
    first = _examples(datasets[0])
    data = [
        _data_difference(run_id, first, _examples(folder))
        for run_id, folder in zip(ids[1:], datasets[1:], strict=True)
        if first or (folder / "train.jsonl").exists()
    ]
    return RunComparison(ids, differing_settings(specs), tuple(data))


def differing_settings(specs: Sequence[Mapping[str, Any]]) -> tuple[Difference, ...]:
    """Every setting that is not the same in all specs, in the order of the first."""
    flat = [dict(_flattened(spec)) for spec in specs]
    names = dict.fromkeys(name for settings in flat for name in settings)
    found = []
    for name in names:
        values = tuple(settings.get(name, "") for settings in flat)
        if len(set(values)) > 1 and name not in _NEVER_ALIKE:
            found.append(Difference(name, values))
    return tuple(found)


class _Example(Record, frozen=True):
    prompt: str
    verdict: str


def _data_difference(
    run_id: str, first: dict[bytes, _Example], second: dict[bytes, _Example]
) -> DataDifference:
    both = first.keys() & second.keys()
    apart = [key for key in first if key in both and first[key].verdict != second[key].verdict]
    return DataDifference(
        run_id=run_id,
        rows=len(second),
        shared=len(both) - len(apart),
        apart=len(apart),
        only_first=len(first.keys() - both),
        only_second=len(second.keys() - both),
        examples=tuple(
            JudgedApart(first[key].prompt, first[key].verdict, second[key].verdict)
            for key in apart[:_EXAMPLES]
        ),
    )


def _examples(folder: Path) -> dict[bytes, _Example]:
    """What was judged and how, by the texts that were judged: the order of two answers does not count."""
    found: dict[bytes, _Example] = {}
    for row in _rows(folder / "train.jsonl"):
        prompt = _said(row.get("prompt") or row.get("messages"))
        if "chosen" in row:
            chosen, rejected = _said(row["chosen"]), _said(row.get("rejected"))
            key, verdict = sorted((chosen, rejected)), chosen
        else:
            key = [_said(row.get("completion"))]
            verdict = str(row.get("label", row.get("score", "")))
        digest = hashlib.blake2b("\x1f".join((prompt, *key)).encode("utf-8", "replace"), digest_size=16)
        found[digest.digest()] = _Example(prompt[:200], verdict[:200])
    return found


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            for line in stream:
                try:
                    row = json.loads(line)
                except ValueError:
                    continue  # a damaged line is the job's to refuse; the rest can be compared
                if isinstance(row, dict):
                    yield row
    except OSError:
        return


def _said(value: Any) -> str:
    """The text of a conversation or of a plain string."""
    if isinstance(value, list):
        return "\n".join(
            str(turn.get("content", "")) if isinstance(turn, dict) else str(turn) for turn in value
        )
    return "" if value is None else str(value)


def _flattened(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        whole = f"{path}.{name}" if path else name
        if isinstance(value, Mapping):
            yield from _flattened(value, whole)
        elif value is not None:
            yield whole, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
