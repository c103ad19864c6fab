"""Settings of a run that writes pairs of answers."""

from __future__ import annotations

import zlib
from typing import Any, Literal

from pydantic import Field, model_validator

from rlft_tui.runs.specs.base import MOST_ROWS, MOST_SEED, ModelSource, RunSpec, Sampling, Spec


class GenerationPrompt(Spec):
    """One prompt in the queue of a generate run."""

    id: str
    prompt: str
    context: tuple[dict[str, str], ...] = ()
    category: str = ""


class GenerateSpec(RunSpec):
    """Two answers to each prompt, from two models or two sampling settings."""

    method: Literal["generate"] = "generate"
    model_a: ModelSource
    """Who writes answer A."""
    model_b: ModelSource
    """Who writes answer B."""
    sampling_a: Sampling = Sampling()
    sampling_b: Sampling = Sampling()
    prompts: str = "prompts.jsonl"
    """File in the run folder, one GenerationPrompt a line."""
    batch_size: int = Field(default=8, ge=1, le=MOST_ROWS)
    """Prompts answered together."""
    seed: int = Field(default=-1, ge=-1, le=MOST_SEED)
    """Each answer's own seed is derived from this, the prompt and the side; -1 makes one from the run's id,
    so that the next run answers anew, and writes it to run.toml."""

    @model_validator(mode="before")
    @classmethod
    def _with_a_seed(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("seed", -1) == -1 and isinstance(values.get("id"), str):
            return {**values, "seed": zlib.crc32(values["id"].encode())}
        return values
