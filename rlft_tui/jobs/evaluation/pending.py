"""Which items of a suite are still to be measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rlft_tui.evaluations.evaluation import Item
from rlft_tui.evaluations.suites.freeze import ID, FrozenTask
from rlft_tui.evaluations.suites.tasks import HarnessTask, TextTask

LAST = "last"
"""Mark in the parts of an lm-eval task's last item: such a task is there whole or not at all."""


class Pending:
    """The tasks of a run and how far they are."""

    def __init__(self, tasks: Sequence[FrozenTask], items: Iterable[Item]) -> None:
        self.tasks = tuple(tasks)
        self._done: dict[str, set[str]] = {task.name: set() for task in tasks}
        self._whole: set[str] = set()
        self._settings = {task.name: task.settings for task in tasks}
        for item in items:
            if self._settings.get(item.task) == item.settings:
                self._done[item.task].add(item.item)
                if item.parts.get(LAST):
                    self._whole.add(item.task)
        self._rows = {task.name: task.items() for task in tasks}

    def rows(self, task: FrozenTask, shard: tuple[int, int] = (0, 1)) -> list[dict[str, Any]]:
        """The rows that no item is there of; of an lm-eval task one empty row, while it is to be run.

        ``shard``: (which, of how many). A row's place in the whole task decides whose it is, so that
        processes divide the rows alike whenever they look.
        """
        which, shards = shard
        if isinstance(task.spec, HarnessTask):
            mine = self.tasks.index(task) % shards == which
            return [{}] if mine and task.name not in self._whole else []
        own = self._rows[task.name][which::shards]
        return [row for row in own if not self._is_done(task, row)]

    @property
    def total(self) -> int:
        """All rows of all tasks."""
        return sum(max(1, len(self._rows[task.name])) for task in self.tasks)

    @property
    def left(self) -> int:
        return sum(len(self.rows(task)) for task in self.tasks)

    @property
    def done(self) -> int:
        return self.total - self.left

    def _is_done(self, task: FrozenTask, row: dict[str, Any]) -> bool:
        done = self._done[task.name]
        samples = task.spec.samples if isinstance(task.spec, TextTask) else 1
        if samples == 1:
            return str(row[ID]) in done
        return all(f"{row[ID]}#{n}" in done for n in range(samples))
