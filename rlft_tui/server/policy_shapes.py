"""What the policy service takes and answers, in camelCase."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from rlft_tui.policies.training_config import TrainingConfig

MOST_TEXT = 1_000_000
"""Characters of a prompt or an answer."""


class _Shape(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class GivenFeedback(_Shape):
    """A score for one answer."""

    prompt: str = Field(min_length=1, max_length=MOST_TEXT)
    """What was asked."""
    response: str = Field(min_length=1, max_length=MOST_TEXT)
    """The answer that is scored."""
    score: float = Field(ge=0.0, le=1.0)
    """0.9 to 1 excellent, 0.7 good, 0.5 mediocre, 0.3 poor, below that very poor."""
    run_id: str = Field(default="", max_length=200)
    """Where the answer came from, in words of the caller."""
    notes: str = Field(default="", max_length=MOST_TEXT)


class StoredFeedback(_Shape):
    """The score is on disk."""

    status: Literal["stored"] = "stored"
    feedback_id: str
    feedback_count: int
    """Scores of this policy, this one included."""
    score_mean: float
    score_std: float
    guide: str
    """What the scoring guide calls the score."""
    warning: str = ""
    """Said where the last scores hardly vary: equal scores teach nothing."""


class TrainRequest(TrainingConfig):
    """Settings of the training; any further setting of a PPO run is taken by its name."""

    base_model: str = ""
    """A model's name; empty for the workspace's default model."""
    dry_run: bool = False
    """Only say what would be trained."""
    wait: bool = True
    """Answer when the training is done; false answers at once with the run's id."""


class DryRunModel(BaseModel):
    """The settings that decide most."""

    base_model: str
    use_lora: bool
    learning_rate: float


class DryRunAnswer(_Shape):
    """What would be trained."""

    status: Literal["dry_run"] = "dry_run"
    feedback_count: int
    estimated_steps: int
    """Updates of the policy."""
    estimated_time_minutes: float
    """Roughly, for both runs, without waiting in line."""
    score_mean: float
    score_std: float
    settings: DryRunModel = Field(alias="modelConfig")


class StartedAnswer(_Shape):
    """The runs are in line; ``GET /api/v1/runs/{runId}`` tells how they go."""

    status: Literal["started"] = "started"
    run_id: str
    """Of the policy's run, which ends last."""
    reward_run_id: str
    feedback_count: int


class TrainedAnswer(_Shape):
    """There is a new version."""

    status: Literal["trained"] = "trained"
    policy_id: str
    """Its name in the registry of models."""
    version: str
    """v and the number of scores that it was trained on."""
    model_path: str
    """A folder that plain transformers loads."""
    reward_model_path: str
    feedback_count: int
    training_steps: int
    reward_mean: float | None
    """On held-out prompts; on those of the last update where none were held out."""
    reward_std: float | None


class PolicyVersion(_Shape):
    """One version of a policy."""

    version: str
    policy_id: str
    status: str
    base_model: str
    model_path: str
    reward_model_path: str
    run_id: str
    feedback_count: int
    training_steps: int
    created_at: float
    """Unix seconds."""
    metrics: dict[str, Any]
    """rewardMean and rewardStd first, then the last value of every metric by its own name."""


class Refusal(BaseModel):
    """Why not."""

    detail: str
