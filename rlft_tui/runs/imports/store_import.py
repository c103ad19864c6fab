"""A foreign run as a run folder of the workspace."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from rlft_tui.errors import RlftError
from rlft_tui.ids import new_run_id
from rlft_tui.runs.imports.foreign_run import ForeignRun, event_log
from rlft_tui.runs.remarks import change_remarks
from rlft_tui.runs.run_event import decode_event
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import read_spec, write_spec
from rlft_tui.runs.run_status import Exit
from rlft_tui.runs.specs.imported import ImportedSpec

_LONGEST_WORD = 24
"""Letters of a foreign run's name that go into its id."""


def write_upload(run: ForeignRun, path: Path) -> None:
    """The run as one file for the server: a line that describes it, then its event log."""
    # A file's name may hold bytes that are no text.
    name, log = (text.encode(errors="backslashreplace").decode() for text in (run.name, run.log))
    head = {"name": name, "source": run.source, "log": log, "settings": run.settings}
    with path.open("wb") as stream:
        stream.write(json.dumps(msgspec.to_builtins(head)).encode() + b"\n")
        stream.writelines(event_log(run, time.time()))


def store_import(runs: Path, upload: Path) -> str:
    """Make a run folder of such a file, or bring the run that was read from the same place up to date;
    its id. Nothing is left behind, and nothing changed, when that fails."""
    partial = runs / f".{new_run_id('import')}"
    try:
        partial.mkdir(parents=True)
        with upload.open("rb") as stream:
            head = _head(stream.readline())
            folder = RunFolder(partial)
            known = _read_from(runs, str(head.get("log", "")), str(head.get("source", "")))
            run_id = known or new_run_id(_word(str(head.get("name", ""))))
            spec = ImportedSpec(
                id=run_id,
                name=str(head.get("name", "")),
                source=str(head.get("source", "")),
                log=str(head.get("log", "")),
                settings=_without_none(head.get("settings", {})),
            )
            write_spec(spec, folder.spec)
            with folder.events.open("wb") as log:
                shutil.copyfileobj(stream, log)
        last = _last_line(folder.events)
        folder.output.write_bytes(b"")
        folder.write_exit(Exit(0, None, f"imported from {spec.source}", decode_event(last).t))
        if known:
            _renew(RunFolder(runs / known), folder)
        else:
            change_remarks(partial, {"tags": ["imported", spec.source], "note": spec.name})
            partial.rename(runs / run_id)
    except (OSError, ValueError) as error:
        reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
        raise RlftError(f"the run was not imported: {reason}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return run_id


def _word(name: str) -> str:
    """The name as ids have words, so that runs of other programs can be told apart in every list."""
    return re.sub("[^A-Za-z0-9]+", "-", name).strip("-")[:_LONGEST_WORD].strip("-") or "imported"


def _read_from(runs: Path, log: str, source: str) -> str:
    """The run that was imported from there before, if one was."""
    for folder in map(RunFolder, sorted(runs.glob("[!.]*")) if log else ()):
        # One that cannot be read is not this one.
        with suppress(RlftError, OSError):
            if b"imported" not in folder.spec.read_bytes():
                continue
            spec = read_spec(folder.spec)
            if isinstance(spec, ImportedSpec) and (spec.log, spec.source) == (log, source):
                return folder.id
    return ""


def _renew(old: RunFolder, new: RunFolder) -> None:
    """Put what was read now in place of what was read before; what people have said of the run stays."""
    old.curves.unlink(missing_ok=True)
    changed = old.spec.stat().st_mtime_ns  # since when the run is there
    for name in ("events", "exit", "spec"):
        os.replace(getattr(new, name), getattr(old, name))
    os.utime(old.spec, ns=(changed, changed))


def _head(line: bytes) -> dict[str, Any]:
    head = json.loads(line)
    if not isinstance(head, dict):
        raise ValueError("its first line does not describe a run")
    return head


def _without_none(value: Any) -> Any:
    """What TOML can hold: it has no null."""
    if isinstance(value, dict):
        return {str(key): _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_none(item) for item in value if item is not None]
    return value


def _last_line(path: Path) -> bytes:
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - 65536))
        return stream.read().rstrip(b"\n").rpartition(b"\n")[2]
