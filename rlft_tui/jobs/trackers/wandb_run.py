"""Weights & Biases, in ``wandb/``.

Online where the user has logged in (WANDB_API_KEY, or wandb login), offline otherwise: then
``wandb sync`` sends it later. WANDB_MODE, WANDB_PROJECT and the like count as always.
"""

from __future__ import annotations

import netrc
import os
from collections.abc import Mapping
from pathlib import Path

# W&B reports errors of its own to its maker unless told not to.
os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
os.environ.setdefault("WANDB_SILENT", "true")
# Neither the user's code nor the output is anybody's but theirs.
os.environ.setdefault("WANDB_DISABLE_CODE", "true")
os.environ.setdefault("WANDB_DISABLE_GIT", "true")
os.environ.setdefault("WANDB_CONSOLE", "off")

import wandb

from rlft_tui.runs.specs.training import TrainingSpec

HOST = "api.wandb.ai"
STEP = "train/global_step"
"""As transformers names it, so that runs of both stand on one axis."""


class WandbRun:
    """One W&B run with the run's own id; a resumed one goes on in it."""

    def __init__(self, spec: TrainingSpec, folder: Path) -> None:
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "rlft"),
            id=spec.id,
            name=spec.id,
            dir=str(folder),
            config=spec.model_dump(mode="json"),
            mode="online" if _wants_online() else "offline",
            resume="allow",
        )
        # By their own step: W&B's counter may not go back, as a resumed run does.
        self._run.define_metric("*", step_metric=STEP)

    def row(
        self,
        step: int,
        values: Mapping[str, float],
        *,
        units: Mapping[str, str],
        epoch: float | None,
        tokens: int,
    ) -> None:
        self._run.log({**values, STEP: step, "tokens": tokens})

    def close(self) -> None:
        self._run.finish()


def _wants_online() -> bool:
    if mode := os.environ.get("WANDB_MODE"):
        return mode == "online"
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc().authenticators(HOST) is not None
    except (OSError, netrc.NetrcParseError):
        return False
