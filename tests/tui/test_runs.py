"""The table of runs on real run folders through the real server."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from textual.pilot import Pilot

from rlft_tui.paths import Workspace
from rlft_tui.runs import launcher
from rlft_tui.runs.queue_place import QueuePlace
from rlft_tui.runs.run_event import EventWriter
from rlft_tui.runs.run_status import Exit
from rlft_tui.tui.list_pane import ListPane
from rlft_tui.tui.screens.launch import LaunchScreen
from rlft_tui.tui.screens.monitor import MonitorScreen
from rlft_tui.tui.screens.runs import RunsScreen
from rlft_tui.tui.views.curves_view import CurvesView
from tests.runs.conftest import end_all
from tests.runs.scripted import TRAINING, dpo_spec, start_job
from tests.tui.bench import SIZES, front, page, shows, until, vanishes, workbench
from tests.tui.run_folders import (
    begin,
    dpo_folder,
    end_killed,
    end_well,
    generate_folder,
    go,
    live_job,
    train,
)


def three_runs(workspace: Workspace) -> None:
    """A generate run, then a finished and a killed DPO run; the killed one is the newest."""
    pairs = generate_folder(workspace, "generate-1129-1700-aaaa")
    log = EventWriter(pairs.events)
    begin(log, method="generate", steps=80)
    log.metrics(80, {"tokens_per_second": 90.0}, {}, steps=80)
    log.write("end", status="finished", pairs=str(pairs.pairs))
    log.close()
    pairs.pairs.write_text("")
    pairs.write_exit(Exit(0, None, "finished", time.time()))
    for run_id, last in (("dpo-1129-1710-bbbb", 40), ("dpo-1129-1720-cccc", 26)):
        folder = dpo_folder(workspace, run_id)
        log = EventWriter(folder.events)
        begin(log)
        train(log, 1, last)
        log.write("checkpoint", step=20, path=str(folder.checkpoints / "checkpoint-20"), verified=True)
        log.close()
        if last == 40:
            end_well(folder)
        else:
            end_killed(folder)


@pytest.mark.parametrize("size", SIZES)
def test_runs_newest_first_with_status_in_shape_and_word(workspace: Workspace, size: tuple[int, int]) -> None:
    three_runs(workspace)

    async def scenario() -> None:
        async with workbench(workspace, "runs", size) as pilot:
            await shows(pilot, "✗ killed", "✓ finished", "80 pairs", "26/40")
            lines = front(pilot, RunsScreen).query_one(ListPane).lines
            assert [line.split()[0] for line in lines] == [
                "dpo-1129-1720-cccc",
                "dpo-1129-1710-bbbb",
                "generate-1129-1700-aaaa",
            ]
            await shows(pilot, "killed by SIGKILL, perhaps out of memory", "r resumes from checkpoint 20")
            if size == (160, 48):
                assert all("smollm2-135m" in line for line in lines)

    asyncio.run(scenario())


def test_enter_opens_the_run_under_the_cursor(workspace: Workspace) -> None:
    three_runs(workspace)

    async def scenario() -> None:
        async with workbench(workspace, "runs") as pilot:
            await shows(pilot, "dpo-1129-1710-bbbb")
            await pilot.press("down", "enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, MonitorScreen), "the monitor")
            await shows(pilot, "✓ finished dpo-1129-1710-bbbb")
            await pilot.press("escape")
            await shows(pilot, "generate-1129-1700-aaaa")

    asyncio.run(scenario())


def test_deleting_asks_first(workspace: Workspace) -> None:
    three_runs(workspace)
    folder = workspace.runs / "dpo-1129-1720-cccc"

    async def scenario() -> None:
        async with workbench(workspace, "runs") as pilot:
            await shows(pilot, "✗ killed")
            await pilot.press("d")
            await shows(pilot, "delete dpo-1129-1720-cccc and its folder?")
            await pilot.press("n")
            await vanishes(pilot, "and its folder?")
            assert folder.exists()
            await pilot.press("d", "y")
            await vanishes(pilot, "dpo-1129-1720-cccc")
            assert not folder.exists()

    asyncio.run(scenario())


def test_a_live_run_moves_and_the_cursor_stays_on_its_run(workspace: Workspace) -> None:
    three_runs(workspace)
    folder = dpo_folder(workspace, "dpo-1129-1730-dddd")
    job = live_job(folder)
    try:

        async def scenario() -> None:
            async with workbench(workspace, "runs") as pilot:
                await shows(pilot, "▶ running")
                await pilot.press("down")
                await shows(pilot, "r resumes from checkpoint 20")
                go(folder, 7)
                await shows(pilot, "7/40")
                newer = dpo_folder(workspace, "dpo-1129-1740-eeee")
                begin(EventWriter(newer.events))
                await shows(pilot, "dpo-1129-1740-eeee")
                assert front(pilot, RunsScreen).query_one(ListPane).key == "dpo-1129-1720-cccc"

        asyncio.run(scenario())
    finally:
        job.kill()
        job.wait()


def test_an_empty_workspace_says_how_to_begin(workspace: Workspace) -> None:
    async def scenario() -> None:
        async with workbench(workspace, "runs") as pilot:
            await shows(pilot, "No runs yet: l launches one")
            await pilot.press("enter", "x", "r", "d")
            await pilot.press("l")
            await until(pilot, lambda: isinstance(pilot.app.screen, LaunchScreen), "the launch form")
            await shows(pilot, "begin with", "No model yet: rlft models pull smollm2-135m")
            assert "Traceback" not in page(pilot)

    asyncio.run(scenario())


def names(pilot: Pilot[Any]) -> list[str]:
    return [line.split()[0] for line in front(pilot, RunsScreen).query_one(ListPane).lines]


def test_an_unmarked_run_is_opened_alone_whatever_is_marked(workspace: Workspace) -> None:
    three_runs(workspace)

    async def scenario() -> None:
        async with workbench(workspace, "runs") as pilot:
            await shows(pilot, "✗ killed")
            await pilot.press("space", "space")
            await shows(pilot, "2 marked")
            for key, runs in (("home", 2), ("end", 1), ("home", 2)):
                await pilot.press(key, "enter")
                await until(pilot, lambda: isinstance(pilot.app.screen, MonitorScreen), "the monitor")
                curves = front(pilot, MonitorScreen).query_one(CurvesView)
                await until(pilot, lambda: len(curves.runs) == runs, f"{runs} runs")  # noqa: B023
                await pilot.press("escape")
                await shows(pilot, "2 marked")
            await pilot.press("home", "space", "home", "enter")
            await until(pilot, lambda: len(curves.runs) == 1, "the run alone, its mark taken away")

    asyncio.run(scenario())


def test_the_line_is_changed_and_a_run_paused_and_killed_by_keys(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = start_job(workspace.runs, TRAINING, "dpo-1")
    for order, name in ((1.0, "dpo-2"), (2.0, "dpo-3")):
        launcher.prepare(
            workspace.runs, dpo_spec(name), dataset=workspace.datasets, place=QueuePlace(order, 0, 0.0)
        )

    async def scenario() -> None:
        async with workbench(workspace, "runs") as pilot:
            await shows(pilot, "… queued 1", "… queued 2", "▶ running")
            assert names(pilot) == ["dpo-1", "dpo-2", "dpo-3"], "the line as it will start"
            told: list[str] = []
            monkeypatch.setattr(front(pilot, RunsScreen), "notify", lambda text, **how: told.append(text))
            await pilot.press("end", "J")
            await until(pilot, lambda: told == ["dpo-3 is last of 2 in line already"], "the reason")
            await pilot.press("K")
            await shows(pilot, "1 of 2 in line")
            assert names(pilot) == ["dpo-1", "dpo-3", "dpo-2"], "up in the line is up on the screen"
            await pilot.press("p")
            await shows(pilot, "‖ paused", "r puts it back in line", "launched just now", "r resume")
            await vanishes(pilot, "p pause")
            await pilot.press("r")
            await shows(pilot, "1 of 2 in line", "p pause")
            await vanishes(pilot, "r resume")
            await pilot.press("p")
            await shows(pilot, "‖ paused", "r resume")
            assert names(pilot) == ["dpo-1", "dpo-2", "dpo-3"]
            await pilot.press("up", "x")
            await shows(pilot, "take dpo-2 out of the line?")
            await pilot.press("y")
            await shows(pilot, "■ cancelled", "r puts it back in line")
            await pilot.press("home", "X")
            await shows(pilot, "kill dpo-1, losing what came after its last checkpoint?")
            await pilot.press("y")
            await shows(pilot, "✗ killed", "killed on request")

    try:
        asyncio.run(scenario())
    finally:
        end_all(workspace.runs)
    assert not launcher.is_active(going)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_key_bar_of_another_machines_workspace_offers_what_its_server_does(
    workspace: Workspace, elsewhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    three_runs(workspace)

    async def scenario() -> None:
        async with workbench(workspace, "runs", (160, 24)) as pilot:
            front(pilot, RunsScreen).bench.elsewhere = elsewhere
            await shows(pilot, "dpo-1129-1720-cccc")
            await pilot.press("down", "up")

            def key_bar() -> str:
                return page(pilot).splitlines()[-1]

            await until(pilot, lambda: ("resume" in key_bar()) is not elsewhere, "the keys of a killed run")
            assert "monitor" in key_bar()
            assert ("delete" in key_bar()) is not elsewhere
            if elsewhere:
                told: list[str] = []
                monkeypatch.setattr(pilot.app, "notify", lambda message, **_: told.append(message))
                await pilot.press("r")
                assert told == ["resume: this is done on the workspace's own machine"]

    asyncio.run(scenario())
