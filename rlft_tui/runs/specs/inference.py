"""What the server asks the inference worker, one JSON line a request."""

from __future__ import annotations

from pydantic import Field

from rlft_tui.runs.specs.base import ModelSource, Sampling, Spec


class AnswerSampling(Sampling):
    """How one side is drawn."""

    top_k: int = Field(default=0, ge=0, le=1_000_000)
    """Only this many of the likeliest tokens; 0 for all."""
    repetition_penalty: float = Field(default=1.0, gt=0.0, le=10.0)
    """Divides the logits of tokens that came before (Keskar et al. 2019); 1 for none."""


class InferenceSide(Spec):
    """One answer: who writes it, to what, and how."""

    model: ModelSource
    messages: tuple[dict[str, str], ...] = Field(min_length=1)
    """The conversation with roles and contents, ending with the user's turn."""
    sampling: AnswerSampling
    seed: int = 0


class InferenceRequest(Spec):
    """Sides that stream at the same time."""

    id: str
    sides: tuple[InferenceSide, ...] = Field(min_length=1)
    stop: tuple[str, ...] = ()
    """An answer ends before the first of these texts."""
    probabilities: bool = False
    """Whether each token comes with its probability and its likeliest rivals."""


class WarmUp(Spec):
    """Models to be in memory before anybody asks them."""

    id: str
    load: tuple[ModelSource, ...] = Field(min_length=1)
