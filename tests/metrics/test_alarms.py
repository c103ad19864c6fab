"""What raises an alarm, once, and what does not.

The healthy series have the shape of real runs: falling and noisy losses, gradients that vary
several times over, rewards that rise slowly, samples that differ in length.
"""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest

from rlft_tui.metrics.alarms.alarm import Alarm
from rlft_tui.metrics.alarms.disk_forecast import EVERY_SECONDS, DiskForecast
from rlft_tui.metrics.alarms.watch import Alarms
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import parse_spec
from rlft_tui.runs.specs.training import TrainingSpec

Row = dict[str, float]
METHODS = ("sft", "reward", "dpo", "kto", "ppo", "grpo", "rloo")


def spec(method: str = "dpo", **more: Any) -> TrainingSpec:
    values = {"id": "x", "method": method, "model": {"name": "base", "path": "/base"}, "dataset": "abc"}
    made = parse_spec({**values, **more})
    assert isinstance(made, TrainingSpec)
    return made


def alarms_of(rows: list[Row], method: str = "dpo", steps: int = 100, **more: Any) -> list[Alarm]:
    watch = Alarms(spec(method, **more), steps=steps)
    return [alarm for step, row in enumerate(rows, 1) for alarm in watch.observe(step, row)]


def names(rows: list[Row], method: str = "dpo", steps: int = 100, **more: Any) -> list[str]:
    return [alarm.name for alarm in alarms_of(rows, method, steps, **more)]


def healthy(method: str, seed: int, steps: int = 100) -> list[Row]:
    """Rows with every key that a method's alarms look at."""
    noise = random.Random(seed)
    rows = []
    for step in range(1, steps + 1):
        share = step / steps
        row: Row = {
            "loss": 2.4 - 0.8 * share + noise.gauss(0, 0.12),
            "grad_norm": 1.2 * math.exp(noise.gauss(0, 0.5)),
            "entropy": 1.9 - 0.6 * share + noise.gauss(0, 0.08),
        }
        if method == "dpo":
            row["loss"] = 0.693 - 0.25 * share + noise.gauss(0, 0.05)
            row |= {"rewards/chosen": -0.6 * share, "rewards/margins": share + noise.gauss(0, 0.2)}
        if method == "reward":
            row["loss"] = 0.693 - 0.3 * share + noise.gauss(0, 0.05)
            row["accuracy"] = min(1.0, max(0.0, 0.5 + 0.3 * share + noise.gauss(0, 0.1)))
        if method == "kto":
            row["kl"] = max(0.0, 2.0 * share + noise.gauss(0, 0.5))
        if method in ("grpo", "rloo"):
            row["loss"] = noise.gauss(0, 0.02)
            row |= {
                "reward": 0.2 + 0.5 * share + noise.gauss(0, 0.15),
                "frac_reward_zero_std": noise.choice((0.0, 0.0, 0.25, 0.5)),
                "completions/mean_length": 48 + 10 * share + noise.gauss(0, 6),
                "kl": abs(noise.gauss(0, 0.02)) + 0.1 * share,
            }
        if method == "ppo":
            row["loss"] = noise.gauss(0, 0.05)
            row |= {
                "reward": 0.2 + 0.5 * share + noise.gauss(0, 0.1),
                "completions/mean_length": 40 + 10 * share + noise.gauss(0, 5),
                "completions/distinct_2": 0.9 - 0.1 * share + noise.gauss(0, 0.03),
                "completions/twins": noise.choice((0.0, 0.0, 0.03)),
                "kl/sequence": 6 * share + noise.gauss(0, 0.5),
            }
        elif step % 10 == 0:
            row |= {
                "kl/sequence": 6 * share + noise.gauss(0, 1.0),
                "samples/tokens": min(64.0, max(4.0, 45 + noise.gauss(0, 12))),
                "samples/distinct_2": 0.9 - 0.1 * share + noise.gauss(0, 0.03),
                "samples/twins": 0.0,
            }
        if step % 25 == 0:
            row |= {"heldout/reward_accuracy": 0.55 + 0.2 * share + noise.gauss(0, 0.02), "heldout/pairs": 50}
        rows.append(row)
    return rows


@pytest.mark.parametrize("method", METHODS)
def test_a_healthy_run_raises_none(method: str) -> None:
    assert [names(healthy(method, seed), method) for seed in range(20)] == [[]] * 20


def over(base: list[Row], start: int, **changed: float) -> list[Row]:
    """The rows with other values from a row on."""
    return [row | changed if at >= start else row for at, row in enumerate(base)]


def ramp(key: str, first: float, last: float, count: int = 40) -> list[Row]:
    return [{key: first + (last - first) * at / (count - 1)} for at in range(count)]


@pytest.mark.parametrize(
    ("method", "rows", "expected"),
    [
        ("sft", over(healthy("sft", 0), 20, loss=math.nan), "loss not finite"),
        ("sft", over(healthy("sft", 0), 20, loss=math.inf), "loss not finite"),
        ("sft", over(healthy("sft", 0), 20, grad_norm=math.nan), "gradient not finite"),
        ("dpo", ramp("kl/sequence", 0, 15), "kl high"),
        ("dpo", ramp("kl/sequence", 0, 25), "kl critical"),
        ("kto", ramp("kl", 0, 40), "batch kl critical"),
        ("grpo", ramp("kl", 0, 2), "token kl critical"),
        ("rloo", ramp("kl", 0, 0.4), "token kl high"),
        ("grpo", ramp("entropy", 2.0, 0.1), "entropy collapse"),
        ("grpo", over(healthy("grpo", 0), 30, frac_reward_zero_std=1.0), "no variance"),
        ("dpo", ramp("rewards/chosen", 0, -4), "chosen falling"),
        ("ppo", over(healthy("ppo", 0), 20, loss=math.nan), "loss not finite"),
        ("ppo", ramp("kl/sequence", 0, 25), "kl critical"),
        ("ppo", ramp("entropy", 2.0, 0.1), "entropy collapse"),
        ("ppo", ramp("completions/mean_length", 20, 90), "length drift"),
        ("ppo", ramp("completions/twins", 0.0, 0.9, 8), "repetition"),
        ("ppo", [{"reward": 0.3 + 0.01 * (-1) ** at} for at in range(60)], "no progress"),
        ("grpo", ramp("completions/mean_length", 20, 90), "length drift"),
        ("grpo", ramp("completions/mean_length", 60, 10), "length drift"),
        ("dpo", ramp("samples/tokens", 12, 60, 8), "length drift"),
        ("grpo", ramp("samples/distinct_2", 0.9, 0.1, 8), "repetition"),
        ("grpo", ramp("completions/twins", 0.0, 0.9, 8), "repetition"),
        ("sft", over(healthy("sft", 0), 50, grad_norm=200.0), "gradient spike"),
        ("rloo", [{"reward": 0.3 + 0.01 * (-1) ** at} for at in range(60)], "no progress"),
        ("dpo", [{"loss": 0.6931 + 0.001 * (-1) ** at} for at in range(60)], "no progress"),
    ],
)
def test_a_series_made_to_provoke_it_raises_it(method: str, rows: list[Row], expected: str) -> None:
    assert expected in names(rows, method)


def test_training_better_and_held_out_worse() -> None:
    rows: list[Row] = []
    for at in range(100):
        row = {"accuracy": 0.6 + 0.003 * at, "loss": 0.6 - 0.003 * at}
        if at % 20 == 19:
            row |= {"heldout/accuracy": (0.6, 0.75, 0.72, 0.55, 0.5)[at // 20], "heldout/pairs": 200}
        rows.append(row)
    assert names(rows, "reward") == ["held-out falling"]
    few = [row | ({"heldout/pairs": 10} if "heldout/pairs" in row else {}) for row in rows]
    assert names(few, "reward") == [], "ten pairs cannot tell"
    worse = [row | {"accuracy": 0.6, "loss": 0.6 + at * 0.001} for at, row in enumerate(rows)]
    assert "held-out falling" not in names(worse, "reward"), "training does not get better either"


def test_rows_too_noisy_to_tell_and_a_held_out_gain_are_no_lack_of_progress() -> None:
    noise = random.Random(0)
    # As an SFT run on SmolLM2 had them: batches differ far more than a step improves them.
    assert names([{"loss": 1.3 + noise.gauss(0, 0.5)} for _ in range(60)], "sft") == []
    flat: list[Row] = [{"loss": 1.3 + 0.001 * (-1) ** at} for at in range(60)]
    assert names(flat, "sft") == ["no progress"]
    # GRPO's loss is about 0 whatever is learnt; its rewards are too few yet to tell.
    few = [row | ({"reward": 0.1} if at % 5 == 0 else {}) for at, row in enumerate(flat)]
    assert names(few, "grpo") == []
    # As a KTO run on SmolLM2 began: 1 % better at half of its steps, and still getting better.
    slow: list[Row] = [{"loss": 0.5 - 0.0003 * at} for at in range(50)]
    assert names(slow, "kto") == []
    better = [row | {"heldout/perplexity": 4.0 - 0.01 * at} for at, row in enumerate(flat)]
    assert names(better, "sft") == []


def test_one_odd_batch_is_no_spike_and_a_huge_one_is() -> None:
    calm = [{"grad_norm": 1.0 + 0.1 * (at % 3)} for at in range(60)]
    assert names(over(calm, 30, grad_norm=15.0)[:31], "sft") == []
    assert names([*calm[:30], {"grad_norm": 500.0}], "sft") == ["gradient spike"]
    small = [{"grad_norm": row["grad_norm"] / 1000} for row in calm]
    assert names(over(small, 30, grad_norm=0.1), "sft") == [], "it is below the norm that is clipped anyway"


def test_each_is_raised_once_and_not_again_after_a_resume() -> None:
    rows = [{"kl/sequence": 30.0}] * 5
    assert names(rows) == ["kl high", "kl critical"]
    again = Alarms(spec(), steps=100, raised=("kl high",))
    assert [alarm.name for alarm in again.observe(6, rows[0])] == ["kl critical"]


def test_a_resumed_run_is_compared_with_its_own_beginning() -> None:
    rows = ramp("entropy", 2.0, 0.1)
    resumed = Alarms(spec("grpo"), steps=100)
    assert [a for step, row in enumerate(rows[30:], 31) for a in resumed.observe(step, row)] == []
    resumed = Alarms(spec("grpo"), steps=100)
    resumed.replay(enumerate(rows[:30], 1))
    found = [a.name for step, row in enumerate(rows[30:], 31) for a in resumed.observe(step, row)]
    assert found == ["entropy collapse"]


def test_an_action_is_the_critical_limits_and_a_warning_only_tells() -> None:
    high, critical = alarms_of([{"kl/sequence": 30.0}], alarms={"kl": "pause"})
    assert (high.action, high.severity) == ("notify", "warning")
    assert (critical.action, critical.severity) == ("pause", "critical")
    assert names([{"loss": math.nan}], alarms={"nonfinite": "off"}) == []


def test_limits_belong_to_one_estimator_of_one_method() -> None:
    assert names([{"kl": 5.0}] * 8, "kto") == []
    assert names([{"kl": 5.0}] * 8, "dpo") == [], "DPO's trainer logs no such key"
    assert names([{"kl": 5.0}] * 8, "rloo") == ["token kl high", "token kl critical"]
    assert names([{"kl": 0.4}] * 8, "rloo") == ["token kl high"]
    assert names([{"kl": 0.4}] * 8, "grpo") == []
    assert names([{"kl/sequence": 9.0}], "grpo") == []
    assert "nats/token" in alarms_of([{"kl": 0.4}] * 8, "rloo")[0].message


def test_a_run_without_a_finite_loss_becomes_hopeless_after_the_patience() -> None:
    watch = Alarms(spec("sft", alarms={"nonfinite_patience": 3}), steps=10)
    for step in (1, 2):
        watch.observe(step, {"loss": math.nan})
        assert not watch.hopeless
    watch.observe(3, {"loss": 0.5})
    assert watch.nonfinite == 0
    for step in (4, 5, 6):
        watch.observe(step, {"loss": math.inf})
    assert watch.hopeless


def test_every_alarm_comes_with_advice() -> None:
    rows = [{"loss": math.nan, "grad_norm": math.nan, "kl": 50.0, "kl/sequence": 50.0}] * 9
    found = [alarm for method in METHODS for alarm in alarms_of(rows, method)]
    assert all(alarm.advice and alarm.message for alarm in found)


def test_disk_forecast_adds_up_what_is_still_to_come(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    now, free = 0.0, 0
    rule = DiskForecast(folder, steps=100, keep=2, action="stop", free=lambda: free, clock=lambda: now)
    folder.events.write_bytes(b"x" * 1000)
    free = 200 << 20
    assert list(rule.observe(10, {})) == []
    checkpoint = folder.checkpoints / "checkpoint-10"
    checkpoint.mkdir(parents=True)
    (checkpoint / "weights").write_bytes(b"x" * 50_000)
    folder.events.write_bytes(b"x" * 2000)
    assert rule.needed(20) == 1000 * 80 // 10 + 2 * 50_000
    free = 50 << 20
    assert list(rule.observe(20, {})) == [], "it has looked a moment ago"
    now += EVERY_SECONDS
    (alarm,) = rule.observe(20, {})
    assert (alarm.name, alarm.action, alarm.severity) == ("disk", "stop", "critical")
    assert "50 MB are free" in alarm.message
