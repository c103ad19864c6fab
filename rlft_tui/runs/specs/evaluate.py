"""Settings of a run that measures a model on a suite of tasks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rlft_tui.runs.specs.base import MOST_ROWS, ModelSource, RunSpec
from rlft_tui.runs.specs.rewards import RewardPart


class EvaluateSpec(RunSpec):
    """A suite (evaluations/suites/), frozen in the run folder, and the model it is about."""

    method: Literal["evaluate"] = "evaluate"
    model: ModelSource
    """What is measured."""
    suite: str = Field(min_length=1)
    """Name of the suite: rlft eval suites lists them."""
    reference: ModelSource | None = None
    """Model under which fluency is measured; the server fills in the base of an adapter, else the default."""
    rewards: tuple[RewardPart, ...] = ()
    """What the suite's tasks score answers by; filled in by the server."""
    items: int = Field(default=0, ge=0, le=MOST_ROWS)
    """Only the first so many items of each task; 0 for all."""
    batch_size: int = Field(default=8, ge=1, le=MOST_ROWS)
    """Items in one forward pass; no figure depends on it."""
    shards: int = Field(default=0, ge=0, le=64)
    """Processes that share the items, each on a GPU of its own; 0 takes one a GPU."""
    model_key: str = ""
    """Hash of the weights' place, size and time; filled in by the server."""
