"""The curves of one or several runs as a view shows them, read again only where there is news."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from rlft_tui.errors import NotFoundError
from rlft_tui.metrics.series import ELAPSED
from rlft_tui.runs.run_status import ACTIVE, RunSummary, Series
from rlft_tui.tui.server_link import ServerLink
from rlft_tui.tui.widgets.chart_scale import Clock, XAxis

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient

POINTS = 500
TOKEN_KEYS = ("num_tokens", "samples/tokens_seen")
"""Metrics that count the tokens read so far, by the names trainers give them."""


@dataclass(slots=True)
class _Held:
    """What is known of one run, and for what it was read."""

    stamp: object = None
    series: dict[str, Series] = field(default_factory=dict)
    clock: Clock | None = None
    """None where the run does not say where its steps stand on this axis."""


class RunCurveBook:
    """Series and clocks by run."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self.others: dict[str, RunSummary] = {}
        """Runs drawn over the first one, by id, in the order of their colours."""

    def clear(self) -> None:
        self._held.clear()

    def series(self, run_id: str, key: str) -> Series:
        """A run's metric; one without points where it has none."""
        held = self._held.get(run_id)
        return held.series.get(key, _nothing(key)) if held else _nothing(key)

    def clock(self, run_id: str) -> Clock | None:
        held = self._held.get(run_id)
        return held.clock if held else None

    async def look_at_others(self, link: ServerLink) -> None:
        """How the runs drawn over stand now; one that was deleted is drawn no more."""
        for run_id, run in list(self.others.items()):
            if run.status in ACTIVE:
                try:
                    self.others[run_id] = await link.call(partial(_summary, run_id))
                except NotFoundError:
                    del self.others[run_id]

    async def read(
        self,
        link: ServerLink,
        runs: Sequence[RunSummary],
        keys: Sequence[str],
        x: XAxis,
        window: tuple[float, float] | None,
    ) -> bool:
        """Bring the series of these runs up to date; True when there was something new."""
        changed = await asyncio.gather(*(self._read(link, run, keys, x, window) for run in runs))
        return any(changed)

    async def _read(
        self,
        link: ServerLink,
        run: RunSummary,
        keys: Sequence[str],
        x: XAxis,
        window: tuple[float, float] | None,
    ) -> bool:
        held = self._held.setdefault(run.id, _Held())
        stamp = (run.step, run.metrics, run.status, tuple(keys), x, window)
        if stamp == held.stamp:
            return False
        wanted = [key for key in keys if key in run.metrics]
        clock = await self._clock(link, run, x)
        steps = None
        if window is not None and clock is not None:
            low, high = (clock.step_at(place) for place in window)
            steps = (int(low), int(high) + 1)
        series: tuple[Series, ...] = ()
        if wanted:
            series = await link.call(
                lambda client: client.series(run.id, wanted, points=POINTS, window=steps)
            )
        held.series = dict(zip(wanted, series, strict=False))
        held.clock, held.stamp = clock, stamp
        return True

    async def _clock(self, link: ServerLink, run: RunSummary, x: XAxis) -> Clock | None:
        if x == "step":
            return Clock()
        key = ELAPSED if x == "time" else next((name for name in TOKEN_KEYS if name in run.metrics), None)
        if key is None:
            return None
        (series,) = await link.call(lambda client: client.series(run.id, [key], points=POINTS))
        # Rows that are all of one moment have no times, as those of a table that was imported.
        return None if x == "time" and series.total > 1 and not any(series.high) else Clock(series)


def _summary(run_id: str, client: WorkspaceClient) -> RunSummary:
    return client.run(run_id)


def _nothing(key: str) -> Series:
    return Series(key, "", 1, [], [], [], [], [], 0)
