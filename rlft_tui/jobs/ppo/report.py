"""An update in numbers: names as TRL's trainers give them where they mean the same, a unit on each."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from rlft_tui.jobs.method import Rewarded
from rlft_tui.jobs.ppo.advantages import explained_variance, masked_mean
from rlft_tui.jobs.ppo.experience import Experience
from rlft_tui.jobs.ppo.trainer import Update
from rlft_tui.runs.specs.ppo import PpoSpec
from rlft_tui.samples.repetition import distinct_n, twin_share


def metrics(update: Update) -> dict[str, float]:
    """Everything that is logged of an update."""
    experience, learned = update.experience, update.learned
    readings = experience.readings
    mask, answers = readings.mask, readings.answers
    raw = [one.total for one in update.judgements if one.total is not None]
    lengths = [len(answer.response) for answer in answers]
    texts = [answer.text for answer in answers]
    drawn = sum(lengths)
    penalty = update.beta * experience.kl_per_sequence
    seconds = update.seconds
    return {
        "reward": statistics.fmean(raw),
        "reward_std": statistics.pstdev(raw),
        "reward_min": min(raw),
        "reward_max": max(raw),
        **part_means(update.judgements),
        **_importance(experience),
        "score": float(update.scores.mean()),
        "score_with_kl": float(update.scores.mean()) - penalty,
        "missing_rewards": float(update.missing),
        "kl/sequence": experience.kl_per_sequence,
        "kl/token": experience.kl_per_token,
        "kl_coef": update.beta,
        "loss": learned.mean("loss"),
        "loss/policy": learned.mean("policy"),
        "loss/value": learned.mean("value"),
        "entropy": float(masked_mean(readings.entropy, mask)),
        "policy/approx_kl": learned.mean("approx_kl"),
        "policy/approx_kl_last_epoch": learned.epoch_kl[-1],
        "policy/clip_fraction": learned.mean("clipped"),
        "policy/ratio": learned.mean("ratio"),
        "policy/ratio_min": learned.ratio_min,
        "policy/ratio_max": learned.ratio_max,
        "policy/first_ratio_error": learned.first_ratio_error,
        "value/clip_fraction": learned.mean("value_clipped"),
        "value/explained_variance": float(explained_variance(readings.values, experience.returns, mask)),
        "value/mean": float(masked_mean(readings.values, mask)),
        "value/return": float(masked_mean(experience.returns, mask)),
        "completions/mean_length": statistics.fmean(lengths),
        "completions/min_length": float(min(lengths)),
        "completions/max_length": float(max(lengths)),
        "completions/eos_rate": sum(answer.ended for answer in answers) / len(answers),
        "completions/clipped_ratio": sum(not answer.ended for answer in answers) / len(answers),
        "completions/distinct_2": distinct_n(texts, 2),
        "completions/twins": twin_share(texts),
        "grad_norm": statistics.fmean(learned.grad_norms),
        "learning_rate": update.learning_rate,
        "ppo_epochs": float(learned.epochs),
        "optimizer_steps": float(learned.steps),
        "skipped_steps": float(learned.skipped),
        "step_time": sum(seconds.values()),
        **{f"seconds/{phase}": value for phase, value in seconds.items()},
        "tokens_per_second/generate": drawn / seconds["generate"],
        "tokens_per_second/score": 2 * sum(answer.length for answer in answers) / seconds["score"],
        "tokens_per_second/learn": learned.pass_tokens / seconds["learn"],
    }


def _importance(experience: Experience) -> dict[str, float]:
    """How far what drew the answers is from the policy; nothing where that is the policy itself."""
    readings, weights = experience.readings, experience.importance
    if weights is None or readings.drawn is None:
        return {}
    return {
        "rollouts/kl": float(masked_mean(readings.drawn - readings.logprobs, readings.mask)),
        "rollouts/weight": float(masked_mean(weights, readings.mask)),
        "rollouts/weight_min": float(weights[readings.mask.bool()].min()),
        "rollouts/weight_max": float(weights.max()),
    }


def units(spec: PpoSpec, values: dict[str, float]) -> dict[str, str]:
    """The unit of every value that is not a reward's own."""
    estimator = spec.kl_estimator
    known = {
        "kl/sequence": f"nats/sequence ({estimator})",
        "kl/token": f"nats/token ({estimator})",
        "kl_coef": "reward/nat",
        "entropy": "nats/token",
        "policy/approx_kl": "nats/token (k3, old to new)",
        "policy/approx_kl_last_epoch": "nats/token (k3, old to new)",
        "policy/clip_fraction": "share of tokens",
        "value/clip_fraction": "share of tokens",
        "policy/ratio": "new/old probability",
        "policy/ratio_min": "new/old probability",
        "policy/ratio_max": "new/old probability",
        "policy/first_ratio_error": "new/old probability",
        "value/explained_variance": "share of variance",
        "completions/mean_length": "tokens",
        "completions/min_length": "tokens",
        "completions/max_length": "tokens",
        "completions/eos_rate": "share of answers",
        "completions/clipped_ratio": "share of answers",
        "completions/distinct_2": "share of bigrams",
        "completions/twins": "share of answers",
        "rollouts/kl": "nats/token (k1, drawn to policy)",
        "rollouts/weight": "policy/drawn probability",
        "rollouts/weight_min": "policy/drawn probability",
        "rollouts/weight_max": "policy/drawn probability",
        "missing_rewards": "answers",
        "step_time": "s",
    }
    for key in values:
        if key.startswith("seconds/"):
            known[key] = "s"
        elif key.startswith("tokens_per_second/"):
            known[key] = "tokens/s"
    return {key: unit for key, unit in known.items() if key in values}


def part_means(judgements: Sequence[Rewarded]) -> dict[str, float]:
    """``rewards/NAME/mean`` and ``/std`` of each part, over the answers that it judged."""
    found: dict[str, float] = {}
    for name in {name: None for one in judgements for name in one.parts}:
        said = [value for one in judgements if (value := one.parts.get(name)) is not None]
        if said:
            found[f"rewards/{name}/mean"] = statistics.fmean(said)
            found[f"rewards/{name}/std"] = statistics.pstdev(said)
    return found
