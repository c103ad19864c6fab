"""Which runs a list shows and in what order: filter, sort, groups, marks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import isnan

from rlft_tui.record import Record
from rlft_tui.runs.run_event import number
from rlft_tui.runs.run_status import RunSummary, in_order

SORTS: tuple[str, ...] = ("newest", "metric", "status", "model", "data set", "duration")
GROUPINGS: tuple[str, ...] = ("", "method", "data set", "model", "tag", "status")
_CONDITION = re.compile(r"(?P<key>[^<>=\s:]+)(?P<test><=|>=|<|>|=|:)(?P<value>\S*)")
_LOWER = re.compile(r"loss|kl|perplexity|clip|divergence|grad_norm|zero_std", re.IGNORECASE)


def lower_is_better(metric: str) -> bool:
    """Whether a metric's best value is its lowest."""
    return _LOWER.search(metric) is not None


def data_name(run: RunSummary) -> str:
    """The data set by name, by hash where the workspace no longer has it."""
    return run.dataset_name or run.dataset


class Group(Record, frozen=True):
    """Runs that have something in common; ``name`` is empty where nothing is grouped."""

    name: str
    runs: tuple[RunSummary, ...]


@dataclass(slots=True)
class RunList:
    """What the user asked to see of the workspace's runs."""

    runs: tuple[RunSummary, ...] = ()
    filter: str = ""
    sort: str = "newest"
    backwards: bool = False
    grouping: str = ""
    archived: bool = False
    """Show those that were put away, too."""
    metric: str = "loss"
    marked: list[str] = field(default_factory=list)

    def take(self, runs: Iterable[RunSummary]) -> None:
        self.runs = tuple(runs)
        there = {run.id for run in self.runs}
        self.marked = [run_id for run_id in self.marked if run_id in there]

    @property
    def shown(self) -> list[RunSummary]:
        """Filtered and sorted, groups one after the other."""
        return [run for group in self.groups for run in group.runs]

    @property
    def groups(self) -> list[Group]:
        found = [run for run in self.runs if (self.archived or not run.archived) and self._matches(run)]
        found = self._sorted(found)
        if not self.grouping:
            return [Group("", tuple(found))]
        named: dict[str, list[RunSummary]] = {}
        for run in found:
            for name in self._names(run):
                named.setdefault(name, []).append(run)
        return [Group(name, tuple(runs)) for name, runs in named.items()]

    @property
    def hidden(self) -> int:
        """Runs left out because they were put away."""
        return 0 if self.archived else sum(run.archived for run in self.runs)

    @property
    def metrics(self) -> list[str]:
        """What the runs have logged, by how many of them."""
        counts: dict[str, int] = {}
        for run in self.runs:
            for key in run.metrics:
                counts[key] = counts.get(key, 0) + 1
        return sorted(counts, key=lambda key: (-counts[key], key))

    def mark(self, run_id: str) -> None:
        """Mark a run for comparing, or take the mark away."""
        if run_id in self.marked:
            self.marked.remove(run_id)
        else:
            self.marked.append(run_id)

    def turn_sort(self) -> None:
        self.sort = SORTS[(SORTS.index(self.sort) + 1) % len(SORTS)]

    def turn_grouping(self) -> None:
        self.grouping = GROUPINGS[(GROUPINGS.index(self.grouping) + 1) % len(GROUPINGS)]

    def _sorted(self, runs: list[RunSummary]) -> list[RunSummary]:
        if self.sort == "metric":
            best_first = not lower_is_better(self.metric)
            known = [(number(run.metrics.get(self.metric)), run) for run in runs]
            # NaN sorts nowhere: it goes last, with the runs that have not logged the metric.
            real = [(value, run) for value, run in known if value is not None and not isnan(value)]
            real.sort(key=lambda entry: entry[0], reverse=best_first != self.backwards)
            ranked = [run for _, run in real]
            return [*ranked, *(run for run in runs if run not in ranked)]
        if self.sort == "newest":
            runs = in_order(runs)
            return runs[::-1] if self.backwards else runs
        orders: dict[str, Callable[[RunSummary], object]] = {
            "status": lambda run: run.status,
            "model": lambda run: run.model,
            "data set": data_name,
            "duration": lambda run: -((run.ended or run.created) - (run.started or run.created)),
        }
        return sorted(runs, key=orders[self.sort], reverse=self.backwards)  # type: ignore[arg-type]

    def _names(self, run: RunSummary) -> list[str]:
        names: dict[str, list[str]] = {
            "method": [run.method],
            "data set": [data_name(run) or "no data set"],
            "model": [run.model],
            "tag": list(run.tags) or ["no tag"],
            "status": [run.status],
        }
        return names[self.grouping]

    def _matches(self, run: RunSummary) -> bool:
        return all(_holds(run, word) for word in self.filter.split())


def _holds(run: RunSummary, word: str) -> bool:
    """One word of a filter: ``loss<0.5``, ``tag:good``, ``status:failed`` or a part of what a run says."""
    match = _CONDITION.fullmatch(word)
    if match is not None:
        key, test, wanted = match["key"], match["test"], match["value"]
        if test in ("<", ">", "<=", ">="):
            value, limit = number(run.metrics.get(key)), _as_number(wanted)
            if limit is None:
                return True  # still being typed
            if value is None:
                return False
            below = value < limit if "<" in test else value > limit
            return below or (value == limit and test.endswith("="))
        fields = {
            "tag": " ".join(run.tags),
            "status": run.status,
            "method": run.method,
            "model": run.model,
            "data": f"{run.dataset_name} {run.dataset}",
            "note": run.note,
        }
        if key in fields:
            return wanted.lower() in fields[key].lower()
    return word.lower() in searched(run)


def searched(run: RunSummary) -> str:
    """What a plain word of a filter looks at."""
    parts = (run.id, run.method, run.status, run.model, run.dataset, run.dataset_name, run.output_model)
    return " ".join((*parts, *run.tags, run.note)).lower()


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
