"""server.json in the workspace: who serves it, for clients with another runtime folder."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
from msgspec.structs import asdict

from rlft_tui.paths import Workspace
from rlft_tui.record import Record


class ServerRecord(Record, frozen=True):
    """server.json in the workspace: who serves it, for clients with another runtime folder."""

    pid: int
    socket: str
    version: str
    started: float


def record_path(workspace: Workspace) -> Path:
    return workspace.root / "server.json"


def write_record(workspace: Workspace, record: ServerRecord) -> None:
    """A full disk must not keep the workspace shut: then there is no record, and no old one either."""
    partial = workspace.root / "server.json.partial"
    try:
        partial.write_text(json.dumps(asdict(record)))
        partial.replace(record_path(workspace))
    except OSError:
        for path in (partial, record_path(workspace)):
            path.unlink(missing_ok=True)


def read_record(workspace: Workspace) -> ServerRecord | None:
    """None when there is none or it cannot be read: it only speeds up finding the server."""
    try:
        return msgspec.json.decode(record_path(workspace).read_bytes(), type=ServerRecord)
    except (OSError, msgspec.DecodeError):
        return None
