"""Dry runs over the API: stages as they come, an estimate that stays with the launch, nothing left behind."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import psutil
import pytest

from rlft_tui.config import Settings, create_workspace
from rlft_tui.database.connection import Database, open_database
from rlft_tui.errors import RlftError
from rlft_tui.paths import Workspace
from rlft_tui.runs.estimate import outcome, read_estimate
from rlft_tui.runs.extrapolate import keep_estimate
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import parse_spec
from rlft_tui.server.dry_runs import TRIED, DryRuns
from rlft_tui.server.supervisor import Supervisor
from tests.conftest import wait_for
from tests.tiny_model import make_tiny_model

ESTIMATE = {
    "steps": 40, "seconds": 60.0, "low_seconds": 50.0, "high_seconds": 70.0, "parts": {"training": 60.0},
    "memory_mb": 900.0, "cuda_memory_mb": None, "disk_mb": 12.0, "checkpoint_mb": 4.0, "model_mb": 1.0,
    "merged_mb": 0.0, "measured_steps": 8, "device": "CPU", "made": 1.0,
}  # fmt: skip
MEASURING = f"""\
import json, sys
print(json.dumps({{"stage": "training", "detail": ""}}), flush=True)
print(json.dumps({{"estimate": {ESTIMATE!r}}}), flush=True)
"""
ENDLESS = """\
import time
print('{"stage": "training", "detail": ""}', flush=True)
time.sleep(600)
"""
BREAKING = "import sys; sys.exit(3)"


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return create_workspace(tmp_path / "workspace")


@pytest.fixture
def database(place: Workspace) -> Iterator[Database]:
    with open_database(place) as opened:
        yield opened


@pytest.fixture
def values(tmp_path: Path) -> dict[str, Any]:
    """A run by paths alone; its data set stands in no table."""
    source = {"name": "tiny", "path": str(make_tiny_model(tmp_path / "tiny"))}
    return {"method": "sft", "model": source, "dataset": "abc"}


def dry_runs(place: Workspace, database: Database, tmp_path: Path, script: str) -> DryRuns:
    job = tmp_path / "dry_run.py"
    job.write_text(script)
    supervisor = Supervisor(place, Settings(), database)
    return DryRuns(place, Settings(), database, supervisor, command=[sys.executable, str(job)])


def collect(lines: AsyncGenerator[bytes, None], count: int = 1 << 30) -> list[dict[str, Any]]:
    """The first lines; the generator is closed behind them."""

    async def gathered() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async with aclosing(lines) as open_lines:
            async for line in open_lines:
                found.append(json.loads(line))
                if len(found) == count:
                    break
        return found

    return asyncio.run(gathered())


def with_dataset(monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]) -> None:
    """The data set by its hash: resolved to a folder elsewhere, which is tested with launches."""
    from rlft_tui.server import dry_runs as module
    from rlft_tui.server.launch_request import LaunchRequest

    monkeypatch.setattr(module, "resolve_launch", lambda *rest: LaunchRequest(parse_spec(rest[-1]), None, []))


@pytest.fixture(autouse=True)
def _resolved(monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]) -> None:
    with_dataset(monkeypatch, values)


def test_an_estimate_stays_with_the_run_that_is_launched_next(
    place: Workspace, database: Database, tmp_path: Path, values: dict[str, Any]
) -> None:
    tries = dry_runs(place, database, tmp_path, MEASURING)
    folder = tries.prepare(values)
    assert folder.root.parent == place.runs / TRIED
    lines = collect(tries.lines(folder))
    assert [next(iter(line)) for line in lines] == ["stage", "estimate"]
    assert lines[-1]["estimate"]["beside"] == 0
    assert list((place.runs / TRIED).iterdir()) == []

    launched = RunFolder(place.runs / "real")
    launched.root.mkdir()
    keep_estimate(place.runs, parse_spec({**values, "id": "real", "seed": 7}), launched)
    kept = read_estimate(launched.root)
    assert kept is not None
    assert (kept.steps, kept.seconds) == (40, 60.0)
    other = RunFolder(place.runs / "other")
    other.root.mkdir()
    keep_estimate(place.runs, parse_spec({**values, "id": "other", "batch_size": 2}), other)
    assert read_estimate(other.root) is None


def test_hanging_up_ends_the_process_and_clears_the_folder(
    place: Workspace, database: Database, tmp_path: Path, values: dict[str, Any]
) -> None:
    tries = dry_runs(place, database, tmp_path, ENDLESS)
    folder = tries.prepare(values)
    assert collect(tries.lines(folder), count=1) == [{"stage": "training", "detail": ""}]
    assert not folder.root.exists()
    script = str(tmp_path / "dry_run.py")
    wait_for(lambda: not _running(script), "the dry run to be gone")


def test_one_that_breaks_off_is_an_error(
    place: Workspace, database: Database, tmp_path: Path, values: dict[str, Any]
) -> None:
    tries = dry_runs(place, database, tmp_path, BREAKING)
    (line,) = collect(tries.lines(tries.prepare(values)))
    assert line["error"]["what"] == "the dry run ended without a result (exit code 3)"


def test_what_a_killed_server_left_behind_goes(
    place: Workspace, database: Database, tmp_path: Path, values: dict[str, Any]
) -> None:
    (place.runs / TRIED / "try-old").mkdir(parents=True)
    folder = dry_runs(place, database, tmp_path, MEASURING).prepare(values)
    assert list((place.runs / TRIED).iterdir()) == [folder.root]


def test_only_training_can_be_tried(
    place: Workspace, database: Database, tmp_path: Path, values: dict[str, Any]
) -> None:
    tries = dry_runs(place, database, tmp_path, MEASURING)
    generate = {"method": "generate", "model_a": values["model"], "model_b": values["model"]}
    with pytest.raises(RlftError, match="no dry run of rlft pairs generate"):
        tries.prepare(generate)


def _running(script: str) -> bool:
    return any(script in (process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))


def test_a_run_without_an_estimate_has_no_outcome(tmp_path: Path) -> None:
    assert outcome(RunFolder(tmp_path), None) is None  # type: ignore[arg-type]
