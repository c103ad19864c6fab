"""The monitor's samples and output on real run folders: best and worst, diff, pairs, search, levels."""

from __future__ import annotations

import asyncio

from rlft_tui.client.connection import connect
from rlft_tui.paths import Workspace
from rlft_tui.runs.run_event import EventWriter
from rlft_tui.tui.screens.monitor import MonitorScreen
from rlft_tui.tui.views.log_view import LogView
from rlft_tui.tui.views.samples_view import SamplesView
from rlft_tui.tui.views.usage_view import LOW
from tests.tui.bench import front, page, shows, until, vanishes, workbench
from tests.tui.run_folders import begin, dpo_folder, end_well, train

RUN = "dpo-1129-1742-a6td"


def rewarded_run(workspace: Workspace) -> None:
    folder = dpo_folder(workspace, RUN)
    log = EventWriter(folder.events)
    begin(log)
    train(log, 1, 9)
    for step in (10, 20):
        for index, reward in enumerate((0.5, -1.0, 2.0)):
            log.write(
                "sample", step=step, index=index, prompt=f"Question {index}?", kl=1.0 + index, reward=reward,
                completion=f"The answer of step {step} to number {index}.", tokens=9,
                rewards={"length": reward / 2, "helpful": reward / 2},
            )  # fmt: skip
    log.close()
    end_well(folder)


def test_best_worst_diff_search_and_a_blind_pair(workspace: Workspace) -> None:
    rewarded_run(workspace)

    async def scenario() -> None:
        async with workbench(workspace, "monitor", (120, 40)) as pilot:
            await shows(pilot, "✓ finished")
            await pilot.press("s")
            await shows(pilot, "step 20 (2 of 2)", "reward 0.500 (length 0.250 + helpful 0.250)", "-1.000")
            await pilot.press("w")
            await shows(pilot, "Question 1?", "reward -1.000")
            await pilot.press("b")
            await shows(pilot, "Question 2?", "reward 2.000", "The answer of step 20 to number 2.")
            await pilot.press("d")
            await shows(pilot, "diff with step 10", "The answer of step 10 to number 2.")
            await pilot.press("d", "d")
            await vanishes(pilot, "The answer of step 10 to number 2.")
            await pilot.press("v")
            await shows(pilot, "by reward")
            view = front(pilot, MonitorScreen).query_one(SamplesView)
            assert view.book.indexes == [2, 0, 1]
            await pilot.press("slash", *"step 10 to number 1", "enter")
            await shows(pilot, "1 hit", "step 10 (1 of 2)", "The answer of step 10 to number 1.")
            await pilot.press("space", "right_square_bracket")
            await shows(pilot, "The answer of step 20 to number 1.")
            await pilot.press("l")
            with connect(workspace) as client:
                await until(pilot, lambda: client.pairs().total == 1, "the pair")
                pair = client.pairs().pairs[0]
                await pilot.press("l")
                await pilot.pause(0.3)
                assert client.pairs().total == 1, "the same two samples are one pair"
            assert {pair.response_a, pair.response_b} == {
                f"The answer of step {step} to number 1." for step in (10, 20)
            }
            assert {pair.model_a, pair.model_b} == {f"{RUN}@10", f"{RUN}@20"}

    asyncio.run(scenario())


def test_output_is_paged_searched_filtered_and_led_to_its_traceback(workspace: Workspace) -> None:
    rewarded_run(workspace)
    lines = [f"INFO line {n}" for n in range(20_000)]
    lines[500] = "UserWarning: early"
    lines[12_000:12_000] = [
        "Traceback (most recent call last):",
        '  File "x"',
        "ValueError: bad \x1b[31mred\x1b[0m",
    ]
    (workspace.runs / RUN / "output.log").write_text("\n".join(lines) + "\n")

    async def scenario() -> None:
        async with workbench(workspace, "monitor", (100, 30)) as pilot:
            await shows(pilot, "✓ finished")
            await pilot.press("o")
            await shows(pilot, "line 19999", "the end shown")
            await pilot.press("t")
            await shows(pilot, "Traceback (most recent call last):", "ValueError: bad red", "line 11999")
            assert "\x1b" not in page(pilot)
            await pilot.press("slash", *"/line 1999./", "enter")
            await shows(pilot, "line 19999", "/line 1999./")
            await pilot.press("N")
            view = front(pilot, MonitorScreen).query_one(LogView)
            await shows(pilot, "line 19993")
            assert "line 19992" not in page(pilot), "five lines above the hit before"
            await pilot.press("ctrl+home")
            await shows(pilot, "line 0", "0 B of")
            await pilot.press("left_square_bracket")
            await pilot.press("f")
            await shows(pilot, "warnings · 3 lines", "UserWarning: early", "ValueError: bad red")
            await pilot.press("home", "enter")
            await shows(pilot, "line 499", "UserWarning: early", "line 501")
            await pilot.press("e")
            await shows(pilot, "line 19999", "the end shown")
            assert view.where == "end"
            with (workspace.runs / RUN / "output.log").open("a") as stream:
                stream.write("a new line\n")
            await shows(pilot, "a new line")

    asyncio.run(scenario())


def test_at_80_columns_the_tabs_are_whole_where_they_fit_and_a_diff_names_its_step(
    workspace: Workspace,
) -> None:
    rewarded_run(workspace)

    async def scenario() -> None:
        async with workbench(workspace, "monitor", (80, 24)) as pilot:
            await shows(pilot, "✓ finished", "d Usage", "page 1 of")
            await pilot.press("s", "d")
            await shows(pilot, "step 20 (2 of 2) · prompt 1 of 3", "diff with step 10 (above) · reward 0.500")

    asyncio.run(scenario())


def test_usage_shows_pages_of_charts_that_have_room_for_a_curve(workspace: Workspace) -> None:
    rewarded_run(workspace)

    async def scenario() -> None:
        async with workbench(workspace, "monitor", (80, 24)) as pilot:
            await shows(pilot, "✓ finished")
            await pilot.press("d")
            await shows(pilot, "page 1 of", "machine CPU", "machine memory")
            charts = [
                chart for chart in front(pilot, MonitorScreen).query("UsageView Chart") if chart.display
            ]
            assert [chart.size.height >= LOW for chart in charts] == [True, True]
            await pilot.press("right_square_bracket")
            await shows(pilot, "page 2 of", "machine disk")
            await vanishes(pilot, "machine CPU")
            await pilot.press("left_square_bracket")
            await shows(pilot, "page 1 of", "machine CPU")

    asyncio.run(scenario())
