"""Settings of a run that completes prompts, many times each."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from rlft_tui.runs.specs.base import MOST_ROWS, ModelSource, RunSpec, Sampling
from rlft_tui.runs.specs.rewards import AnyRewards

FileFormat = Literal["csv", "jsonl", "parquet"]
MOST_COMPLETIONS = 10_000_000
"""Of a prompt, or candidates of a completion."""


class CompletionsSpec(RunSpec):
    """Completions of prompts by one model, with rewards and the best of several where asked."""

    method: Literal["completions"] = "completions"
    model: ModelSource
    """Who writes."""
    sampling: Sampling = Sampling()
    n: int = Field(default=1, ge=1, le=MOST_COMPLETIONS)
    """Completions of each prompt."""
    best_of: int = Field(default=1, ge=1, le=MOST_COMPLETIONS)
    """Candidates drawn for each completion; the one with the highest reward is it."""
    keep_all: bool = False
    """Write the candidates that were not the best, too."""
    rewards: AnyRewards = ()
    """What rewards a completion: a built-in (rlft rewards list), a Python file of the workspace
    (rewards/mine.py), or a trained reward model (model:NAME). Several are added, each with its weight."""
    prompts: str = "prompts.jsonl"
    """File in the run folder, one GenerationPrompt a line."""
    output: str = ""
    """Full path of the file that is written when all is done; empty for none beside the run folder's."""
    format: FileFormat = "jsonl"
    """Of that file."""
    batch_size: int = Field(default=0, ge=0, le=MOST_ROWS)
    """Completions written at the same time; 0 goes by the memory that is free, 64 at most on a CPU."""

    @model_validator(mode="after")
    def _fit_together(self) -> CompletionsSpec:
        if self.best_of > 1 and not self.rewards:
            raise ValueError("best_of: the best is told by a reward. Name one, such as length or model:NAME")
        if self.sampling.temperature == 0 and self.n * self.best_of > 1:
            raise ValueError(
                "sampling.temperature: at 0 all completions of a prompt are the same. Set it higher, or n "
                "and best_of to 1"
            )
        return self

    @property
    def candidates(self) -> int:
        """Texts drawn for each prompt."""
        return self.n * self.best_of
