"""What one training method adds to the way that all training runs go (jobs/training.py).

Nothing here imports torch: a method module imports it, with TRL, inside its functions, so that
bad data is refused before the slow imports.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

from rlft_tui.datasets.rows import Conversation
from rlft_tui.errors import RlftError
from rlft_tui.jobs.job import Job
from rlft_tui.runs.specs.training import TrainingSpec

S = TypeVar("S", bound=TrainingSpec)

Reference = Callable[[], AbstractContextManager[Any]]
"""Opens the model that the policy is compared with: itself without its adapter, or a frozen copy."""


@dataclass(slots=True)
class Setup(Generic[S]):
    """What a method builds its trainer from."""

    job: Job
    spec: S
    rows: list[Any]
    """Training rows (datasets/rows.py) of the kind the method reads."""
    heldout_rows: list[Any]
    tokenizer: Any
    model: Any
    """On its device; a PeftModel when an adapter is continued."""
    peft_config: Any
    """The new adapter that the trainer puts on the model; None for full and continued training."""
    device: str
    dtype: Any
    """torch.dtype that is computed in."""
    arguments: dict[str, Any]
    """Keyword arguments for the TRL config that follow from the spec for every method."""


def no_answer_left(max_length: int, longest: int) -> RlftError:
    """max_length leaves nothing of any answer; ``longest``: tokens of the longest prompt."""
    return RlftError(
        f"every prompt fills max_length ({max_length} tokens), so no answer is left to learn from",
        remedy=f"Set max_length above {longest}",
    )


class Measurer(Protocol):
    """Measures a model on held-out rows, without touching torch's random state."""

    rows: int
    """How many rows it measures on; with 0 it is not called."""

    def measure(self, model: Any, *, untrained: bool = False) -> dict[str, float]:
        """Metrics, their names beginning with ``heldout/``; the model is left in the mode it was in."""


@dataclass(frozen=True, slots=True)
class Rewarded:
    """What an answer earned."""

    total: float | None
    """None where no reward judges the answer."""
    parts: Mapping[str, float | None]


Rewarder = Callable[[Sequence[Conversation], Sequence[str], Sequence[Sequence[int]]], list[Rewarded]]
"""Rewards answers (second argument, and as token ids third) to prompts (first)."""


class Method(ABC, Generic[S]):
    """One training method: how its trainer is built, and how its result is measured."""

    spec: ClassVar[type[Any]]
    """Its spec, the class ``S``."""
    head: ClassVar[Literal["causal", "score"]] = "causal"
    """"causal" for a language model, "score" for a model with one score as its output."""
    units: Mapping[str, str] = MappingProxyType({})
    """Units of the metrics that only this method logs."""

    def check(self, job: Job, spec: S, rows: Sequence[Any]) -> None:
        """Raises RlftError for what is wrong and can be seen before anything slow is imported."""

    @abstractmethod
    def trainer(self, setup: Setup[S]) -> Any:
        """The TRL trainer, ready to train; RlftError when the rows are nothing to learn from."""

    def measurer(self, setup: Setup[S], trainer: Any, reference: Reference | None) -> Measurer | None:
        """What is measured on the held-out rows before, after, and on the way."""
        return None

    def rewarder(self, setup: Setup[S]) -> Rewarder | None:
        """How the samples are rewarded; None where the method knows no rewards."""
        return None

    def callbacks(self, setup: Setup[S], trainer: Any) -> Sequence[Any]:
        """More transformers.TrainerCallback objects."""
        return ()
