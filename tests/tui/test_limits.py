"""Alarm limits edited where they stand, on the monitor's alerts: what is typed reaches the run's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from rlft_tui.cli.main import run as rlft
from rlft_tui.paths import Workspace
from rlft_tui.runs.changes import read_changes
from rlft_tui.runs.run_event import EventReader, EventWriter
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.tui.screens.monitor import MonitorScreen
from rlft_tui.tui.views.alerts_view import AlertsView
from tests.tui.bench import front, page, shows, until, vanishes, workbench
from tests.tui.run_folders import begin, dpo_folder, live_job, train

RUN = "dpo-1129-1742-a6td"


def controls(folder: RunFolder) -> list[str]:
    return [str(e.fields["asked"]) for e in EventReader(folder.events).read() if e.kind == "control"]


def noticed(pilot: Pilot[Any], text: str) -> bool:
    """Whether a notice holds this, however its lines are broken."""
    return any(text in one.message for one in pilot.app._notifications)


def test_limits_are_edited_in_place_and_from_the_command_line(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    folder = dpo_folder(workspace, RUN)
    job = live_job(folder)

    async def scenario() -> None:
        async with workbench(workspace, "monitor", (100, 30)) as pilot:
            await shows(pilot, "running", RUN)
            await pilot.press("a")
            await shows(pilot, "nothing to report")
            await pilot.press("e")
            await shows(pilot, "setting", "kl_warning", "alarm limits and intervals")
            view = front(pilot, MonitorScreen).query_one(AlertsView)
            names = [one.name for one in view.limits.settings]
            assert {"kl_warning", "kl_critical", "sample_every", "evaluate_every"} <= set(names)
            await pilot.press("home", *["down"] * names.index("kl_warning"), "enter")
            await shows(pilot, "enter takes it, escape drops it")
            await pilot.press("1", "5", "enter")
            await until(pilot, lambda: "kl_warning           15         10" in page(pilot), "the new limit")
            assert read_changes(folder) == {"alarms.kl_warning": 15.0}
            # What no run can use is refused in one line, and the old value stays.
            await pilot.press("enter", "minus", "3", "enter")
            await until(
                pilot, lambda: noticed(pilot, "kl_warning: input should be greater than 0"), "the refusal"
            )
            assert read_changes(folder) == {"alarms.kl_warning": 15.0}
            await pilot.press("enter", "7", "escape", "backspace")
            await vanishes(pilot, "15         10")
            await pilot.press("escape")
            await shows(pilot, "nothing to report")

    try:
        asyncio.run(scenario())
        monkeypatch.setenv("RLFT_WORKSPACE", str(workspace.root))
        assert rlft(["runs", "set", RUN, "sample-every=20", "kl=pause", "--json"]) == 0
        said = {one["name"]: (one["value"], one["launched"]) for one in json.loads(capsys.readouterr().out)}
        assert (said["sample_every"], said["kl"], said["kl_warning"]) == (
            ("20", "10"),
            ("pause", "notify"),
            ("10", "10"),
        )
        assert rlft(["runs", "set", RUN, "kl_warn=3"]) == 2
        assert "Did you mean kl_warning?" in capsys.readouterr().err
        assert rlft(["runs", "set", RUN, "kl_warning"]) == 2
        assert "not NAME=VALUE" in capsys.readouterr().err
        asked = controls(folder)
        assert asked[:2] == ["change kl_warning 10 → 15", "change kl_warning 15 → 10"]
        assert len(asked) == 3
    finally:
        job.kill()
        job.wait()


def test_a_finished_run_is_left_as_it_is(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.tui.run_folders import end_well

    folder = dpo_folder(workspace, RUN)
    log = EventWriter(folder.events)
    begin(log)
    train(log, 1, 3)
    log.close()
    end_well(folder)
    assert rlft(["-w", str(workspace.root), "runs", "set", RUN, "kl_warning=15"]) == 2
    assert "the run has finished" in capsys.readouterr().err
    assert rlft(["-w", str(workspace.root), "runs", "set", RUN]) == 0
    assert "kl_warning" in capsys.readouterr().out
    assert not folder.changes.exists()
