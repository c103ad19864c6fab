"""The generations of one run, leafed through by step and prompt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rlft_tui.runs.run_status import Sample


@dataclass(slots=True)
class SampleBook:
    """Samples by step; follows the newest step until one turns back."""

    by_step: dict[int, dict[int, Sample]] = field(default_factory=dict)
    step: int = -1
    index: int = -1
    following: bool = True

    def add(self, samples: Iterable[Sample]) -> bool:
        """Take samples in; True when there was something new or changed."""
        changed = False
        for sample in samples:
            page = self.by_step.setdefault(sample.step, {})
            if page.get(sample.index) != sample:
                page[sample.index] = sample
                changed = True
        if changed:
            self._settle()
        return changed

    @property
    def steps(self) -> list[int]:
        return sorted(self.by_step)

    @property
    def last_step(self) -> int:
        return max(self.by_step, default=-1)

    @property
    def indexes(self) -> list[int]:
        return sorted(self.by_step.get(self.step, {}))

    @property
    def current(self) -> Sample | None:
        return self.by_step.get(self.step, {}).get(self.index)

    @property
    def place(self) -> str:
        """Where one stands: step among steps, prompt among prompts."""
        if self.current is None:
            return ""
        return (
            f"step {self.step} ({self.steps.index(self.step) + 1} of {len(self.steps)})"
            f" · prompt {self.indexes.index(self.index) + 1} of {len(self.indexes)}"
        )

    def turn_step(self, by: int) -> bool:
        """Go to an earlier or later step, at the same prompt when it has one."""
        steps = self.steps
        if not steps:
            return False
        at = min(max(steps.index(self.step) + by, 0), len(steps) - 1)
        changed = steps[at] != self.step
        self.step = steps[at]
        self.following = at == len(steps) - 1
        self._settle_index()
        return changed

    def go_to(self, step: int) -> bool:
        """The last step with samples that is not after ``step``; True when that changes the page."""
        steps = self.steps
        if not steps:
            return False
        before = self.step
        self.step = max((each for each in steps if each <= step), default=steps[0])
        self.following = self.step == steps[-1]
        self._settle_index()
        return self.step != before

    def turn_prompt(self, by: int) -> bool:
        indexes = self.indexes
        if not indexes:
            return False
        at = min(max(indexes.index(self.index) + by, 0), len(indexes) - 1)
        changed = indexes[at] != self.index
        self.index = indexes[at]
        return changed

    def mean_kl(self) -> float | None:
        """Over the samples of the shown step, nats a sequence."""
        values = [s.kl for s in self.by_step.get(self.step, {}).values() if s.kl is not None]
        return sum(values) / len(values) if values else None

    def _settle(self) -> None:
        if self.following or self.step not in self.by_step:
            self.step = self.last_step
        self._settle_index()

    def _settle_index(self) -> None:
        indexes = self.indexes
        if self.index not in indexes and indexes:
            self.index = indexes[0]
