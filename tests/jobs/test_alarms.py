"""What raises an alarm, once, and what does not."""

from __future__ import annotations

import math

from rlft_tui.jobs.alarms import Alarms


def names(alarms: Alarms, rows: list[dict[str, float]]) -> list[str]:
    return [alarm.name for step, row in enumerate(rows, 1) for alarm in alarms.observe(step, row)]


def test_a_healthy_run_raises_none() -> None:
    rows = [
        {
            "loss": 0.69 - 0.01 * n,
            "rewards/chosen": 0.01 * n,
            "rewards/margins": 0.05 * n,
            "kl/sequence": n / 10,
        }
        for n in range(40)
    ]
    assert names(Alarms(beta=0.1, max_steps=40), rows) == []


def test_a_loss_that_is_not_finite_is_said_once_and_counted() -> None:
    alarms = Alarms(beta=0.1, max_steps=10)
    assert names(alarms, [{"loss": 0.6}, {"loss": math.nan}, {"loss": math.inf}]) == ["loss not finite"]
    assert alarms.nonfinite == 2
    alarms.observe(4, {"loss": 0.5})
    assert alarms.nonfinite == 0


def test_kl_over_the_limit() -> None:
    assert names(Alarms(beta=0.1, max_steps=10), [{"kl/sequence": 39.0}, {"kl/sequence": 41.0}]) == [
        "kl high"
    ]


def test_chosen_answers_becoming_unlikely() -> None:
    rows = [{"rewards/chosen": -3.0}] * 5
    assert names(Alarms(beta=0.1, max_steps=10), rows) == ["chosen falling"]
    assert names(Alarms(beta=0.2, max_steps=10), rows) == []
    assert names(Alarms(beta=0.1, max_steps=10), rows[:4]) == []


def test_a_loss_that_stays_where_it_began() -> None:
    rows = [{"loss": math.log(2), "rewards/margins": 0.001}] * 14
    assert names(Alarms(beta=0.1, max_steps=40), rows) == ["no progress"]
    assert names(Alarms(beta=0.1, max_steps=60), rows) == []
