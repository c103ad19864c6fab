"""A reward that can be hacked: the number of one letter. Unheld, the run says so; held, the KL settles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rlft_tui.jobs.method import Rewarded
from rlft_tui.jobs.ppo.answers import Answer
from rlft_tui.jobs.ppo.report import metrics
from rlft_tui.metrics.alarms.watch import Alarms
from tests.jobs.ppo.tiny_policy import spec_of, trainer_of

TARGET = 4.0


def count_of_e(answers: Sequence[Answer]) -> list[Rewarded]:
    return [Rewarded(float(answer.text.count("e")), {}) for answer in answers]


def run(
    model: Path, updates: int, *, settling: int = 0, **settings: Any
) -> tuple[list[dict[str, float]], set[str]]:
    """The metrics of each update, and the names of the alarms raised after the ``settling`` first ones."""
    spec = spec_of(
        model,
        adaptation="full",
        max_steps=updates,
        batch_size=48,
        mini_batch_size=48,
        gradient_accumulation=1,
        ppo_epochs=4,
        scheduler="constant",
        pass_tokens=10_000,
        **settings,
    )
    trainer, alarms = trainer_of(spec, count_of_e), Alarms(spec, steps=updates)
    rows: list[dict[str, float]] = []
    names: set[str] = set()
    for step in range(1, updates + 1):
        update = trainer.update()
        assert update is not None
        rows.append(metrics(update))
        if step > settling:
            names |= {alarm.name for alarm in alarms.observe(step, rows[-1])}
    return rows, names


# What a single run draws is decided by rounding, and that by the processor: each claim is about three.
SEEDS = (1, 2, 3)


def test_without_a_penalty_the_reward_is_hacked_and_the_alarms_say_how(tiny_model: Path) -> None:
    runs = [
        run(tiny_model, 24, learning_rate=2e-2, init_kl_coef=0.0, adaptive_kl=False, seed=seed)
        for seed in SEEDS
    ]
    for rows, alarms in runs:
        assert rows[0]["reward"] < 0.5
        assert rows[-1]["reward"] > 2
        assert alarms >= {"kl high", "kl critical"}
    assert median(rows[-1]["reward"] for rows, _ in runs) > 5
    assert set.union(*(alarms for _, alarms in runs)) >= {"entropy collapse", "repetition"}


def test_with_an_adaptive_penalty_the_kl_settles_at_the_target(tiny_model: Path) -> None:
    settings = {"init_kl_coef": 0.2, "adaptive_kl": True, "target_kl": TARGET, "kl_horizon": 200}
    runs = [run(tiny_model, 60, settling=40, seed=seed, **settings) for seed in SEEDS]
    settled = median(sum(row["kl/sequence"] for row in rows[-20:]) / 20 for rows, _ in runs)
    assert 0.5 * TARGET < settled < 1.5 * TARGET
    assert all(rows[-1]["reward"] > rows[0]["reward"] for rows, _ in runs)
    # One whose KL overshot far may still be on its way back.
    wrong = [alarms & {"kl critical", "entropy collapse", "repetition"} for _, alarms in runs]
    assert sum(map(bool, wrong)) <= 1
