"""Makes run folders, starts, stops and removes runs; the only writer of one besides keeper and job.

A folder is made whole before anything runs in it, so a run may wait there as long as it has to:
it has its own copy of the data, and needs nothing but its models when its turn comes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rlft_tui.datasets.dataset_files import TRAIN, read_kind, read_rows
from rlft_tui.datasets.rows import PromptRow
from rlft_tui.errors import ConflictError, NotFoundError, RlftError, UnavailableError
from rlft_tui.rewards.freeze import freeze
from rlft_tui.runs.queue_place import QueuePlace
from rlft_tui.runs.run_event import EventWriter
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_process import is_alive, send_signal
from rlft_tui.runs.run_spec import RunSpec, TrainingSpec, read_spec, write_spec
from rlft_tui.runs.run_status import Exit
from rlft_tui.runs.specs.completions import CompletionsSpec
from rlft_tui.runs.specs.generate import GenerateSpec

MINIMUM_FREE_MB = {"training": 500, "other": 50}
"""Free disk below which a run is not started: checkpoints, result and logs must fit."""
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_START_SECONDS = 60.0


def launch(
    runs: Path,
    spec: RunSpec,
    *,
    dataset: Path | None = None,
    prompt_rows: Iterable[dict[str, Any]] = (),
    rewards: Path | None = None,
    command: Sequence[str] = (),
) -> RunFolder:
    """Make ``runs/<id>`` and start its keeper; returns once the job's process runs, leaves nothing otherwise.

    ``command`` takes the place of the job's own module. The rest as for ``prepare``.
    """
    target = prepare(runs, spec, dataset=dataset, prompt_rows=prompt_rows, rewards=rewards)
    try:
        _start_keeper(target, command)
    except RlftError:
        if not is_active(target):
            shutil.rmtree(target.root, ignore_errors=True)
        raise
    return target


def prepare(
    runs: Path,
    spec: RunSpec,
    *,
    dataset: Path | None = None,
    prompt_rows: Iterable[dict[str, Any]] = (),
    rewards: Path | None = None,
    place: QueuePlace | None = None,
    files: Mapping[str, bytes] = MappingProxyType({}),
) -> RunFolder:
    """Make ``runs/<id>`` whole, in one step as others see it, and start nothing.

    ``dataset`` is copied into the folder. ``prompt_rows`` become a generate run's prompts. What the
    spec's rewards need is copied from ``rewards``, the workspace's folder of them. ``place`` is where
    it stands in the line. ``files``: path in the folder → content, written as they
    are. ConflictError when the id exists.
    """
    check_run_id(spec.id)
    target = RunFolder(runs / spec.id)
    if target.root.exists():
        raise _exists(target)
    runs.mkdir(parents=True, exist_ok=True)
    check_disk(runs, spec)
    draft = Path(tempfile.mkdtemp(prefix=f".{spec.id}.", dir=runs))
    try:
        _fill(RunFolder(draft), spec, dataset, list(prompt_rows), rewards)
        for name, content in files.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).write_bytes(content)
        if place is not None:
            RunFolder(draft).write_place(place)
        draft.chmod(0o755)
        draft.rename(target.root)
    except RlftError:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        if target.root.exists():
            raise _exists(target) from None
        raise _unwritable(error, runs) from None
    return target


def start(folder: RunFolder, *, command: Sequence[str] = ()) -> None:
    """Start the first or one more attempt; a later one goes on from the last good checkpoint.

    UnavailableError when the disk is too full now.
    """
    if is_active(folder):
        raise ConflictError("the run is still going", where=folder.id, remedy=f"rlft runs stop {folder.id}")
    attempt = folder.read_attempt()
    check_disk(folder.root, read_spec(folder.spec))
    if attempt is not None and folder.exit.exists():
        folder.exit.replace(folder.root / f"exit-{attempt.number}.json")
    folder.stop_request.unlink(missing_ok=True)
    _start_keeper(folder, command)


def stop(folder: RunFolder) -> bool:
    """Ask keeper and job for a checkpoint and an end; a second call changes nothing.

    Returns whether there was anyone to ask.
    """
    attempt = folder.read_attempt()
    if attempt is None or not is_active(folder):
        return False
    if folder.stop_request.exists():
        return True
    # A full disk costs only the mark: the stop itself needs none.
    with contextlib.suppress(OSError):
        folder.stop_request.write_text(f"{time.time()}\n")
    if send_signal(attempt.keeper_pid, attempt.keeper_started, signal.SIGTERM, attempt.boot):
        return True
    return send_signal(attempt.job_pid, attempt.job_started, signal.SIGTERM, attempt.boot)


def kill(folder: RunFolder) -> bool:
    """End the job and its children at once; what came after the last checkpoint is lost.

    Returns whether there was anyone to kill.
    """
    attempt = folder.read_attempt()
    if attempt is None or not is_active(folder):
        return False
    if send_signal(attempt.keeper_pid, attempt.keeper_started, signal.SIGUSR1, attempt.boot):
        return True
    return send_signal(attempt.job_pid, attempt.job_started, signal.SIGKILL, attempt.boot)


def record_control(folder: RunFolder, asked: str, done: str, *, by: str = "server") -> None:
    """Write into the event log what was asked for and what was done; on a full disk only that is lost."""
    with contextlib.suppress(OSError):
        log = EventWriter(folder.events)
        try:
            log.write("control", asked=asked, by=by, done=done)
        finally:
            log.close()


def end_unstarted(folder: RunFolder, reason: str, *, asked: bool) -> None:
    """Take a run out of the line before its next start: cancelled when ``asked``, else failed."""
    attempt = folder.read_attempt()
    if attempt is not None and folder.exit.exists():
        folder.exit.replace(folder.root / f"exit-{attempt.number}.json")
    folder.write_exit(Exit(code=None, signal=None, reason=reason, ended=time.time(), asked=asked))
    folder.queue.unlink(missing_ok=True)


def enforce_stop(folder: RunFolder, grace: float) -> None:
    """Kill a job that lost its keeper and has not stopped ``grace`` seconds after it was asked."""
    attempt = folder.read_attempt()
    if attempt is None or is_alive(attempt.keeper_pid, attempt.keeper_started, attempt.boot):
        return
    with contextlib.suppress(OSError, ValueError):
        if time.time() - float(folder.stop_request.read_text()) > grace:
            send_signal(attempt.job_pid, attempt.job_started, signal.SIGKILL, attempt.boot)


def is_active(folder: RunFolder) -> bool:
    """Whether the keeper or the job of the current attempt is a living process."""
    attempt = folder.read_attempt()
    return attempt is not None and (
        is_alive(attempt.keeper_pid, attempt.keeper_started, attempt.boot)
        or is_alive(attempt.job_pid, attempt.job_started, attempt.boot)
    )


def delete(folder: RunFolder) -> None:
    """Remove a run that is not active: out of sight at once, then off the disk."""
    if is_active(folder):
        raise ConflictError("the run is still going", where=folder.id, remedy=f"rlft runs stop {folder.id}")
    try:
        grave = Path(tempfile.mkdtemp(prefix=".deleted.", dir=folder.root.parent))
        folder.root.rename(grave / folder.id)
    except FileNotFoundError:
        raise NotFoundError("no such run", where=folder.id, remedy="rlft runs list") from None
    except OSError as error:
        raise _unwritable(error, folder.root) from None
    shutil.rmtree(grave, ignore_errors=True)


def check_run_id(run_id: str) -> None:
    """A run id is a folder name: RlftError unless it is safe as one."""
    if not _RUN_ID.fullmatch(run_id):
        raise RlftError(
            f"not a run id: {run_id[:80]!r}",
            remedy="Use letters, digits, '-', '_' and '.', beginning with a letter or digit",
        )


def _fill(
    folder: RunFolder,
    spec: RunSpec,
    dataset: Path | None,
    prompt_rows: list[dict[str, Any]],
    rewards: Path | None,
) -> None:
    write_spec(spec, folder.spec)
    folder.checkpoints.mkdir()
    if dataset is not None:
        shutil.copytree(dataset, folder.dataset)
    if isinstance(parts := getattr(spec, "rewards", None), tuple):
        freeze(
            [(part.source, part.options) for part in parts],
            rewards or folder.rewards,
            folder.rewards,
            columns=_known_columns(folder, spec, dataset),
        )
    if isinstance(spec, GenerateSpec | CompletionsSpec):
        with folder.prompts.open("w", encoding="utf-8") as stream:
            stream.writelines(json.dumps(row, ensure_ascii=True) + "\n" for row in prompt_rows)


def _known_columns(folder: RunFolder, spec: RunSpec, dataset: Path | None) -> frozenset[str] | None:
    """None where they are not known."""
    if isinstance(spec, CompletionsSpec):
        return frozenset()
    return _columns(folder.dataset) if dataset is not None else None


def _columns(dataset: Path) -> frozenset[str]:
    """What the rewards get besides the answers; only data of kind prompts has columns."""
    kind = read_kind(dataset)
    rows = read_rows(dataset / TRAIN, kind) if kind == "prompts" else ()
    return frozenset(name for row in islice(rows, 100) if isinstance(row, PromptRow) for name in row.columns)


def _start_keeper(folder: RunFolder, command: Sequence[str]) -> None:
    arguments = [sys.executable, "-P", "-m", "rlft_tui.runs.keeper", str(folder.root)]
    try:
        result = subprocess.run(
            [*arguments, "--", *command] if command else arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            timeout=_START_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"the run's keeper did not start: {error}", where=folder.id) from None
    if result.returncode:
        lines = result.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise UnavailableError(f"the run's keeper did not start: {lines[-1]}", where=folder.id)


def check_sources(folder: RunFolder, spec: RunSpec) -> None:
    """RlftError when a model or the data that the run needs has gone since it was queued."""
    if isinstance(spec, TrainingSpec) and not folder.dataset.is_dir():
        raise RlftError("the run's data is gone", where=str(folder.dataset), remedy="Launch the run again")
    rewards = [part.model for part in getattr(spec, "rewards", ()) if part.model is not None]
    for model in (*spec.models(), *rewards):
        for path in (Path(model.path), Path(model.adapter)):
            # A hub id is no path of this machine.
            if path.is_absolute() and not path.exists():
                raise RlftError(
                    f"the model {model.name} is gone", where=str(path), remedy="Launch with another model"
                )


def check_disk(folder: Path, spec: RunSpec) -> None:
    """UnavailableError when there is too little free space to start the run."""
    needed = MINIMUM_FREE_MB["training" if isinstance(spec, TrainingSpec) else "other"]
    free = shutil.disk_usage(folder).free >> 20
    if free < needed:
        raise UnavailableError(
            f"only {free} MB free on the disk, a {spec.method} run needs {needed}",
            where=str(folder),
            remedy="Free some space, or delete old runs: rlft runs rm ID",
        )


def _exists(folder: RunFolder) -> ConflictError:
    return ConflictError(
        "a run with this id exists", where=folder.id, remedy=f"See it: rlft runs show {folder.id}"
    )


def _unwritable(error: OSError, where: Path) -> UnavailableError:
    reason = error.strerror or str(error)
    return UnavailableError(f"the run folder cannot be written: {os.fsdecode(reason)}", where=str(where))
