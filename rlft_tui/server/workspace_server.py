"""Opens the workspace, serves it on its socket, closes it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from rlft_tui.config import Settings, read_settings, settings_at_fault
from rlft_tui.database.backup import remove_unfinished
from rlft_tui.database.connection import Database, open_database
from rlft_tui.errors import ConflictError
from rlft_tui.garbage import collect_rarely, freeze_what_stays
from rlft_tui.labels.journal import PreferenceJournal
from rlft_tui.labels.label_book import LabelBook
from rlft_tui.labels.queue_reader import Shares
from rlft_tui.labels.rank_book import RankBook
from rlft_tui.labels.score_book import ScoreBook
from rlft_tui.paths import Workspace, find_workspace
from rlft_tui.server.app import create_app, make_routes
from rlft_tui.server.backup_routes import DailyBackups
from rlft_tui.server.inference import Inference
from rlft_tui.server.judge_verdicts import JudgeVerdicts
from rlft_tui.server.lifecycle import Activity, SocketFile, WorkspaceGuard, listen, watch
from rlft_tui.server.remote_access import RemoteToken
from rlft_tui.server.remote_listener import KEEP_ALIVE, RemoteListener
from rlft_tui.server.server_record import ServerRecord, record_path, write_record
from rlft_tui.server.services import Services
from rlft_tui.server.start_report import StartReport
from rlft_tui.server.supervisor import Supervisor
from rlft_tui.server.uploads import remove_leftovers
from rlft_tui.version import VERSION

log = logging.getLogger("rlft.server")
_LOCK_SECONDS = 20.0
"""How long a server that is just ending may keep the workspace."""


def serve(root: Path, report: StartReport) -> None:
    """Own the workspace and answer until idle, told to end or moved away.

    Raises RlftError when it cannot start, such as ConflictError when it is already served.
    """
    level = logging.getLevelNamesMapping().get(os.environ.get("LOG_LEVEL", "").upper(), logging.INFO)
    logging.basicConfig(stream=sys.stderr, level=level, format="%(asctime)s %(levelname)s %(message)s")
    # They would write addresses down, which may hold a secret.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    workspace = find_workspace(root)
    settings = read_settings(workspace.settings)
    report.doing("opening the database")
    database = _own(workspace, report)
    services = open_services(workspace, settings, database, doing=report.doing)
    services.tuner.start()
    listener = listen(workspace.socket)
    entry = SocketFile(workspace.socket)
    write_record(workspace, ServerRecord(os.getpid(), str(workspace.socket), VERSION, services.started))
    for warning in services.warnings:
        log.warning(warning)
    log.info("serving %s, process %d", workspace.root, os.getpid())
    backups = DailyBackups(services)
    backups.start()
    asyncio.run(_answer(services, listener, report.ready))
    entry.remove()
    backups.close()
    _close(services)


def _own(workspace: Workspace, report: StartReport) -> Database:
    """The open database; waits for a server that is just ending."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            return open_database(workspace)
        except ConflictError:
            if _is_answered(workspace.socket) or time.monotonic() > deadline:
                raise
            report.doing("waiting for the server before it to end")
            time.sleep(0.05)


def _is_answered(path: Path) -> bool:
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        return probe.connect_ex(str(path)) == 0


def open_services(
    workspace: Workspace,
    settings: Settings,
    database: Database,
    *,
    doing: Callable[[str], None] = lambda _: None,
) -> Services:
    """Everything the routes need, with database and journal made to agree.

    ``doing`` is told of each part that may take long.
    """
    guard = WorkspaceGuard(workspace)
    labels = LabelBook(
        database,
        PreferenceJournal(workspace.journal),
        guard=guard.check,
        shares=Shares(settings.repeat_share, settings.control_share),
    )
    doing("comparing the labels with their journal")
    repaired = labels.reconcile()
    doing("reading the runs")
    supervisor = Supervisor(workspace, settings, database, pairs_changed=labels.pairs_changed)
    supervisor.judged = JudgeVerdicts(database, labels).take
    supervisor.start()
    remove_leftovers(workspace.root)
    remove_unfinished(workspace)
    return Services(
        workspace=workspace,
        settings=settings,
        database=database,
        labels=labels,
        scores=ScoreBook(database, labels),
        rankings=RankBook(database, labels),
        guard=guard,
        started=time.time(),
        socket=str(workspace.socket),
        supervisor=supervisor,
        inference=Inference(workspace, settings, database),
        warnings=[*settings_at_fault(settings), *database.warnings, *repaired],
    )


class _Server(uvicorn.Server):
    """Signals end it like everything else does, with the workspace closed in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end, signal.Signals(number).name)
        # The terminal it was started from may close.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        yield

    def end(self, reason: str) -> None:
        if not self.should_exit:
            log.info("ending: %s", reason)
        self.should_exit = True


async def _answer(services: Services, listener: socket.socket, ready: Callable[[], None]) -> None:
    app = create_app(services)
    activity = Activity(app)
    server = _Server(
        uvicorn.Config(
            activity,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=5,
            server_header=False,
            date_header=False,
        )
    )
    services.end = server.end
    services.remote = remote = RemoteListener(activity, RemoteToken(services.workspace))
    watcher = asyncio.create_task(
        watch(
            activity=activity,
            guard=services.guard,
            idle_seconds=services.settings.idle_minutes * 60,
            busy=lambda: services.supervisor.is_needed() or services.tuner.is_needed(),
            connected=lambda: bool(server.server_state.connections) or bool(remote.connections),
            end=server.end,
        )
    )
    freeze_what_stays()
    # An answer may be large, and a failed one's frames keep it until they are collected.
    collect_rarely(young=50_000, older=20)
    asyncio.get_running_loop().call_soon(ready)
    preparation = asyncio.create_task(_prepare(app))
    await server.serve(sockets=[listener])
    await remote.stop()
    preparation.cancel()
    watcher.cancel()


async def _prepare(app: FastAPI) -> None:
    """What the first to ask for it would wait for, while nobody does: routes, and numpy for the curves."""
    await make_routes(app)
    await asyncio.to_thread(importlib.import_module, "numpy")


def _close(services: Services) -> None:
    """Checkpoint and close; a workspace that was moved away is left as it is on disk."""
    for part in (services.inference, services.tuner, services.supervisor):
        try:
            part.close()
        except Exception:
            # Nothing may keep the database from being closed in order.
            log.exception("ending %s", type(part).__name__)
    if not services.guard.is_in_place():
        # DuckDB would find its write-ahead log by path, which is another's now.
        log.warning("the workspace was moved or replaced: leaving it without a checkpoint")
        os._exit(0)
    record_path(services.workspace).unlink(missing_ok=True)
    services.labels.close()
    services.database.close()
    log.info("ended")
