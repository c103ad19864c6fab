"""Where everything lies: the workspace on disk, sockets and caches."""

from __future__ import annotations

import hashlib
import os
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from rlft_tui.errors import NotFoundError, RlftError

PACKAGE = Path(__file__).parent
"""Where the program itself lies."""
SETTINGS_NAME = "rlft.toml"
WORKSPACE_VARIABLE = "RLFT_WORKSPACE"
MODELS_VARIABLE = "MODELS_DIR"
"""Where versions of policies go instead of a workspace's own folder."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder of one project; every path in it is derived from its root."""

    root: Path

    def __post_init__(self) -> None:
        try:
            str(self.root).encode()
        except UnicodeEncodeError:
            # Runs, models and backups are recorded with their paths, as text.
            raise RlftError(
                "the folder's name is not valid UTF-8", where=str(self.root), remedy="Rename it"
            ) from None

    @property
    def settings(self) -> Path:
        return self.root / SETTINGS_NAME

    @property
    def database(self) -> Path:
        return self.root / "rlft.duckdb"

    @property
    def lock(self) -> Path:
        """Held with flock by the one process that may open the database."""
        return self.root / "workspace.lock"

    @property
    def journal(self) -> Path:
        """Every label operation, fsynced before it is acknowledged."""
        return self.root / "preferences.jsonl"

    @property
    def server_log(self) -> Path:
        return self.root / "server.log"

    @property
    def datasets(self) -> Path:
        return self.root / "datasets"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def models(self) -> Path:
        """``AGENT/vN``: the versions of policies."""
        named = os.environ.get(MODELS_VARIABLE)
        return Path(named).absolute() if named else self.root / "models"

    @property
    def rewards(self) -> Path:
        """The user's own reward functions and lists of terms."""
        return self.root / "rewards"

    @property
    def rubrics(self) -> Path:
        """The user's own rubrics for judges."""
        return self.root / "rubrics"

    @property
    def studies(self) -> Path:
        """Searches of settings: one folder a study."""
        return self.root / "studies"

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    def drafts(self, labeler: str) -> Path:
        """Answers that a labeller has begun to write and not stored."""
        return self.root / "drafts" / f"{quote(labeler, safe='')[:200]}.json"

    @property
    def exports(self) -> Path:
        return self.root / "exports"

    @property
    def socket(self) -> Path:
        """The server's socket: short (sun_path holds 108 bytes) and private."""
        digest = hashlib.sha256(str(self.root.resolve()).encode()).hexdigest()[:16]
        return runtime_folder() / f"{digest}.sock"


def find_workspace(
    explicit: Path | None = None,
    *,
    environment: Mapping[str, str] = os.environ,
    start: Path | None = None,
) -> Workspace:
    """The workspace named by --workspace, then $RLFT_WORKSPACE, then upwards from here."""
    named = explicit or (Path(value) if (value := environment.get(WORKSPACE_VARIABLE)) else None)
    if named is not None:
        if not (named / SETTINGS_NAME).is_file():
            raise NotFoundError(
                "no workspace here", where=str(named), remedy=f"Make one: rlft init {shlex.quote(str(named))}"
            )
        return Workspace(named.resolve())
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / SETTINGS_NAME).is_file():
            return Workspace(folder)
    raise NotFoundError(
        "no workspace in this folder or above it",
        where=str(here),
        remedy="Make one: rlft init DIR, or name one with --workspace DIR",
    )


def runtime_folder() -> Path:
    """A private folder (mode 0700) for sockets, owned by this user."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(base) / "rlft" if base else Path(tempfile.gettempdir()) / f"rlft-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = folder.stat()
    except OSError as error:
        raise RlftError(
            f"the socket folder cannot be made: {(error.strerror or str(error)).lower()}",
            where=str(folder),
            remedy="Set XDG_RUNTIME_DIR to a folder that you may write to",
        ) from None
    if owner.st_uid != os.getuid() or owner.st_mode & 0o077:
        raise RlftError(
            "the socket folder is not private",
            where=str(folder),
            remedy=f"Remove it, or run: chmod 700 {folder}",
        )
    return folder


def cache_folder() -> Path:
    """Where pulled base models are kept, shared by all workspaces of this user."""
    base = os.environ.get("RLFT_CACHE") or os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "rlft"


def shipped(name: str) -> Path:
    """A folder of ``data/``: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "data" / name
    return inside if inside.is_dir() else package.parent / "data" / name
