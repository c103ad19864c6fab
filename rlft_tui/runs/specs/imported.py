"""A run that another program made: it can be looked at and compared, not started."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from rlft_tui.runs.specs.base import RunSpec


class ImportedSpec(RunSpec):
    """What is known of it."""

    method: Literal["imported"] = "imported"
    name: str = ""
    """What the other program called it."""
    source: str = ""
    """The kind of log it was read from: tensorboard, wandb, trainer_state or csv."""
    log: str = ""
    """Where that log lies: what is imported from there again brings this run up to date."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Its configuration, as far as the log has it."""
