"""The monitor's curves: axes, smoothing, groups, pins, overlays, export; alarms lead to their step."""

from __future__ import annotations

import asyncio
import csv
import shutil
from typing import Any

from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from rlft_tui.paths import Workspace
from rlft_tui.runs.run_event import EventWriter
from rlft_tui.tui.screens.base import WorkbenchScreen
from rlft_tui.tui.screens.monitor import MonitorScreen
from rlft_tui.tui.screens.run_picker import RunPicker
from rlft_tui.tui.views.alerts_view import AlertsView
from rlft_tui.tui.views.curves_view import CurvesView
from rlft_tui.tui.widgets.chart import Chart
from tests.tui.bench import front, page, shows, until, vanishes, workbench
from tests.tui.run_folders import begin, dpo_folder, end_well, go, live_job, train

RUN, OTHER = "dpo-1129-1742-a6td", "dpo-1129-1800-bbbb"


def finished(workspace: Workspace, name: str, last: int = 40) -> None:
    folder = dpo_folder(workspace, name, steps=last)
    log = EventWriter(folder.events)
    begin(log, steps=last)
    train(log, 1, last, nan_at=7, total=last)
    log.write("alert", step=23, name="spike", message="the gradient is large", advice="look at its samples")
    log.close()
    end_well(folder)


def legend(pilot: Pilot[Any]) -> list[str]:
    """The rows of the legend; of a chart's heading no row begins so."""
    rows = (row.strip() for row in page(pilot).splitlines())
    return [row for row in rows if row.startswith((f"● {RUN}", f"▲ {OTHER}"))]


def test_what_is_shown_fits_beside_the_tabs_of_a_small_terminal(workspace: Workspace) -> None:
    finished(workspace, RUN)

    async def scenario() -> None:
        async with workbench(workspace, "monitor", (80, 24)) as pilot:
            await shows(pilot, "page 1 of 4")
            await pilot.press("e", "t", "v")
            await shows(pilot, "time · smooth 0.6 · reward · 1/2")

    asyncio.run(scenario())


def test_axes_smoothing_log_groups_pins_and_one_chart(workspace: Workspace) -> None:
    finished(workspace, OTHER, 60)
    finished(workspace, RUN)

    async def scenario() -> None:
        async with workbench(workspace, "monitor", (120, 40)) as pilot:
            await shows(pilot, "rewards/margins", "page 1 of 2")
            screen = front(pilot, MonitorScreen)
            curves = screen.query_one(CurvesView)
            await pilot.press("e")
            await shows(pilot, "smooth 0.6")
            await pilot.press("t")
            await shows(pilot, "time · smooth 0.6")
            await pilot.press("t")
            await until(
                pilot, lambda: "no tokens" in page(pilot) or "no values yet" in page(pilot), "no tokens"
            )
            await pilot.press("t")
            await vanishes(pilot, "no values yet")
            await pilot.press("v")
            await shows(pilot, "reward · page 1")
            assert set(curves.keys) == {"rewards/margins", "rewards/accuracies", "rewards/chosen"}
            await pilot.press("v", "v", "v", "v")
            await vanishes(pilot, "reward · page")
            await shows(pilot, "page 1 of 2")
            await pilot.press("tab", "L")
            await shows(pilot, "loss log")
            assert "margins log" not in page(pilot), "only the focused chart is logarithmic"
            await pilot.press("t", "t")
            await shows(pilot, "no tokens were logged: t takes another axis")
            await pilot.press("t")  # the focused chart is gone, and holds no keys
            await shows(pilot, "loss log")
            await pilot.press("tab", "z")
            await shows(pilot, "one chart")
            assert sum(chart.display for chart in curves.query(Chart)) == 1
            alone = curves.keys
            await pilot.press("right_square_bracket")
            await until(pilot, lambda: curves.keys == curves.pages.order[1:2] != alone, "the next one alone")
            await pilot.press("left_square_bracket")
            await until(pilot, lambda: curves.keys == alone, "the one before")
            await pilot.press("plus", "plus")
            await until(pilot, lambda: curves.window is not None, "a window")
            await pilot.press("z", "backspace")
            await shows(pilot, "page 1 of 2")
            await pilot.press("tab", "space")
            await shows(pilot, "1 pinned", "◆ ")
            screen.bench.show_screen("monitor", run_id=OTHER)
            await shows(pilot, OTHER, "60/60", "page 1 of 2")
            assert "pinned" not in page(pilot), "each run has its own pins"
            screen.bench.show_screen("monitor", run_id=RUN)
            await shows(pilot, "1 pinned", "◆ ")

    asyncio.run(scenario())


def test_two_runs_in_one_chart_with_a_legend_and_their_values_as_csv(workspace: Workspace) -> None:
    finished(workspace, RUN)
    finished(workspace, OTHER, 60)

    async def scenario() -> None:
        async with workbench(workspace, "monitor", (120, 40)) as pilot:
            screen = front(pilot, MonitorScreen)
            screen.bench.show_screen("monitor", run_id=RUN)
            await shows(pilot, RUN, "rewards/margins")
            await pilot.press("u")
            await until(pilot, lambda: isinstance(pilot.app.screen, RunPicker), "the picker")
            await until(pilot, lambda: pilot.app.screen.query_one(Input).has_focus, "its search box")
            await pilot.press("enter", "escape")
            await shows(pilot, f"● {RUN}", f"▲ {OTHER}", "60/60")
            await until(pilot, lambda: page(pilot).count("▲") >= 5, "a value of each run in each chart")
            whole = legend(pilot)
            assert whole == [f"● {RUN} ✓ 40/40   ▲ {OTHER} ✓ 60/60"]
            await pilot.resize_terminal(60, 24)
            await until(pilot, lambda: legend(pilot) == whole[0].split("   "), "a row for each run")
            await pilot.resize_terminal(120, 40)
            await pilot.press("w")
            await shows(pilot, "values as CSV")
            await pilot.press("c")
            await until(pilot, lambda: list(workspace.exports.glob("*.csv")), "the file")

    asyncio.run(scenario())
    (file,) = workspace.exports.glob("*.csv")
    with file.open() as stream:
        rows = list(csv.DictReader(stream))
    losses = [row for row in rows if row["metric"] == "loss"]
    assert {row["run"] for row in losses} == {RUN, OTHER}
    assert len(losses) == 100
    assert [row["step"] for row in losses if row["not_finite"] == "1"] == ["7", "7"]
    assert all(row["mean"] == "" for row in losses if row["step"] == "7")
    seconds = [float(row["seconds"]) for row in losses if row["run"] == RUN]
    assert seconds == sorted(seconds)


def test_a_legend_of_many_runs_says_how_many_it_leaves_out(workspace: Workspace) -> None:
    for n in range(8):
        finished(workspace, f"dpo-1129-1740-run{n}")

    async def scenario() -> None:
        async with workbench(workspace, "monitor", (80, 24)) as pilot:
            await shows(pilot, "rewards/margins")
            bench = front(pilot, MonitorScreen).bench
            runs = await bench.link.call(lambda client: client.runs())
            bench.show_screen("monitor", run_id=runs[0].id, over=runs[1:])
            await shows(pilot, f"● {runs[0].id}", runs[5].id, "+2 more")
            assert runs[6].id not in page(pilot)

    asyncio.run(scenario())


def test_a_picture_is_written_and_never_over_another(workspace: Workspace) -> None:
    finished(workspace, RUN)

    async def scenario() -> None:
        async with workbench(workspace, "monitor", (120, 40)) as pilot:
            await shows(pilot, "rewards/margins")
            for _ in range(2):
                await pilot.press("tab", "w")
                await shows(pilot, "s SVG")
                await pilot.press("s")
                await until(pilot, lambda: list(workspace.exports.glob("*.svg")), "a picture")
                await pilot.press("shift+tab")
            await until(pilot, lambda: len(list(workspace.exports.glob("*.svg"))) == 2, "a second one")

    asyncio.run(scenario())
    texts = [file.read_text() for file in workspace.exports.glob("*.svg")]
    assert all(text.startswith("<svg") and RUN in text for text in texts)


def test_an_alarm_is_seen_snoozed_and_leads_to_its_step(workspace: Workspace) -> None:
    finished(workspace, RUN)

    async def scenario() -> None:
        async with workbench(workspace, "monitor", (120, 40)) as pilot:
            await shows(pilot, "a Alerts 1", "rewards/margins")
            await pilot.press("a")
            await shows(pilot, "the gradient is large", "1 not seen", "→ look at its samples")
            await pilot.press("space")
            await shows(pilot, "0 not seen")
            alerts = front(pilot, MonitorScreen).query_one(AlertsView)
            await pilot.press("z")
            await shows(pilot, "spike snoozed")
            assert alerts.run is not None
            assert alerts.run.snoozed.keys() == {"spike"}
            await pilot.press("space")
            await shows(pilot, "1 not seen")
            await pilot.press("enter")
            await until(pilot, lambda: page(pilot).count("at step 23") == 4, "the cursor at the alarm's step")
            await pilot.press("s")
            await shows(pilot, "step 20 (2 of 4)")

    asyncio.run(scenario())


def test_an_alarm_that_comes_while_one_watches_is_told_once(workspace: Workspace) -> None:
    folder = dpo_folder(workspace, RUN)
    job = live_job(folder)
    go(folder, 3)
    try:

        async def scenario() -> None:
            async with workbench(workspace, "monitor") as pilot:
                await shows(pilot, "3/40")
                rung: list[bool] = []
                pilot.app.bell = lambda: rung.append(True)  # type: ignore[method-assign]
                log = EventWriter(folder.events)
                log.write("alert", step=3, name="spike", message="the gradient is large", advice="")
                log.close()
                await until(pilot, lambda: rung, "the bell")
                await shows(pilot, "a Alerts 1")
                go(folder, 5)
                await shows(pilot, "5/40")
                assert len(rung) == 1

        asyncio.run(scenario())
    finally:
        job.kill()
        job.wait()


def test_a_run_that_is_gone_is_never_replaced_by_another(workspace: Workspace) -> None:
    finished(workspace, RUN)
    finished(workspace, OTHER)

    async def scenario() -> None:
        async with workbench(workspace, "monitor", (80, 24)) as pilot:
            screen = front(pilot, MonitorScreen)
            screen.bench.show_screen("monitor", run_id=RUN)
            await shows(pilot, RUN, "rewards/margins")
            shutil.rmtree(workspace.runs / RUN)
            screen.look_now()
            await shows(pilot, f"{RUN} is gone", "the list of runs")
            screen.look_now()
            await pilot.pause()
            assert screen.run is None
            assert OTHER not in page(pilot)
            screen.bench.show_screen("runs")
            screen.bench.show_screen("monitor")
            await shows(pilot, OTHER, "rewards/margins")

    asyncio.run(scenario())


def test_what_is_typed_with_the_key_of_a_dialog_is_typed_into_it(workspace: Workspace) -> None:
    finished(workspace, RUN)
    finished(workspace, OTHER)

    async def scenario() -> None:
        async with workbench(workspace, "monitor", (80, 24)) as pilot:
            await shows(pilot, "rewards/margins")
            for keys in ("mkl", "uabd"):
                for key in keys:
                    pilot.app.post_message(events.Key(key, key))
                await until(pilot, lambda: len(pilot.app.screen_stack) > 1, "the dialog")
                box = pilot.app.screen.query_one(Input)
                await until(pilot, lambda box=box, typed=keys[1:]: box.value == typed, "what was typed")
                await pilot.press("escape")
                await until(pilot, lambda: len(pilot.app.screen_stack) == 1, "the Monitor")
            for screen, keys, selector in (("runs", "/1a2", "#runs-input"), ("data", "/1b2", "#search")):
                front(pilot, WorkbenchScreen).bench.show_screen(screen)
                await until(pilot, lambda screen=screen: screen == front(pilot, WorkbenchScreen).KEY, screen)
                await shows(pilot, "filter" if screen == "runs" else "search")
                for key in keys:
                    pilot.app.post_message(events.Key("slash" if key == "/" else key, key))
                box = pilot.app.screen.query_one(selector, Input)
                await until(pilot, lambda box=box, typed=keys[1:]: box.value == typed, "what was typed")

    asyncio.run(scenario())
