"""The user's folders: sockets, models, the workspace and who holds it."""

from __future__ import annotations

from pathlib import Path

from rlft_tui.cli.doctor.check import Check, size
from rlft_tui.cli.session import find_server
from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.paths import Workspace, cache_folder, find_workspace, runtime_folder
from rlft_tui.record import Record


class ServerFacts(Record, frozen=True):
    """Who serves the workspace; None where there is nobody."""

    pid: int | None = None
    socket: str | None = None
    version: str | None = None


def check_sockets() -> Check:
    try:
        return Check("sockets", True, str(runtime_folder()), essential=True)
    except RlftError as error:
        return Check("sockets", False, f"{error.where}: {error.what}", error.remedy, essential=True)
    except OSError as error:
        remedy = "Set XDG_RUNTIME_DIR to a private folder that you may write to"
        return Check("sockets", False, str(error), remedy, essential=True)


def check_models() -> Check:
    """Base models in this user's cache."""
    folder = cache_folder()
    try:
        found = sorted(path.parent for path in folder.glob("*/config.json"))
    except OSError as error:
        return Check(
            "models", False, f"{folder}: {error.strerror}", "Set RLFT_CACHE to a folder you can read"
        )
    if not found:
        return Check("models", False, f"none in {folder}", "rlft models pull smollm2-135m")
    listed = ", ".join(f"{model.name} ({size(_bytes(model))})" for model in found)
    return Check("models", True, f"{listed} in {folder}")


def check_workspace(explicit: Path | None) -> tuple[Check, Workspace | None]:
    """The workspace that a command would use here; none is well unless one was named."""
    try:
        workspace = find_workspace(explicit)
    except NotFoundError as error:
        named = explicit is not None or "in this folder" not in error.what
        detail = f"{error.where}: {error.what}"
        return Check("workspace", False, detail, error.remedy, essential=named), None
    from rlft_tui.config import read_settings, settings_at_fault

    try:
        settings = read_settings(workspace.settings)
    except RlftError as error:
        where = f"{error.where}: {error.what}"
        return Check("workspace", False, where, error.remedy or "Correct the file", essential=True), workspace
    if faults := settings_at_fault(settings):
        remedy = f"Correct it in {workspace.settings}; until then it is set aside"
        return Check("workspace", False, "; ".join(faults), remedy), workspace
    detail = f"{workspace.root}, labeller {settings.labeler}"
    return Check("workspace", True, detail, essential=True), workspace


def check_server(workspace: Workspace) -> tuple[list[Check], ServerFacts]:
    """Whether the server answers, and whether whoever holds the lock is that server. Starts nothing."""
    from rlft_tui.database.workspace_lock import lock_holder

    try:
        found = find_server(workspace)
    except RlftError as error:
        return [Check("server", False, str(error), essential=True)], ServerFacts()
    holder = lock_holder(workspace.lock)
    if found is None:
        detail = "not running; the next command that needs it starts it"
        server = Check("server", True, detail, essential=True)
        return [_lock_check(workspace, holder, None), server], ServerFacts(socket=str(workspace.socket))
    client, health = found
    client.close()
    detail = f"pid {health.pid}, version {health.version}, {health.socket}"
    if health.warnings:
        detail += f"; it says: {'; '.join(health.warnings)}"
    facts = ServerFacts(health.pid, health.socket, health.version)
    return [_lock_check(workspace, holder, health.pid), Check("server", True, detail, essential=True)], facts


def _lock_check(workspace: Workspace, holder: int | None, server: int | None) -> Check:
    if holder is None:
        return Check("lock", True, "free", essential=True)
    if holder == server:
        return Check("lock", True, f"held by the server, pid {holder}", essential=True)
    return Check(
        "lock",
        False,
        f"{workspace.lock} is held by process {holder}, which does not answer as the server",
        f"Wait a moment; if it stays so, end that process: kill {holder}",
        essential=True,
    )


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
