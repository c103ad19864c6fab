"""What is told of runs that end: once, at once, and no old news."""

from __future__ import annotations

import time

from msgspec.structs import replace
from textual.app import App

from rlft_tui.runs.run_status import RunSummary
from rlft_tui.tui.alarm_bell import AlarmBell
from tests.tui.workbench import drive


def test_the_end_of_a_run_is_told_once_and_only_while_it_is_news() -> None:
    async def test() -> None:
        app: App[None] = App()
        async with app.run_test() as pilot:
            bell = AlarmBell(app)
            now = time.time() + 1
            going = RunSummary("grpo", "grpo", "running", 1, 9, "base", "", "runs/grpo", 1.0)
            done = replace(going, status="finished", ended=now)
            old = replace(going, id="old", status="finished", ended=now - 3600)
            quick = replace(done, id="quick", status="failed", error="ValueError: bad")

            async def told(*runs: RunSummary) -> list[tuple[str, float]]:
                app.clear_notifications()
                bell.heed(runs)
                await pilot.pause()
                return [(each.message, each.timeout) for each in app._notifications]

            assert await told(going, old) == []
            assert await told(done, old) == [("grpo finished", 5)]
            assert await told(done, old) == []
            ((said, seconds),) = await told(done, old, quick)
            assert said.startswith("quick failed: ")
            assert seconds == 5
            assert await told(replace(old, status="running", ended=None)) == []
            assert await told(old) == [], "seen again after an hour without a connection"

    drive(test)
