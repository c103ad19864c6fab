"""The difference of runs' training data, in words."""

from __future__ import annotations

from collections.abc import Sequence

from rlft_tui.runs.compare_runs import DataDifference, RunComparison
from rlft_tui.runs.run_status import RunSummary
from rlft_tui.tui.run_list import data_name


def data_text(comparison: RunComparison, runs: Sequence[RunSummary]) -> str:
    """Markdown: for each run what it shares with the first, and examples of what was judged differently."""
    named = {run.id: data_name(run) or "no data set" for run in runs}
    first = comparison.runs[0]
    if not comparison.data:
        return "These runs have no training data of their own to compare."
    parts = []
    for one in comparison.data:
        parts.append(f"## {named[one.run_id]} beside {named[first]}\n\n{_counts(one)}")
        parts += [
            f"- **{_line(example.prompt)}**\n  - {first}: {_line(example.first)}\n"
            f"  - {one.run_id}: {_line(example.second)}"
            for example in one.examples
        ]
    return "\n\n".join(parts)


def _counts(one: DataDifference) -> str:
    if one.shared == one.rows and not one.only_first:
        return f"The same {one.rows:,} examples, judged alike."
    return (
        f"{one.shared:,} examples are in both and judged alike, **{one.apart:,} judged differently**; "
        f"{one.only_first:,} only in the first, {one.only_second:,} only here."
    )


def _line(text: str) -> str:
    return " ".join(text.split())[:160]
