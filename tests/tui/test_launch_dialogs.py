"""What the launch form asks and tells before a run: the clone, the proof, the dry run."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace
from textual.widgets import Input

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.datasets.dataset import DatasetCheck, DatasetSpec
from rlft_tui.paths import Workspace
from rlft_tui.runs.estimate import Estimate
from rlft_tui.tui.screens.estimate import EstimateScreen, estimate_lines
from rlft_tui.tui.screens.launch import LaunchScreen
from rlft_tui.tui.screens.proof import ProofScreen
from rlft_tui.tui.views.field_rows import FieldRow
from tests.tui.bench import front, shows, until, workbench
from tests.tui.conftest import label
from tests.tui.run_folders import dpo_folder

ESTIMATE = Estimate(
    steps=400,
    seconds=600.0,
    low_seconds=570.0,
    high_seconds=660.0,
    parts={"loading": 60.0, "training": 539.0, "saving": 1.0},
    memory_mb=2048.0,
    cuda_memory_mb=None,
    disk_mb=300.0,
    checkpoint_mb=30.0,
    model_mb=10.0,
    merged_mb=0.0,
    measured_steps=8,
    device="cpu",
    made=0.0,
    beside=1,
    notes=("out of memory at batch 4; batch 2 fits",),
    instead={"batch_size": 2, "gradient_checkpointing": True},
)


def test_an_estimate_says_what_takes_the_time_and_what_does_not_fit_first() -> None:
    lines = [line.plain for line in estimate_lines(ESTIMATE)]
    assert lines[0] == "! out of memory at batch 4; batch 2 fits"
    assert lines[1].split(maxsplit=1)[1] == "10m00s  (9m30s to 11m00s)"
    parts = {line.split()[0]: line.count("━") for line in lines if "━" in line}
    assert parts == {"loading": 2, "training": 22}
    assert any("2.0 GB" in line for line in lines)
    assert any("1 other run" in line for line in lines)


def test_clone_proof_and_dry_run_from_the_form(
    workspace: Workspace, client: WorkspaceClient, tiny_models: tuple[str, str]
) -> None:
    label(client, 4)
    client.build_dataset(DatasetSpec(name="first"))
    dpo_folder(workspace, "dpo-one", steps=7)

    async def scenario() -> None:
        async with workbench(workspace, "runs") as pilot:
            await shows(pilot, "dpo-one")
            await pilot.press("n")
            await shows(pilot, "clone  defaults", "high-performance", "$ rlft train dpo --clone dpo-one")
            screen = front(pilot, LaunchScreen)
            steps = screen.query_one("#field-max_steps", Input)
            assert steps.value == "7"
            assert screen.form is not None
            assert screen.form.values()["parent"] == "dpo-one"

            screen._estimated(screen.form, ESTIMATE)
            await shows(pilot, "400 steps would take", "u use the settings that fit", "training")
            await pilot.press("u")
            await shows(pilot, "--batch-size 2", "--gradient-checkpointing")
            assert screen.query_one("#field-batch_size", Input).value == "2"
            await pilot.press("ctrl+n")
            await shows(pilot, "defaults", "--batch-size 2")
            assert "--clone" not in screen.form.command()

            pilot.app.push_screen(ProofScreen(DatasetCheck(("it is empty",), ("it is small",))))
            await shows(pilot, "Cannot be launched", "✗ it is empty", "! it is small")
            await pilot.press("y")
            assert isinstance(pilot.app.screen, ProofScreen)
            await pilot.press("escape")
            await until(pilot, lambda: pilot.app.screen is screen, "the form")
            pilot.app.push_screen(EstimateScreen(replace(ESTIMATE, instead={})))
            await shows(pilot, "400 steps would take")
            await pilot.press("u")
            assert isinstance(pilot.app.screen, EstimateScreen)
            await pilot.press("enter")
            await until(pilot, lambda: pilot.app.screen is screen, "the form")

            await pilot.press("ctrl+g", "ctrl+g")
            await shows(pilot, "$ rlft train ppo")
            rewards = screen.query_one("#field-rewards", Input)
            rewards.focus()
            (row,) = [each for each in screen.query(FieldRow) if each.field.name == "rewards"]
            await shows(pilot, " ".join(row.field.help.split()[-2:]))

    asyncio.run(scenario())
