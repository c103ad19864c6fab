"""Settings of a run in which a model judges answers."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from rlft_tui.runs.specs.base import MOST_ROWS, ModelSource, RunSpec, Spec

JudgeMode = Literal["pair", "rating"]


class JudgeProvider(Spec):
    """A model behind an address, as ``[providers.NAME]`` of rlft.toml names it."""

    name: str
    """NAME or NAME:MODEL, as it was asked for."""
    kind: Literal["openai", "anthropic"]
    """The protocol it speaks."""
    url: str
    model: str
    key_env: str = ""
    """Environment variable that holds the key; the key itself is never written down."""
    timeout_seconds: float = Field(default=120.0, gt=0.0)
    """How long one answer may take."""


class JudgeRubric(Spec):
    """The rubric as it stood at the launch."""

    name: str
    version: str
    """Hash over all that a judge reads of it."""
    criteria: str
    system: str
    template: str


class JudgePrices(Spec):
    """What tokens cost, in any one currency for a million of them."""

    prompt: float = Field(default=0.0, ge=0.0)
    answer: float = Field(default=0.0, ge=0.0)


class JudgeSpec(RunSpec):
    """A model says which of two answers is better, or rates single answers from 1 to 5."""

    method: Literal["judge"] = "judge"
    name: str = Field(pattern=r"^[^\x00-\x1f\x7f]{1,80}$")
    """The judge's verdicts are those of labeller ``judge:NAME``."""
    mode: JudgeMode = "pair"
    provider: JudgeProvider | None = None
    """Who judges; else ``model`` does."""
    model: ModelSource | None = None
    """A model on this machine: its next token is restricted to the verdicts."""
    rubric: JudgeRubric
    items: str = "items_to_judge.jsonl"
    """File in the run folder, one JudgeItem a line."""
    both_orders: bool = True
    """Whether each pair is shown in both orders."""
    combine: Literal["agree", "average"] = "agree"
    """agree: a side wins only where it wins in both orders, else it is a tie; average: the verdict with the
    highest mean probability over the orders (a local model's alone are known)."""
    keep: bool = True
    """Whether the verdicts become labels of ``judge:NAME``."""
    concurrency: int = Field(default=4, ge=1, le=64)
    """Calls under way at once."""
    requests_per_minute: float = Field(default=0.0, ge=0.0)
    """Calls begun in a minute at most; 0 for as fast as it goes."""
    max_answer_tokens: int = Field(default=512, ge=8, le=8192)
    """Tokens that the judge may write for one verdict."""
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    """0 for the likeliest words."""
    prices: JudgePrices = JudgePrices()
    max_cost: float = Field(default=0.0, ge=0.0)
    """The run stops once it has cost as much; 0 for no limit."""
    batch_size: int = Field(default=8, ge=1, le=MOST_ROWS)
    """Questions that a model on this machine reads together."""

    @model_validator(mode="before")
    @classmethod
    def _one_judge(cls, values: Any) -> Any:
        if isinstance(values, dict) and bool(values.get("provider")) == bool(values.get("model")):
            raise ValueError("a judge is a provider or a model on this machine: one of the two")
        return values

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.combine == "average" and self.provider is not None:
            raise ValueError("combine average needs probabilities, which only a model on this machine has")
        if self.max_cost and not (self.prices.prompt or self.prices.answer):
            raise ValueError("max_cost needs prices: [prices] in rlft.toml")
        return self

    def models(self) -> tuple[ModelSource, ...]:
        return (self.model,) if self.model is not None else ()

    def needs_training_stack(self) -> bool:
        return self.provider is None

    @property
    def labeler(self) -> str:
        """Whose labels the verdicts are."""
        return f"judge:{self.name}"
