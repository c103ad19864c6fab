"""The generations of one run, leafed through by step and prompt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from rlft_tui.runs.run_status import BEST, Sample, SampleHead

Order = Literal["prompt", "reward", "KL"]
ORDERS: tuple[Order, ...] = ("prompt", "reward", "KL")
_STEPS_KEPT = 64
"""Steps whose texts are kept in memory."""


@dataclass(slots=True)
class SampleBook:
    """Samples by step; follows the newest step until one turns back.

    ``by_step`` holds what is known of every sample, the texts come step by step when they are
    looked at.
    """

    by_step: dict[int, dict[int, SampleHead]] = field(default_factory=dict)
    texts: dict[int, dict[int, Sample]] = field(default_factory=dict)
    step: int = -1
    index: int = -1
    following: bool = True
    order: Order = "prompt"

    def add(self, samples: Iterable[SampleHead]) -> bool:
        """Take samples in; True when there was something new or changed."""
        changed = False
        for sample in samples:
            page = self.by_step.setdefault(sample.step, {})
            if page.get(sample.index) != sample:
                page[sample.index] = sample
                self.texts.pop(sample.step, None)
                changed = True
        if changed:
            self._settle()
        return changed

    def add_texts(self, step: int, samples: Iterable[Sample]) -> None:
        """Take the texts of one step; those looked at longest ago are forgotten."""
        self.texts[step] = {sample.index: sample for sample in samples}
        while len(self.texts) > _STEPS_KEPT:
            del self.texts[next(iter(self.texts))]

    @property
    def steps(self) -> list[int]:
        return sorted(self.by_step)

    @property
    def last_step(self) -> int:
        return max(self.by_step, default=-1)

    @property
    def heads(self) -> list[SampleHead]:
        """The samples of this step in the order chosen; highest reward or KL first."""
        page = list(self.by_step.get(self.step, {}).values())
        if self.order == "reward":
            return sorted(page, key=lambda head: (head.reward is None, -(head.reward or 0.0), head.index))
        if self.order == "KL":
            return sorted(page, key=lambda head: (head.kl is None, -(head.kl or 0.0), head.index))
        return sorted(page, key=lambda head: head.index)

    @property
    def indexes(self) -> list[int]:
        return [head.index for head in self.heads]

    @property
    def current(self) -> SampleHead | None:
        return self.by_step.get(self.step, {}).get(self.index)

    @property
    def text(self) -> Sample | None:
        """The current sample with its texts, once they are there."""
        return self.text_at(self.step)

    def text_at(self, step: int) -> Sample | None:
        """What was answered to the current prompt at another step, once that is there."""
        return self.texts.get(step, {}).get(self.index)

    @property
    def place(self) -> str:
        """Where one stands: step among steps, prompt among prompts."""
        if self.current is None:
            return ""
        by = f" by {self.order}" if self.order != "prompt" else ""
        return (
            f"step {self.step} ({self.steps.index(self.step) + 1} of {len(self.steps)})"
            f" · prompt {self.indexes.index(self.index) + 1} of {len(self.indexes)}{by}"
        )

    def step_before(self) -> int | None:
        """The last step before this one with an answer to the same prompt."""
        return max((step for step in self._answered() if step < self.step), default=None)

    def first_step(self) -> int | None:
        """The first step with an answer to the same prompt, if it is not this one."""
        first = min(self._answered(), default=self.step)
        return first if first < self.step else None

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

    def go_to(self, step: int, index: int | None = None) -> bool:
        """The last step with samples that is not after ``step``; True when that changes the page."""
        steps = self.steps
        if not steps:
            return False
        before = self.step, self.index
        self.step = max((each for each in steps if each <= step), default=steps[0])
        self.following = self.step == steps[-1]
        if index in self.by_step[self.step]:
            self.index = index
        self._settle_index()
        return (self.step, self.index) != before

    def turn_prompt(self, by: int) -> bool:
        indexes = self.indexes
        if not indexes:
            return False
        at = min(max(indexes.index(self.index) + by, 0), len(indexes) - 1)
        return self.choose(indexes[at])

    def choose(self, index: int) -> bool:
        """Go to another prompt of this step; True when that changes something."""
        changed = index != self.index and index in self.by_step.get(self.step, {})
        if changed:
            self.index = index
        return changed

    def extreme(self, *, best: bool) -> SampleHead | None:
        """The step's sample with the highest or lowest reward; by KL, lowest as best, without rewards."""
        page = list(self.by_step.get(self.step, {}).values())
        rewarded = [(head.reward, head) for head in page if head.reward is not None]
        diverged = [(-head.kl, head) for head in page if head.kl is not None]
        if not (ranked := rewarded or diverged):
            return None
        pick = max if best else min
        return pick(ranked, key=lambda entry: entry[0])[1]

    def turn_order(self) -> None:
        self.order = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]

    def mean_kl(self) -> float | None:
        """Over the fixed prompts of the shown step, nats a sequence."""
        return _mean([head.kl for head in self._fixed()])

    def mean_reward(self) -> float | None:
        return _mean([head.reward for head in self._fixed()])

    def _fixed(self) -> list[SampleHead]:
        page = list(self.by_step.get(self.step, {}).values())
        # A step's best and worst answer say nothing of its mean.
        return [head for head in page if head.index < BEST] or page

    def _answered(self) -> list[int]:
        return [step for step, page in self.by_step.items() if self.index in page]

    def _settle(self) -> None:
        if self.following or self.step not in self.by_step:
            self.step = self.last_step
        self._settle_index()

    def _settle_index(self) -> None:
        indexes = self.indexes
        if self.index not in indexes and indexes:
            self.index = indexes[0]


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
