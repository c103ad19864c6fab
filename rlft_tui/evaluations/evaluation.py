"""What an evaluation found: one metric of one model on one task, and the items behind it."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import field

from rlft_tui.record import Record

Better = Literal["higher", "lower", ""]
"""Which way a metric gets better; empty where neither is."""


class Evaluation(Record, frozen=True):
    """One row of ``evaluations``."""

    model: str
    """Name in the registry."""
    suite: str
    task: str
    """Name of the task in its suite; ``TASK vs MODEL`` when two models met in it."""
    metric: str
    """Such as accuracy, perplexity, pass@1."""
    value: float | None
    """None when nothing could be judged; in ``unit``, shares between 0 and 1."""
    n: int
    """Items the value is made of."""
    low: float | None = None
    """95 % interval, in the value's unit."""
    high: float | None = None
    stderr: float | None = None
    better: Better = "higher"
    unit: str = ""
    settings: str = ""
    """Hash of everything about the task but the model: only values of the same hash compare."""
    model_key: str = ""
    """Hash of the weights' place, size and time: another training under the same name is another model."""
    run_id: str = ""
    created_at: float = 0.0
    """Unix seconds."""
    errors: int = 0
    """Items that could not be judged; they are in no value."""


class Item(Record, frozen=True):
    """One line of ``items.jsonl``: what a model said to one item, and how that was judged."""

    suite: str
    task: str
    item: str
    """Id, the same for every model."""
    prompt: str = ""
    output: str = ""
    expected: str = ""
    scores: dict[str, float | None] = field(default_factory=dict)
    """By metric; 0 or 1 where the metric is a share. None could not be judged."""
    parts: dict[str, Any] = field(default_factory=dict)
    """Why: the extracted value, a judge's reason, counts that a value is made of."""
    error: str = ""
    """Why it could not be judged."""
    settings: str = ""


class ItemPage(Record, frozen=True):
    """A window of a run's items, and how many there are in all."""

    total: int
    items: tuple[Item, ...] = ()


class ItemPair(Record, frozen=True):
    """What two models said to the same item."""

    item: str
    model: Item
    baseline: Item


class PairPage(Record, frozen=True):
    """A window of the items that two models share, and how many there are in all."""

    total: int
    pairs: tuple[ItemPair, ...] = ()


class MetricChange(Record, frozen=True):
    """A model's value of one metric against a baseline's, tested on the items that both answered."""

    model: str
    baseline: str
    suite: str
    task: str
    metric: str
    value: float | None
    baseline_value: float | None
    difference: float | None
    """value - baseline_value over the shared items."""
    low: float | None
    """95 % interval of the difference, from a paired bootstrap."""
    high: float | None
    n: int
    """Items that both answered."""
    p: float | None
    """Two-sided; None without shared items."""
    p_holm: float | None
    """The same after Holm's correction over all metrics that were tested together."""
    test: str
    """What was tested: McNemar's exact test, or a paired permutation test."""
    better: Better = "higher"
    unit: str = ""
    significant: bool = False
    """p_holm below 0.05."""
    run_id: str = ""
    baseline_run_id: str = ""

    @property
    def improved(self) -> bool | None:
        """Whether the change is for the better; None for no change or no direction."""
        if not self.better or not self.difference:
            return None
        return (self.difference > 0) == (self.better == "higher")
