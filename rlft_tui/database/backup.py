"""Backups: every table as Parquet, readable without this program, and the journal of verdicts."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import duckdb

from rlft_tui.database.connection import Database, connect_file
from rlft_tui.database.migrations import MIGRATIONS, migrate
from rlft_tui.database.workspace_lock import WorkspaceLock
from rlft_tui.errors import NotFoundError, RlftError, UnavailableError
from rlft_tui.paths import Workspace
from rlft_tui.record import Record

MANIFEST = "backup.json"
_FORMAT = 1
_DAY = 86_400.0
_BLOCK = 65_536


class Backup(Record, frozen=True):
    """One finished backup."""

    path: Path
    created_at: float
    """Unix seconds."""
    automatic: bool
    """Made by the daily schedule, and removed by it in time."""
    rows: dict[str, int]
    """Table to number of rows."""


def make_backup(
    database: Database, workspace: Workspace, *, automatic: bool = False, now: float | None = None
) -> Path:
    """Write ``backups/<utc stamp>/`` while others read and write; its folder.

    One snapshot of all tables, then the journal, which therefore holds every verdict of
    the snapshot, and the data sets, whose files never change (hard links where possible).
    The folder has another name until it is whole. Raises UnavailableError when the disk
    is full.
    """
    created_at = time.time() if now is None else now
    folder = _free_name(workspace.backups / _stamp(created_at))
    partial = folder.with_name(f"{folder.name}.partial")
    try:
        partial.mkdir(parents=True)
        with database.reader() as connection:
            steps, rows = _export(connection, partial)
        _copy_journal(workspace.journal, partial / workspace.journal.name)
        _copy_datasets(workspace.datasets, partial / workspace.datasets.name)
        manifest = {
            "format": _FORMAT,
            "created_at": created_at,
            "automatic": automatic,
            "migrations": steps,
            "rows": rows,
        }
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        _fsync_folder(partial)
        partial.rename(folder)
    except OSError as error:
        raise UnavailableError(
            f"the backup cannot be written ({error.strerror})",
            where=str(workspace.backups),
            remedy="Free some space, then try again",
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def remove_unfinished(workspace: Workspace) -> None:
    """Remove what a process that was killed has left of a backup; for the one that owns the workspace."""
    for partial in workspace.backups.glob("*.partial"):
        shutil.rmtree(partial, ignore_errors=True)


def restore_backup(path: Path, workspace: Workspace, *, keep_journal: bool = True) -> Path:
    """Put a backup in place of the workspace's database; the folder the old files were moved to.

    The server must be down: ConflictError names its pid otherwise. The journal is kept, so
    that the next start brings back verdicts given after the backup was made; without
    ``keep_journal`` the backup's own is put in its place. If anything fails, the old
    files stand as they stood. Data sets that are missing come back too; runs are not touched.
    """
    manifest = _read_manifest(path)
    lock = WorkspaceLock.take(workspace.lock)
    building = workspace.database.with_name(f"{workspace.database.name}.restoring")
    try:
        _remove_database(building)
        try:
            _build(building, path, manifest)
        except duckdb.Error as error:
            if "No space left" in str(error):
                raise UnavailableError(
                    "the disk is full", where=str(workspace.root), remedy="Free some space, then try again"
                ) from None
            reason = str(error).splitlines()[0]
            raise RlftError(f"the backup cannot be read ({reason})", where=str(path)) from None
        return _replace(workspace, building, path, keep_journal)
    except OSError as error:
        raise UnavailableError(
            f"the backup cannot be restored ({error.strerror})", where=str(workspace.root)
        ) from None
    finally:
        _remove_database(building)
        lock.release()


def list_backups(workspace: Workspace) -> list[Backup]:
    """Finished backups, newest first; folders without a readable manifest are none."""
    found = []
    for manifest in workspace.backups.glob(f"*/{MANIFEST}"):
        try:
            values = _read_manifest(manifest.parent)
        except RlftError:
            continue
        found.append(
            Backup(
                manifest.parent, float(values["created_at"]), bool(values["automatic"]), dict(values["rows"])
            )
        )
    return sorted(found, key=lambda backup: (backup.created_at, backup.path.name), reverse=True)


def daily_due(workspace: Workspace, now: float) -> bool:
    """Whether the newest backup, of either sort, is a day old or more."""
    newest = list_backups(workspace)[:1]
    return not newest or now - newest[0].created_at >= _DAY


def prune_daily(workspace: Workspace, keep: int) -> list[Path]:
    """Remove the oldest automatic backups until ``keep`` are left; those asked for by hand stay."""
    surplus = [backup for backup in list_backups(workspace) if backup.automatic][max(keep, 0) :]
    for backup in surplus:
        # Without its manifest a half-removed folder is no backup any more.
        (backup.path / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(backup.path, ignore_errors=True)
    return [backup.path for backup in surplus]


def _export(connection: duckdb.DuckDBPyConnection, folder: Path) -> tuple[list[str], dict[str, int]]:
    """Every table to ``<table>.parquet``; the migrations it has and the rows of each table."""
    tables = [
        name
        for (name,) in connection.execute(
            "select table_name from duckdb_tables() where not internal order by 1"
        ).fetchall()
    ]
    rows = {}
    for table in tables:
        target = str(folder / f"{table}.parquet").replace("'", "''")
        written = connection.execute(
            f'copy (select * from "{table}" order by rowid) '
            f"to '{target}' (format parquet, compression zstd)"
        ).fetchall()
        rows[table] = int(written[0][0])
    steps = connection.execute("select name from migrations order by applied_at, name").fetchall()
    return [name for (name,) in steps], rows


def _build(building: Path, path: Path, manifest: dict[str, Any]) -> None:
    """A database with the backup's schema and rows, brought up to today's schema."""
    steps = list(manifest["migrations"])
    known = {step.__name__ for step in MIGRATIONS}
    if newer := [name for name in steps if name not in known]:
        raise RlftError(
            f"the backup was made by a newer rlft (it has {', '.join(newer)})",
            where=str(path),
            remedy="Upgrade: pip install --upgrade rlft_tui",
        )
    connection = connect_file(building)
    try:
        migrate(connection, tuple(step for step in MIGRATIONS if step.__name__ in steps))
        for table, expected in manifest["rows"].items():
            if table == "migrations":
                continue
            source = str(path / f"{table}.parquet")
            connection.execute(f'insert into "{table}" by name select * from read_parquet($1)', [source])
            count = connection.execute(f'select count(*) from "{table}"').fetchall()[0][0]
            if count != expected:
                raise RlftError(
                    f"the backup has {count} rows of {table} and should have {expected}", where=str(path)
                )
        migrate(connection)
        connection.execute("checkpoint")
    finally:
        connection.close()


def _replace(workspace: Workspace, building: Path, path: Path, keep_journal: bool) -> Path:
    aside = _free_name(workspace.backups / f"replaced-{_stamp(time.time())}")
    aside.mkdir(parents=True)
    wal = Path(f"{workspace.database}.wal")
    for old in (workspace.database, wal):
        if old.exists():
            _link_or_copy(old, aside / old.name)
    if workspace.journal.exists():
        shutil.copy2(workspace.journal, aside / workspace.journal.name)
    # Killed between these two, the next start finds a WAL of another database and sets it aside.
    building.replace(workspace.database)
    wal.unlink(missing_ok=True)
    saved = path / workspace.journal.name
    if saved.exists() and not (keep_journal and workspace.journal.exists()):
        staged = workspace.journal.with_name(f"{workspace.journal.name}.restoring")
        shutil.copyfile(saved, staged)
        staged.rename(workspace.journal)
    _copy_datasets(path / workspace.datasets.name, workspace.datasets)
    _fsync_folder(workspace.root)
    return aside


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        values = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(
            "no backup here", where=str(path), remedy="Backups are the folders in backups/ of a workspace"
        ) from None
    except (OSError, ValueError) as error:
        raise RlftError(f"the backup's {MANIFEST} cannot be read ({error})", where=str(path)) from None
    if not isinstance(values, dict) or not {"created_at", "automatic", "migrations", "rows"} <= set(values):
        raise RlftError(f"the backup's {MANIFEST} is not complete", where=str(path))
    if values.get("format") != _FORMAT:
        raise RlftError(f"a backup of unknown format {values.get('format')}", where=str(path))
    return values


def _copy_journal(journal: Path, target: Path) -> None:
    """The journal's whole lines; one being written right now is left out."""
    if not journal.exists():
        return
    shutil.copyfile(journal, target)
    with target.open("rb+") as copy:
        end = copy.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - _BLOCK)
            copy.seek(start)
            newline = copy.read(end - start).rfind(b"\n")
            end = start + newline + 1
            if newline >= 0:
                break
        copy.truncate(end)


def _copy_datasets(source: Path, target: Path) -> None:
    """The data sets that ``target`` lacks."""
    for folder in sorted(source.glob("[!.]*/")):
        if (target / folder.name).exists():
            continue
        partial = target / f".{folder.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for file in folder.iterdir():
            _link_or_copy(file, partial / file.name)
        partial.rename(target / folder.name)


def _link_or_copy(source: Path, target: Path) -> None:
    """A second name for a file that will not be written to again, or else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _remove_database(path: Path) -> None:
    for one in (path, Path(f"{path}.wal")):
        one.unlink(missing_ok=True)


def _fsync_folder(folder: Path) -> None:
    for path in (*(one for one in folder.iterdir() if one.suffix in {".parquet", ".json", ".jsonl"}), folder):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _stamp(moment: float) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))


def _free_name(path: Path) -> Path:
    number, free = 1, path
    while free.exists() or free.with_name(f"{free.name}.partial").exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free
