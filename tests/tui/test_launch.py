"""Launching from the form: the same run as the command it shows."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.datasets.dataset import DatasetSpec
from rlft_tui.paths import Workspace
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import read_spec
from rlft_tui.runs.run_status import ACTIVE
from rlft_tui.runs.specs.dpo import DpoSpec
from rlft_tui.runs.specs.generate import GenerateSpec
from rlft_tui.tui.screens.launch import LaunchScreen
from rlft_tui.tui.screens.monitor import MonitorScreen
from rlft_tui.tui.views.field_rows import FieldRow
from rlft_tui.tui.widgets.choice_line import ChoiceLine
from tests.conftest import wait_for
from tests.tui.bench import front, page, shows, until, vanishes, workbench
from tests.tui.conftest import label


@pytest.fixture
def dataset(client: WorkspaceClient, tiny_models: tuple[str, str]) -> str:
    """Hash of a data set made of twenty verdicts."""
    label(client, 20)
    return client.build_dataset(DatasetSpec(name="first")).hash


def end_run(client: WorkspaceClient, workspace: Workspace) -> str:
    """Kill the job of the one run there is and wait until its keeper has recorded that; its id."""
    (run,) = client.runs()
    folder = RunFolder(workspace.runs / run.id)

    def job() -> int:
        attempt = folder.read_attempt()
        return attempt.job_pid if attempt is not None else 0

    wait_for(job, "the job to start")
    with contextlib.suppress(ProcessLookupError):
        os.kill(job(), signal.SIGKILL)
    wait_for(lambda: client.run(run.id).status not in ACTIVE, "the run to end", 120.0)
    return run.id


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_the_form_suggests_checks_and_previews(
    workspace: Workspace, dataset: str, size: tuple[int, int]
) -> None:
    async def scenario() -> None:
        async with workbench(workspace, "launch", size) as pilot:
            await shows(pilot, "begin with", "tiny-", "first", "train ·", "held out", "Ready: ctrl+s")
            await shows(pilot, "≈ 10.0 epochs of 16 rows")
            screen = front(pilot, LaunchScreen)
            if size == (120, 40):
                await shows(pilot, "Model and data", "output name")
            else:
                assert not screen.query("#field-output_name")
            field = screen.query_one("#field-max_steps", Input)
            assert field.has_focus
            field.value = "-1"
            await shows(pilot, "✗ must be greater than or equal to 0"[: size[0] // 3], "1 field to put right")
            await pilot.press("ctrl+s")
            assert isinstance(pilot.app.screen, LaunchScreen)
            field.value = "3"
            await shows(pilot, "--max-steps 3", "Ready: ctrl+s")
            await pilot.press("ctrl+n")
            await shows(pilot, "--preset quick", "--max-steps 3", "A first try")
            assert screen.query_one("#field-max_length", Input).value == "256"
            if size == (80, 24):
                await pilot.press("ctrl+o")
                await shows(pilot, "output name")
                await pilot.press("ctrl+o")
                await vanishes(pilot, "output name")

    asyncio.run(scenario())


def test_each_method_has_its_own_fields_and_is_left_as_it_was(workspace: Workspace, dataset: str) -> None:
    async def scenario() -> None:
        async with workbench(workspace, "launch", (120, 40)) as pilot:
            await shows(pilot, "Ready: ctrl+s", "beta", "rlft train dpo")
            screen = front(pilot, LaunchScreen)
            screen.query_one("#field-max_steps", Input).value = "9"
            method = screen.query_one("#method", ChoiceLine)
            method.focus()
            seen = {"dpo"}
            while method.value != "ppo":
                await pilot.press("right")
                await shows(pilot, f"$ rlft train {method.value}", f"{method.value}: ")
                seen.add(method.value)
            assert seen == {"dpo", "kto", "ppo"}
            await shows(pilot, "rewards", "length", "target kl")
            rewards = screen.query_one("#field-rewards", Input)
            rewards.value = "lenght"
            await shows(pilot, "✗ lenght: no built-in reward")
            rewards.focus()
            await shows(pilot, "Did you mean length?")
            method.focus()
            while method.value != "dpo":
                await pilot.press("left")
            await shows(pilot, "--max-steps 9", "Ready: ctrl+s")
            await until(pilot, lambda: screen.query("#field-backend"), "all settings")
            backend = screen.query_one("#field-backend", ChoiceLine)
            backend.focus()
            await pilot.press("right")
            await shows(pilot, "✗ needs a GPU, and there is none here: take plain", "1 field to put right")

    asyncio.run(scenario())


def test_launching_dpo_starts_the_run_that_the_command_names(
    workspace: Workspace, client: WorkspaceClient, dataset: str
) -> None:
    command = ""

    async def scenario() -> None:
        nonlocal command
        async with workbench(workspace, "launch", (160, 48)) as pilot:
            await shows(pilot, "Ready: ctrl+s")
            screen = front(pilot, LaunchScreen)
            screen.query_one("#field-max_steps", Input).value = "7"
            screen.query_one("#field-lora-r", Input).value = "4"
            screen.query_one("#field-learning_rate", Input).value = "1e-3"
            await shows(pilot, "--lora-r 4")
            assert screen.form is not None
            command = screen.form.command()
            assert f"$ {command}" in " ".join(page(pilot).split())
            await pilot.press("ctrl+s")
            await shows(pilot, "Launch with this?", "! the chosen answer is the longer one in 100%")
            await pilot.press("escape")
            await shows(pilot, "Ready: ctrl+s")
            assert client.runs() == ()
            await pilot.press("ctrl+s")
            await shows(pilot, "Launch with this?")
            await pilot.press("y")
            await until(pilot, lambda: isinstance(pilot.app.screen, MonitorScreen), "the monitor")
            await shows(pilot, "tiny-", "data set first")

    asyncio.run(scenario())
    run_id = end_run(client, workspace)
    spec = read_spec(workspace.runs / run_id / "run.toml")
    assert isinstance(spec, DpoSpec)
    assert (spec.max_steps, spec.lora.r, spec.lora.alpha, spec.learning_rate) == (7, 4, 32, 1e-3)
    assert spec.dataset == dataset
    said = meant(workspace, command)
    assert (said["max_steps"], said["lora"]["r"], said["learning_rate"]) == (7, 4, 1e-3)
    assert (said["model"], said["dataset"]) == (spec.model.name, dataset)


def meant(workspace: Workspace, command: str) -> dict[str, Any]:
    """What the command line understands by the command that the form showed."""
    program, *words = shlex.split(command)
    assert program == "rlft"
    rlft = Path(sys.executable).with_name("rlft")
    done = subprocess.run(
        [rlft, *words, "--toml", "--json"],
        env={**os.environ, "RLFT_WORKSPACE": str(workspace.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    values: dict[str, Any] = json.loads(done.stdout)
    return values


async def to_generate(pilot: Pilot[Any]) -> None:
    method = front(pilot, LaunchScreen).query_one("#method", ChoiceLine)
    while method.value != "generate":
        await pilot.press("ctrl+g")
    await shows(pilot, "rlft pairs generate")


def test_generating_pairs_takes_prompts_from_the_store(
    workspace: Workspace, client: WorkspaceClient, tiny_models: tuple[str, str]
) -> None:
    client.import_prompts("p.jsonl", b'{"prompt": "one"}\n{"prompt": "two"}\n{"prompt": "three"}\n')

    async def scenario() -> None:
        async with workbench(workspace, "launch") as pilot:
            await shows(pilot, "No data set yet")
            await to_generate(pilot)
            await shows(pilot, "Ready: ctrl+s", "rlft pairs generate")
            screen = front(pilot, LaunchScreen)
            screen.query_one("#field-prompts", Input).value = "2"
            screen.query_one("#field-sampling_b-temperature", Input).value = "1.5"
            await shows(pilot, "--count 2", "--temperature-b 1.5")
            await pilot.press("ctrl+s")
            await until(pilot, lambda: isinstance(pilot.app.screen, MonitorScreen), "the monitor")

    asyncio.run(scenario())
    run_id = end_run(client, workspace)
    spec = read_spec(workspace.runs / run_id / "run.toml")
    assert isinstance(spec, GenerateSpec)
    assert (spec.sampling_a.temperature, spec.sampling_b.temperature) == (0.8, 1.5)
    assert len((workspace.runs / run_id / "prompts.jsonl").read_text().splitlines()) == 2


def test_what_the_server_refuses_is_one_line(
    workspace: Workspace, client: WorkspaceClient, tiny_models: tuple[str, str]
) -> None:
    async def scenario() -> None:
        async with workbench(workspace, "launch") as pilot:
            await shows(pilot, "No data set yet")
            await to_generate(pilot)
            await shows(pilot, "Ready: ctrl+s")
            await pilot.press("ctrl+s")
            await shows(pilot, "there are no prompts yet")
            assert isinstance(pilot.app.screen, LaunchScreen)

    asyncio.run(scenario())


def test_a_field_that_reports_before_the_rows_below_it_are_filled_is_no_accident(
    workspace: Workspace, dataset: str
) -> None:
    async def scenario() -> None:
        async with workbench(workspace, "launch", (80, 24)) as pilot:
            await shows(pilot, "Ready: ctrl+s")
            screen = front(pilot, LaunchScreen)
            row = screen.query(FieldRow).last()
            await row.remove_children()
            screen.query_one("#field-max_steps", Input).value = "7"
            await shows(pilot, "$ rlft train dpo", "7")
            row.tell("now it is there", wrong=False)

    asyncio.run(scenario())
