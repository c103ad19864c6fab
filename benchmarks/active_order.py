"""Verdicts needed by an active order against a random one, with labellers whose preferences are known.

Two questions, each asked of 200 labellers made up by a seed. *Ranking*: 12 models whose
abilities are drawn from a normal distribution; how wrong is the order of the estimated
abilities (share of model pairs in the wrong order)? *Reward model*: answers as vectors in
uneven clusters, a linear preference; how often does the model fitted to the verdicts
prefer the right one of held-out pairs? Labellers err as Bradley and Terry's model says.
The active order is the program's own (labels/information.py) with its share of random
pairs (20 %) kept in, as labelling does it; its model is fitted again after each batch.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before numpy: the matrices are small and the seeds are many

import numpy as np  # noqa: E402

from rlft_tui.labels.information import Floats, Posterior, choose_batch, fit, sigmoid  # noqa: E402

SEEDS = int(os.environ.get("SEEDS", "200"))
CONTROL = 0.2
BATCH = 20
RANKING_STEPS = 30
MODELS = 12
SPREAD = 1.5
"""Standard deviation of the abilities, in logits: the best of twelve beats the worst almost always."""
REWARD_STEPS = 21
FEATURES = 16
POOL = 800
HELD_OUT = 500


def main() -> None:
    begin = time.perf_counter()
    print(f"{SEEDS} seeds, {BATCH} verdicts a batch, {CONTROL:.0%} of the active order random\n")
    with ProcessPoolExecutor() as pool:
        seeds = range(SEEDS)
        ranking = np.array(list(pool.map(ranking_curves, seeds, chunksize=5)))
        reward = np.array(list(pool.map(reward_curves, seeds, chunksize=5)))
    _table("Ranking of 12 models: model pairs in the wrong order", ranking, better=np.less_equal)
    _table("Reward model: held-out accuracy", reward, better=np.greater_equal)
    print(f"\n{time.perf_counter() - begin:.0f} s")


def ranking_curves(seed: int) -> tuple[list[float], list[float]]:
    """Ranking error before each batch, random and active."""
    return _ranking(seed, active=False), _ranking(seed, active=True)


def _ranking(seed: int, *, active: bool) -> list[float]:
    chance = np.random.default_rng(seed)
    ability = chance.normal(0, SPREAD, MODELS)
    first, second = np.triu_indices(MODELS, 1)
    x = np.zeros((len(first), MODELS))
    x[np.arange(len(first)), first], x[np.arange(len(first)), second] = 1.0, -1.0
    right = sigmoid(x @ ability)
    plenty = np.full(len(first), 10**6)
    asked, won = np.zeros(len(first)), np.zeros(len(first))
    errors = []
    for _ in range(RANKING_STEPS):
        seen = asked > 0
        posterior = _fitted(x[seen], won[seen] / asked[seen], asked[seen], MODELS)
        margin = x @ posterior.mean
        errors.append(float(np.mean(margin * (x @ ability) <= 0)))
        by_chance = int(chance.binomial(BATCH, CONTROL)) if active else BATCH
        picks = list(chance.integers(0, len(first), by_chance))
        picks += choose_batch(posterior, x, BATCH - by_chance, room=plenty, open_only=True)
        for pick in picks:
            asked[pick] += 1
            won[pick] += chance.random() < right[pick]
    return errors


def reward_curves(seed: int) -> tuple[list[float], list[float]]:
    """Held-out accuracy before each batch, random and active, on the same pool and labeller."""
    return _reward(seed, active=False), _reward(seed, active=True)


def _reward(seed: int, *, active: bool) -> list[float]:
    chance = np.random.default_rng(seed)
    weights = chance.normal(0, 2 / np.sqrt(FEATURES), FEATURES)
    sizes = np.exp(chance.normal(0, 0.8, FEATURES))
    centres = chance.normal(0, 0.8, (12, FEATURES)) * sizes
    shares = chance.dirichlet(np.full(12, 0.4))

    def draw(count: int) -> Floats:
        """Differences of two answers: a few kinds of pairs are common, most are rare."""
        kind = chance.choice(12, count, p=shares)
        side = chance.choice([-1.0, 1.0], count)[:, None]
        rows: Floats = centres[kind] * side + chance.normal(0, 0.5, (count, FEATURES)) * sizes
        return rows

    pool, heldout = draw(POOL), draw(HELD_OUT)
    scale = np.sqrt((pool**2).mean(axis=0))
    pool, heldout = pool / scale, heldout / scale
    verdicts = (chance.random(POOL) < sigmoid(pool @ weights)).astype(float)
    truth = heldout @ weights > 0
    order = chance.permutation(POOL)
    waiting = np.ones(POOL, dtype=bool)
    judged: list[int] = []
    accuracies = []
    for _ in range(REWARD_STEPS):
        posterior = _fitted(pool[judged], verdicts[judged], np.ones(len(judged)), FEATURES)
        accuracies.append(float(np.mean((heldout @ posterior.mean > 0) == truth)) if judged else 0.5)
        by_chance = int(chance.binomial(BATCH, CONTROL)) if active else BATCH
        picks = [int(one) for one in order if waiting[one]][:by_chance]
        waiting[picks] = False
        left = np.flatnonzero(waiting)
        picks += [int(left[one]) for one in choose_batch(posterior, pool[left], BATCH - by_chance)]
        waiting[picks] = False
        judged += picks
    return accuracies


def _fitted(x: Floats, y: Floats, weight: Floats, size: int) -> Posterior:
    return fit(x, y, precision=1.0, weight=weight) if len(y) else Posterior(np.zeros(size), np.eye(size))


def _table(title: str, curves: Floats, better: Callable[[Floats, float], Floats]) -> None:
    """``curves`` (seeds, 2, steps): means with standard errors, and what the active order saves."""
    mean = curves.mean(axis=0)
    error = curves.std(axis=0, ddof=1) / np.sqrt(len(curves)) if len(curves) > 1 else np.zeros_like(mean)
    print(f"{title}\n\n| verdicts | random | active | active needs for the same |\n|---|---|---|---|")
    steps = mean.shape[1]
    for step in range(1, steps, 2):
        reached = np.flatnonzero(better(mean[1], mean[0, step]))
        needs = f"{_crossing(mean[1], mean[0, step]):.0f}" if len(reached) else f"over {(steps - 1) * BATCH}"
        print(
            f"| {step * BATCH} | {mean[0, step]:.3f} ± {error[0, step]:.3f} "
            f"| {mean[1, step]:.3f} ± {error[1, step]:.3f} | {needs} |"
        )
    last = mean[0, -1]
    if better(mean[1], last).any():
        needs = _crossing(mean[1], last)
        total = (steps - 1) * BATCH
        print(
            f"\nAs good as {total} random verdicts: {needs:.0f} active ones, {1 - needs / total:.0%} fewer.\n"
        )
    else:
        print(f"\nThe active order never reached what {(steps - 1) * BATCH} random verdicts give.\n")


def _crossing(curve: Floats, level: float) -> float:
    """At how many verdicts the curve first reaches a level, between two batches in proportion."""
    falling = curve[-1] < curve[0]
    reached = np.flatnonzero(curve <= level if falling else curve >= level)
    step = int(reached[0])
    if step == 0:
        return 0.0
    before, after = float(curve[step - 1]), float(curve[step])
    return BATCH * (step - 1 + (level - before) / (after - before))


if __name__ == "__main__":
    main()
