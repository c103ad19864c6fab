"""All answers of a group get the same reward: the advantages are zero, and nothing is learnt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rlft_tui.metrics.alarms.alarm import Alarm, Recent
from rlft_tui.runs.specs.alarms import AlarmAction

KEY = "frac_reward_zero_std"
ROWS = 10


class ZeroVariance:
    """The mean share of such groups over the last rows."""

    def __init__(self, share: float, action: AlarmAction) -> None:
        self.share = share
        self.action: AlarmAction = action
        self._share = Recent(ROWS)

    def observe(self, step: int, values: Mapping[str, float]) -> Iterator[Alarm]:
        if self._share.add(values.get(KEY)) and self._share.seen >= ROWS and self._share.last >= self.share:
            yield Alarm(
                "no variance",
                f"in {self._share.last:.0%} of the groups all answers got the same reward",
                "Raise temperature or generations, choose prompts that are neither too easy nor too hard, "
                "or a reward that tells answers apart: rlft rewards test",
                self.action,
            )
