"""Tries runs out: the job's own process takes a few steps in a folder that goes away afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from rlft_tui.config import Settings
from rlft_tui.database.connection import Database
from rlft_tui.errors import RlftError
from rlft_tui.ids import new_run_id
from rlft_tui.models.pull import require_training_stack
from rlft_tui.paths import Workspace
from rlft_tui.runs import launcher
from rlft_tui.runs.estimate import Estimate
from rlft_tui.runs.extrapolate import estimate_path
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import TrainingSpec, command_of, read_spec
from rlft_tui.server.launch_request import resolve_launch
from rlft_tui.server.supervisor import Supervisor

_GRACE_SECONDS = 10.0


class DryRuns:
    """One at a time: two at once would measure each other."""

    def __init__(
        self,
        workspace: Workspace,
        settings: Settings,
        database: Database,
        supervisor: Supervisor,
        *,
        command: Sequence[str] = (),
    ) -> None:
        """``command`` takes the place of the dry run's own module."""
        self._workspace = workspace
        self._settings = settings
        self._database = database
        self._supervisor = supervisor
        self._command = list(command) or [sys.executable, "-P", "-m", "rlft_tui.jobs.dry_run"]
        self._turn = asyncio.Lock()
        self._wanted: set[Path] = set()
        """Folders of dry runs that go on or wait; whatever else is there a killed server left behind."""

    def prepare(self, values: dict[str, Any]) -> RunFolder:
        """The folder of a run that may be tried; RlftError says why it may not."""
        request = resolve_launch(
            self._workspace, self._settings, self._database, {**values, "id": new_run_id("try")}
        )
        spec = request.spec
        if not isinstance(spec, TrainingSpec):
            raise RlftError(f"there is no dry run of rlft {command_of(spec.method)}")
        require_training_stack()
        root = self._workspace.runs / TRIED
        self._wanted.add(root / spec.id)
        for folder in root.iterdir() if root.is_dir() else ():
            if folder not in self._wanted and folder.name[0] != ".":
                shutil.rmtree(folder, ignore_errors=True)
        return launcher.prepare(root, spec, dataset=request.dataset, rewards=self._workspace.rewards)

    async def lines(self, folder: RunFolder) -> AsyncGenerator[bytes, None]:
        """JSON lines as jobs/dry_run.py writes them. Closing the generator early ends the attempt."""
        try:
            if self._turn.locked():
                yield b'{"stage": "waiting", "detail": "another dry run is going on"}\n'
            async with self._turn:
                async with contextlib.aclosing(self._steps(folder)) as lines:
                    async for line in lines:
                        yield self._kept(folder, line)
        finally:
            self._wanted.discard(folder.root)
            shutil.rmtree(folder.root, ignore_errors=True)

    async def _steps(self, folder: RunFolder) -> AsyncGenerator[bytes, None]:
        job = await asyncio.create_subprocess_exec(
            *self._command,
            str(folder.root),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        last = b""
        try:
            assert job.stdout is not None
            async for line in job.stdout:
                last = line
                yield line
            await job.wait()
        finally:
            if job.returncode is None:
                await _end(job)
        if b'"estimate"' not in last and b'"error"' not in last:
            what = f"the dry run ended without a result (exit code {job.returncode})"
            yield json.dumps({"error": {"what": what, "where": "", "remedy": ""}}).encode() + b"\n"

    def _kept(self, folder: RunFolder, line: bytes) -> bytes:
        """The line as it is; an estimate is told what ran beside it, and remembered for the launch."""
        record = msgspec.json.decode(line)
        if "estimate" not in record:
            return line
        active = len(self._supervisor.active_runs())
        estimate = replace(msgspec.convert(record["estimate"], Estimate), beside=active)
        spec = read_spec(folder.spec)
        if isinstance(spec, TrainingSpec):
            path = estimate_path(self._workspace.runs, spec)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(msgspec.json.encode(estimate))
        return msgspec.json.encode({"estimate": estimate}) + b"\n"


TRIED = ".dry-runs"
"""Folder below the runs in which they are tried; runs whose name begins with a point are not listed."""


async def _end(job: asyncio.subprocess.Process) -> None:
    """Ask it to end, its job with it; then make it."""
    with contextlib.suppress(ProcessLookupError):
        job.terminate()
    try:
        await asyncio.wait_for(job.wait(), _GRACE_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)
        await job.wait()
