"""Reward against KL, update after update: this package's PPO beside TRL 1.12's on one task.

The task is ppo_update's, with a higher learning rate so that a few updates say something. A reward that
is bought with less KL is better learning: the last lines compare the rewards where both had gone equally
far, each curve smoothed over three updates. One seed, so small differences say nothing.

TRL112=trl112/bin/python python -m benchmarks.ppo_reward_kl ANSWERS TOKENS EPOCHS UPDATES RATE bf16|fp32
"""

from __future__ import annotations

import bisect
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.ppo_update import make_task, run, sides

Curve = list[tuple[float, float]]
"""KL (nats/sequence) and reward of each update."""


def smoothed(curve: Curve) -> Curve:
    """Means over each update and its neighbours."""
    return [
        (
            statistics.fmean(kl for kl, _ in curve[max(0, n - 1) : n + 2]),
            statistics.fmean(reward for _, reward in curve[max(0, n - 1) : n + 2]),
        )
        for n in range(len(curve))
    ]


def reward_at(curve: Curve, kl: float) -> float:
    """The reward where the smoothed curve is so far from the reference, between its points."""
    points = sorted(smoothed(curve))
    place = min(max(1, bisect.bisect_left(points, (kl, 0.0))), len(points) - 1)
    (kl_a, reward_a), (kl_b, reward_b) = points[place - 1 : place + 1]
    share = (kl - kl_a) / (kl_b - kl_a) if kl_b > kl_a else 0.0
    return reward_a + min(max(share, 0.0), 1.0) * (reward_b - reward_a)


def main() -> int:
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    answers, tokens, epochs, updates = (*numbers, *(16, 24, 2, 10)[len(numbers) :])
    rate = next((float(word) for word in sys.argv[1:] if "e-" in word), 1e-3)
    precision = "fp32" if "fp32" in sys.argv else "bf16"
    curves: dict[str, Curve] = {}
    with tempfile.TemporaryDirectory() as folder:
        task = make_task(Path(folder), answers, tokens, epochs, updates, precision, rate)
        for name, command in sides().items():
            # A side may log once more after its last update.
            lines = [line for line in run([*command, str(task)]) if "wall" in line][:updates]
            curves[name] = [(line["kl"], line["reward"]) for line in lines]
    print(
        f"{answers} answers of {tokens} tokens, {epochs} epochs, learning rate {rate:g}, beta 0.05, "
        f"{precision}; KL in nats/sequence (k1)\n"
    )
    print(f"| update | {' | '.join(f'{name}: KL | reward' for name in curves)} |")
    print(f"|---|{'---|---|' * len(curves)}")
    for number, row in enumerate(zip(*curves.values(), strict=True), start=1):
        print(f"| {number} | {' | '.join(f'{kl:.2f} | {reward:.3f}' for kl, reward in row)} |")
    print()
    farthest = min(max(kl for kl, _ in smoothed(curve)) for curve in curves.values())
    for part in (0.25, 0.5, 1.0):
        kl = part * farthest
        print(
            f"At {kl:.2f} nats/sequence: "
            + ", ".join(f"{name} {reward_at(curve, kl):.3f}" for name, curve in curves.items())
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
