"""The list of models: ratings, lineage, and what leads on from there."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace
from textual.widgets import Select

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.models.model import Model, Rating
from rlft_tui.paths import Workspace
from rlft_tui.runs.run_event import EventWriter
from rlft_tui.tui.list_pane import ListPane
from rlft_tui.tui.model_text import lineage, record, win_rate
from rlft_tui.tui.screens.compare import CompareScreen
from rlft_tui.tui.screens.models import ModelsScreen
from rlft_tui.tui.screens.monitor import MonitorScreen
from tests.tui.bench import SIZES, front, shows, until, workbench
from tests.tui.conftest import label
from tests.tui.run_folders import begin, dpo_folder, end_well, train


def test_win_rate_with_its_interval() -> None:
    assert win_rate(Rating("m", 6, 3, 1, 10, 65.0, 15.0, (35.5, 94.4))) == "65 % (36–94)"
    assert win_rate(Rating("m", 0, 0, 0, 0, 0.0, 0.0, (0.0, 0.0))) == "–"
    assert win_rate(None) == "–"


def test_the_record_has_strength_and_win_rate_at_equal_length() -> None:
    plain = Rating("m", 6, 3, 1, 10, 65.0, 15.0, (35.5, 94.4))
    assert record(plain) == "6 won · 3 lost · 1 tied of 10"
    full = replace(plain, bt=52.4, bt_ci95=(-3.0, 99.6), lc_win_rate=58.2, lc_ci95=(40.0, 70.0))
    assert record(full) == f"{record(plain)} · rating +52 (-3 to +100) · 58 % at equal length"
    assert record(None) == "no verdict yet that tells it from another model"


def test_lineage_goes_back_to_the_labels() -> None:
    model = Model("tuned", "adapter", "/t", base="base", run_id="dpo-1", dataset="abc")
    assert lineage(model, None, 80) == ["tuned ← base ← run dpo-1 ← data set abc"]
    assert lineage(model, None, 25) == ["tuned ← base ← run dpo-1", "  ← data set abc"]


@pytest.mark.parametrize("size", SIZES)
def test_models_with_ratings_lineage_and_what_leads_on(
    workspace: Workspace, client: WorkspaceClient, size: tuple[int, int], tiny_models: tuple[str, str]
) -> None:
    folder = dpo_folder(workspace, "dpo-1129-1700-aaaa")
    log = EventWriter(folder.events)
    begin(log)
    train(log, 1, 5)
    log.close()
    end_well(folder)
    assert client.run("dpo-1129-1700-aaaa").output_model == "dpo-1129-1700-aaaa"
    client.add_model(Model("base", "base", client.models()[0].path, created_at=1.0))
    label(client, 12)

    async def scenario() -> None:
        async with workbench(workspace, "models", size) as pilot:
            await shows(pilot, "tiny-one", "tiny-two", "dpo-1129-1700-aaaa", "100 %")
            screen = front(pilot, ModelsScreen)
            screen.query_one(ListPane).go_to("dpo-1129-1700-aaaa")
            await shows(pilot, "dpo-1129-1700-aaaa ← smollm2-135m ← run dpo-1129-1700-aaaa")
            await shows(pilot, "its base is not here: rlft models pull smollm2-135m")
            await pilot.press("p")
            await shows(pilot, "/runs/dpo-1129-1700-aaaa/model"[-20:] if size[0] > 80 else "/")
            await pilot.press("p", "o")
            await until(pilot, lambda: isinstance(pilot.app.screen, MonitorScreen), "the monitor")
            await shows(pilot, "✓ finished dpo-1129-1700-aaaa")
            await pilot.press("7")
            screen.query_one(ListPane).go_to("tiny-one")
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen), "compare")
            compare = front(pilot, CompareScreen)
            await until(pilot, lambda: compare.query_one("#model-0", Select).value == "tiny-one", "the base")

    asyncio.run(scenario())


def test_without_models_it_says_how_to_get_one(workspace: Workspace) -> None:
    async def scenario() -> None:
        async with workbench(workspace, "models") as pilot:
            await shows(pilot, "No models yet: rlft models pull smollm2-135m")
            await pilot.press("enter", "o", "p", "t")
            assert isinstance(pilot.app.screen, ModelsScreen)

    asyncio.run(scenario())
