"""What is trained on gets better while what is held out gets worse: over-optimisation, or overfitting."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from rlft_tui.metrics.alarms.alarm import Alarm, Recent
from rlft_tui.record import Record
from rlft_tui.runs.specs.alarms import AlarmAction

TRAINED: tuple[tuple[str, int], ...] = (
    ("reward", 1),
    ("rewards/margins", 1),
    ("accuracy", 1),
    ("loss", -1),
)
"""Measures on the rows that are learnt from, and the direction in which they are better."""
HELD_OUT: tuple[tuple[str, int], ...] = (
    ("heldout/reward_accuracy", 1),
    ("heldout/accuracy", 1),
    ("heldout/reward", 1),
    ("heldout/perplexity", -1),
    ("heldout/loss", -1),
)
"""Measures on rows that are not; the first one that is there is watched."""
ROWS = 5


class _Best(Record, frozen=True):
    held_out: float
    trained: float
    """What the trained measure was then, its sign turned so that more is better."""
    step: int


class HeldOutFalling:
    """Remembers the best held-out measure and where training stood then."""

    def __init__(self, fall: float, action: AlarmAction) -> None:
        self.fall = fall
        self.action: AlarmAction = action
        self._trained: dict[str, Recent] = {}
        self._best: dict[str, _Best] = {}

    def observe(self, step: int, values: Mapping[str, float]) -> Iterator[Alarm]:
        for key, _ in TRAINED:
            self._trained.setdefault(key, Recent(ROWS)).add(values.get(key))
        found = next(((key, sign) for key, sign in HELD_OUT if key in values), None)
        trained = next(
            (sign * self._trained[key].last for key, sign in TRAINED if self._trained[key].seen), -math.inf
        )
        if found is None or not math.isfinite(values[found[0]]):
            return
        key, sign = found
        now = sign * values[key]
        best = self._best.get(key)
        if best is None or now >= best.held_out:
            self._best[key] = _Best(now, trained, step)
        elif best.held_out - now > self._margin(key, best.held_out, values) and trained > best.trained:
            yield Alarm(
                "held-out falling",
                f"{key} went from {abs(best.held_out):.3g} at step {best.step} to {abs(now):.3g} "
                "while the training measure got better",
                "Take the checkpoint from before. Use more data, fewer steps or a dropout of 0.2",
                self.action,
            )

    def _margin(self, key: str, best: float, values: Mapping[str, float]) -> float:
        fall = self.fall * abs(best)
        n = values.get("heldout/pairs", values.get("heldout/rows", 0.0))
        if key.endswith("accuracy") and n > 0:
            return max(fall, 2.0 * math.sqrt(max(best * (1.0 - best), 0.0) / n))
        return fall
