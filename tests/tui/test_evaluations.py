"""The dashboard and the studies: figures, single items, a diff, a report, trials; at 80×24 and larger."""

from __future__ import annotations

import asyncio

from textual.widgets import ContentSwitcher

from rlft_tui.evaluations.evaluation import Evaluation
from rlft_tui.evaluations.report.board import make_board
from rlft_tui.paths import Workspace
from rlft_tui.tui.evaluation_lines import head_line, layout, row_line
from rlft_tui.tui.list_pane import ListPane
from rlft_tui.tui.screens.evaluations import EvaluationsScreen
from rlft_tui.tui.screens.studies import StudiesScreen
from rlft_tui.tuning.study import StudyFolder
from rlft_tui.tuning.study_spec import parse_study
from tests.evaluations.report.measured import three_models
from tests.tui.bench import front, page, shows, until, workbench


def test_figures_lead_to_the_items_behind_them(workspace: Workspace) -> None:
    three_models(workspace.runs)

    async def scenario() -> None:
        async with workbench(workspace, "models") as pilot:
            await pilot.press("e")
            await until(pilot, lambda: isinstance(pilot.app.screen, EvaluationsScreen), "the dashboard")
            screen = front(pilot, EvaluationsScreen)
            await shows(pilot, "sums accuracy", "text perplexity", "baseline base", "[ppo]", "≈", "✗")
            assert "✓ 3.16 ↓" in page(pilot)
            await pilot.press("right")
            await shows(pilot, "[tuned]", "better by more than chance", "McNemar")
            assert "✓" in page(pilot)

            await pilot.press("enter")
            await shows(pilot, "What is 0 + 0?", "tuned | base")
            everything = len(screen.items)
            await pilot.press("d")
            await until(pilot, lambda: 0 < len(screen.items) < everything, "the items that differ")
            await shows(pilot, "accuracy 1 | accuracy 0", "The answer is", "expected", "it was compared")
            assert "\x1b[31m" not in page(pilot)
            await pilot.press("x", "down", "x")
            await pilot.press("escape")
            await until(
                pilot, lambda: screen.query_one(ContentSwitcher).current == "board", "the board again"
            )

            await pilot.press("b")
            await shows(pilot, "baseline ppo")
            await pilot.press("s")
            await shows(pilot, "suite basics")
            await pilot.press("r")
            await until(pilot, lambda: list(workspace.exports.glob("report-*.html")), "the report")
            await pilot.press("escape")
            assert not isinstance(pilot.app.screen, EvaluationsScreen)

    asyncio.run(scenario())


def test_the_suite_key_goes_through_all_suites_and_back_to_none() -> None:
    screen = EvaluationsScreen()
    screen._suites = ("basics", "maths")
    seen = []
    for _ in range(4):
        screen.action_suite()
        seen.append(screen._suite)
    assert seen == ["basics", "maths", "", "basics"]


def test_columns_are_as_wide_as_the_terminal_lets_them() -> None:
    models = ["base", "tuned", "ppo", "kto", "sft"]
    found = [Evaluation(name, "s", "t", "perplexity", 3.0 + n, 9) for n, name in enumerate(models)]
    board = make_board(found, [], baseline="base", models=models)
    narrow, wide = layout(board, 80, "sft"), layout(board, 170, "sft")
    assert narrow.models == ("base", "ppo", "kto", "sft")
    assert wide.models == tuple(models)
    for at, width in ((narrow, 80), (wide, 170)):
        assert row_line(board, board.rows[0], at).cell_len <= width
        assert head_line(board, at, "sft").cell_len <= width
    assert "7.00 (↑ from 3.00)" in row_line(board, board.rows[0], wide).plain
    assert "7.00 ↑" in row_line(board, board.rows[0], narrow).plain


def test_a_study_shows_its_trials_and_what_matters(workspace: Workspace) -> None:
    spec = parse_study(
        {
            "metric": "heldout/loss",
            "trials": 8,
            "search": {"learning_rate": {"low": 1e-6, "high": 1e-2, "log": True}, "beta": [0.1, 0.2]},
        },
        where="beta.toml",
    )
    folder = StudyFolder.create(workspace.studies, spec)
    for number in range(8):
        trial = folder.ask()
        folder.report(number, [(1, 1.0), (2, 0.5)])
        if number == 6:
            folder.tell(number, "pruned", reason="worse than the median at step 2")
        elif number == 7:
            folder.tell(number, "failed", reason="out of memory")
        else:
            folder.tell(number, "complete", abs(trial.params["learning_rate"] - 1e-4) * 100)
    folder.set_status("finished")

    async def scenario() -> None:
        async with workbench(workspace, "runs") as pilot:
            await pilot.press("T")
            await until(pilot, lambda: isinstance(pilot.app.screen, StudiesScreen), "the studies")
            await shows(pilot, "beta", "✓ finished", "7/8", "minimize heldout/loss of dpo", "learning_rate")
            assert "%" in page(pilot)
            await pilot.press("enter")
            await shows(pilot, "✂ pruned", "✗ failed", "✓ complete", "best:")
            front(pilot, StudiesScreen).query_one("#trials", ListPane).go_to("7")
            await shows(pilot, "out of memory")
            await pilot.press("escape", "escape")
            assert not isinstance(pilot.app.screen, StudiesScreen)

    asyncio.run(scenario())
