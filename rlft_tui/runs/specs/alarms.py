"""When a training run raises an alarm, and what it then does; each method has limits of its own.

A KL divergence is several different numbers: summed over a sequence or averaged over tokens, drawn
from the policy or not, by an estimator that may or may not be negative. So every limit belongs to
one estimator of one method, and its unit stands with it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rlft_tui.runs.specs.base import Spec

AlarmAction = Literal["off", "notify", "pause", "stop"]
"""notify only tells; pause and stop save a checkpoint and end the job, and a paused run keeps its place."""


class TrainingAlarms(Spec):
    """What any training run is watched for. off, notify, pause or stop."""

    nonfinite: AlarmAction = "notify"
    """The loss is NaN or infinite, or the gradient is three times in a row."""
    nonfinite_patience: int = Field(default=5, ge=1)
    """Steps in a row without a finite loss after which the run ends as failed: nothing is left to save."""
    gradient: AlarmAction = "notify"
    """The gradient's norm jumps far above what it was."""
    gradient_factor: float = Field(default=10.0, gt=1.0)
    """A jump is so many times the median of the last 50 steps, and above max_grad_norm."""
    progress: AlarmAction = "notify"
    """Half of the steps are done and the loss (the reward, where there is one) is where it began."""
    disk: AlarmAction = "notify"
    """What the run will still write does not fit on the disk."""
    heldout: AlarmAction = "notify"
    """The measure on the training rows gets better while the one on held-out rows gets worse."""
    heldout_fall: float = Field(default=0.05, gt=0.0, lt=1.0)
    """Worse is below the best so far by this share of it, and by two standard errors of an accuracy."""


class TextAlarms(TrainingAlarms):
    """What a run whose model writes text is watched for."""

    entropy: AlarmAction = "notify"
    """The distribution over the next token collapses."""
    entropy_share: float = Field(default=0.2, gt=0.0, lt=1.0)
    """Collapsed is below this share of the entropy of the first steps (nats/token)."""
    length: AlarmAction = "notify"
    """Answers have become much longer or shorter."""
    length_factor: float = Field(default=2.5, gt=1.0)
    """Much is so many times the tokens of the first answers, or that part of them."""
    repetition: AlarmAction = "notify"
    """Answers repeat themselves or one another."""
    repetition_share: float = Field(default=0.5, gt=0.0, lt=1.0)
    """Repeating is distinct-2 (Li et al. 2016) of the samples below this share of the first samples', or this
    share of the samples having a twin."""


class ReferenceAlarms(TextAlarms):
    """What a run that is held to a reference is watched for."""

    kl: AlarmAction = "notify"
    """The policy is far from the reference. The action is for the critical limit, the warning only tells."""
    kl_warning: float = Field(default=10.0, gt=0.0)
    """log(policy/reference) of the samples, summed over an answer (k1), nats/sequence."""
    kl_critical: float = Field(default=20.0, gt=0.0)
    """The same, nats/sequence; above it the reward is being over-optimised."""


class DpoAlarms(ReferenceAlarms):
    """What a DPO run is watched for."""

    chosen: AlarmAction = "notify"
    """The chosen answers become less likely than under the reference."""
    chosen_fall: float = Field(default=25.0, gt=0.0)
    """How much less, nats/sequence."""


class KtoAlarms(ReferenceAlarms):
    """What a KTO run is watched for."""

    batch_kl_warning: float = Field(default=15.0, gt=0.0)
    """The trainer's own estimate, log(policy/reference) of answers to other prompts, never below 0
    (Ethayarajh et al. 2024, eq. 8), nats/sequence."""
    batch_kl_critical: float = Field(default=30.0, gt=0.0)
    """The same, nats/sequence."""


class GrpoAlarms(ReferenceAlarms):
    """What a GRPO run is watched for."""

    variance: AlarmAction = "notify"
    """All answers of a group get the same reward, and nothing is learnt from it."""
    variance_share: float = Field(default=0.8, gt=0.0, le=1.0)
    """Share of such groups over 10 steps."""
    token_kl_warning: float = Field(default=0.5, gt=0.0)
    """The trainer's own k3 estimate (Schulman 2020), nats/token; it is there when beta is above 0."""
    token_kl_critical: float = Field(default=1.0, gt=0.0)
    """The same, nats/token."""


class RlooAlarms(ReferenceAlarms):
    """What an RLOO run is watched for."""

    variance: AlarmAction = "notify"
    """All answers of a group get the same reward, and nothing is learnt from it."""
    variance_share: float = Field(default=0.8, gt=0.0, le=1.0)
    """Share of such groups over 10 steps."""
    token_kl_warning: float = Field(default=0.25, gt=0.0)
    """The trainer's own k1 estimate, which may be negative, nats/token."""
    token_kl_critical: float = Field(default=0.5, gt=0.0)
    """The same, nats/token."""
