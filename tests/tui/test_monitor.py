"""The monitor on real run folders through the real server."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from functools import partial

import pytest
from textual.geometry import Region
from textual.widget import Widget

from rlft_tui.paths import Workspace
from rlft_tui.runs.run_event import EventWriter
from rlft_tui.runs.run_status import Exit
from rlft_tui.tui.screens.monitor import MonitorScreen
from rlft_tui.tui.widgets.text_pane import TextPane
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

RUN = "dpo-1129-1742-a6td"


def finished_run(workspace: Workspace, *, nan_at: int = -1, name: str = RUN) -> None:
    folder = dpo_folder(workspace, name)
    log = EventWriter(folder.events)
    begin(log)
    train(log, 1, 40, nan_at=nan_at)
    log.write("alert", step=23, name="nan", message="the loss is NaN", advice="lower the learning rate")
    log.close()
    end_well(folder)


@pytest.mark.parametrize("size", SIZES)
def test_a_finished_run_shows_curves_samples_output_and_alerts(
    workspace: Workspace, size: tuple[int, int]
) -> None:
    finished_run(workspace, nan_at=23)

    async def scenario() -> None:
        async with workbench(workspace, "monitor", size) as pilot:
            await shows(pilot, "✓ finished", RUN, "40/40", "loss", "rewards/margins")
            await shows(pilot, "✗1 NaN")
            if size == (160, 48):
                await shows(pilot, "rewards/accuracies", "kl/sequence", "nats/sequence", "page 1 of 2")
            else:
                await shows(pilot, "page 1 of 4")
                assert "kl/sequence" not in page(pilot)
                await pilot.press("right_square_bracket")
                await shows(pilot, "kl/sequence", "nats/sequence", "page 2 of 4")
            await pilot.press("s")
            await shows(pilot, "KL 16.000", "mean of the step 16.500", "12 tokens", "why is the sky blue?")
            await shows(pilot, "step 40 (4 of 4)", "prompt 1 of 2")
            await pilot.press("full_stop", "left")
            await shows(pilot, "step 30 (3 of 4)", "prompt 2 of 2", "KL 13.000", "At step 30 answer 1")
            await pilot.press("o")
            await shows(pilot, "loading smollm2-135m")
            await pilot.press("a")
            await shows(pilot, "step 23", "the loss is NaN", "lower the learning rate"[: size[0] // 6])

    asyncio.run(scenario())


def test_another_run_begins_with_its_curves_and_the_same_one_with_what_was_open(
    workspace: Workspace,
) -> None:
    other = "dpo-0101-0000-othr"
    finished_run(workspace)
    finished_run(workspace, name=other)

    async def scenario() -> None:
        async with workbench(workspace, "monitor") as pilot:
            screen = front(pilot, MonitorScreen)
            screen.bench.show_screen("monitor", run_id=RUN)
            await shows(pilot, RUN, "rewards/margins")
            await pilot.press("a")
            await shows(pilot, "the loss is NaN")
            screen.bench.show_screen("monitor", run_id=RUN)
            await pilot.pause()
            await shows(pilot, "the loss is NaN")
            screen.bench.show_screen("monitor", run_id=other)
            await shows(pilot, other, "rewards/margins")
            await vanishes(pilot, "the loss is NaN")

    asyncio.run(scenario())


def test_metrics_are_picked_by_search(workspace: Workspace) -> None:
    finished_run(workspace)

    async def scenario() -> None:
        async with workbench(workspace, "monitor") as pilot:
            await shows(pilot, "rewards/margins")
            await pilot.press("m")
            await shows(pilot, "search the metrics")
            await pilot.press(*"grad")
            await vanishes(pilot, "kl/sequence")
            await pilot.press("enter", "escape")
            await shows(pilot, "grad_norm", "1 picked", "page 1 of 1")
            await vanishes(pilot, "rewards/margins")

    asyncio.run(scenario())


def test_a_run_of_ten_thousand_metrics_is_shown_and_its_pages_turn(workspace: Workspace) -> None:
    folder = dpo_folder(workspace, RUN)
    log = EventWriter(folder.events)
    begin(log)
    for step in range(1, 4):
        log.metrics(step, {f"key{number}/x": step + number for number in range(10_000)}, steps=3)
    log.close()
    end_well(folder)

    async def scenario() -> None:
        async with workbench(workspace, "monitor") as pilot:
            await shows(pilot, "page 1 of 5000", "key0/x")
            await pilot.press("right_square_bracket")
            await shows(pilot, "page 2 of 5000", "key2/x")

    asyncio.run(scenario())


def test_the_cursor_on_a_curve_turns_to_that_steps_samples(workspace: Workspace) -> None:
    finished_run(workspace)

    async def scenario() -> None:
        async with workbench(workspace, "monitor") as pilot:
            await shows(pilot, "rewards/margins")
            await pilot.press("s")
            await shows(pilot, "step 40 (4 of 4)")
            await pilot.press("c")
            await pilot.press("tab", "shift+left", "shift+left", "shift+left")
            await until(pilot, lambda: page(pilot).count("at step 2") == 2, "one step under both cursors")
            await pilot.press("s")
            await shows(pilot, "step 20 (2 of 4)")

    asyncio.run(scenario())


def test_a_live_run_grows_on_the_screen_and_its_death_is_shown_with_cause_and_remedy(
    workspace: Workspace,
) -> None:
    folder = dpo_folder(workspace, RUN)
    job = live_job(folder)
    try:

        async def scenario() -> None:
            async with workbench(workspace, "monitor") as pilot:
                await shows(pilot, "▶ running")
                await shows(pilot, "no metrics yet")
                go(folder, 3)
                await shows(pilot, "3/40", "loss", "rewards/margins")
                go(folder, 12)
                await shows(pilot, "12/40", "812 MB")
                await pilot.press("s")
                await shows(pilot, "step 10 (1 of 1)")
                await pilot.press("o")
                await shows(pilot, "reached step 12")
                go(folder, 14)
                await shows(pilot, "reached step 14")
                with folder.output.open("ab") as output:
                    output.write(b"RuntimeError: \x1b[31mit broke\x1b[0m\n")
                end_killed(folder)
                job.kill()
                job.wait()
                await shows(pilot, "✗ killed", "SIGKILL", "it broke", "r starts it again")
                assert "\x1b" not in page(pilot)
                assert front(pilot, MonitorScreen).check_action("resume", ())
                assert not front(pilot, MonitorScreen).check_action("stop", ())

        asyncio.run(scenario())
    finally:
        job.kill()
        job.wait()


def test_a_job_that_vanishes_without_a_record_is_lost(workspace: Workspace) -> None:
    folder = dpo_folder(workspace, RUN)
    job = live_job(folder)
    go(folder, 5)
    try:

        async def scenario() -> None:
            async with workbench(workspace, "monitor") as pilot:
                await shows(pilot, "5/40")
                os.kill(job.pid, signal.SIGKILL)
                job.wait()
                await shows(pilot, "? lost", "left no record")

        asyncio.run(scenario())
    finally:
        job.kill()
        job.wait()


def test_stop_asks_once_and_then_reaches_the_job(workspace: Workspace) -> None:
    folder = dpo_folder(workspace, RUN)
    job = live_job(folder)
    try:

        async def scenario() -> None:
            async with workbench(workspace, "monitor") as pilot:
                await shows(pilot, "▶ running")
                await pilot.press("x", "n")
                assert job.poll() is None
                assert not folder.stop_request.exists()
                await pilot.press("x")
                await shows(pilot, "stop after a checkpoint?")
                await pilot.press("y")
                await until(pilot, lambda: job.poll() is not None, "the job to end")
                await shows(pilot, "■ stopped as asked")

        asyncio.run(scenario())
    finally:
        job.kill()
        job.wait()


def test_a_generate_run_shows_pairs_and_tokens_a_second(workspace: Workspace) -> None:
    folder = generate_folder(workspace, "generate-1129-1700-abcd")
    log = EventWriter(folder.events)
    begin(log, method="generate", steps=80)
    for step in range(8, 81, 8):
        log.metrics(step, {"tokens_per_second": 91.0}, {"tokens_per_second": "tokens/s"}, steps=80)
    log.write("end", status="finished", pairs=str(folder.pairs))
    log.close()
    folder.pairs.write_text("")
    folder.write_exit(Exit(0, None, "finished", time.time()))

    async def scenario() -> None:
        async with workbench(workspace, "monitor") as pilot:
            await shows(pilot, "✓ finished", "80/80 pairs", "91 tokens/s", "tokens_per_second")

    asyncio.run(scenario())


def note_and_refresh(painted: list[Widget], widget: Widget, *regions: Region, **how: bool) -> Widget:
    painted.append(widget)
    return type(widget).refresh(widget, *regions, **how)


def test_an_ended_run_is_read_without_being_painted_again(workspace: Workspace) -> None:
    finished_run(workspace)

    async def scenario() -> None:
        async with workbench(workspace, "monitor") as pilot:
            await shows(pilot, "✓ finished", "rewards/margins")
            screen = front(pilot, MonitorScreen)
            await screen.look()
            await pilot.pause()
            before = page(pilot)
            painted: list[Widget] = []
            for widget in screen.walk_children():
                widget.refresh = partial(note_and_refresh, painted, widget)  # type: ignore[method-assign]
            for _ in range(3):
                assert await screen.look() > 1.0
            await pilot.pause()
            assert painted == []
            assert page(pilot) == before

    asyncio.run(scenario())


def test_output_that_is_longer_than_a_page_is_followed_at_its_end(workspace: Workspace) -> None:
    finished_run(workspace)
    output = workspace.runs / RUN / "output.log"
    output.write_text("".join(f"line {n}\n" for n in range(20_000)))

    async def scenario() -> None:
        async with workbench(workspace, "monitor") as pilot:
            await shows(pilot, "✓ finished")
            await pilot.press("o")
            await shows(pilot, "line 19999", "the end shown")
            pane = front(pilot, MonitorScreen).query_one("#log-text", TextPane)
            assert len(pane.text) <= 65536

    asyncio.run(scenario())


def test_no_run_at_all(workspace: Workspace) -> None:
    async def scenario() -> None:
        async with workbench(workspace, "monitor") as pilot:
            await shows(pilot, "No runs yet")
            assert "┤" not in page(pilot), "no axes without a run"

    asyncio.run(scenario())
