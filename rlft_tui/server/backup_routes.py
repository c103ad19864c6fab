"""Backups, asked for and daily."""

from __future__ import annotations

import logging
import threading
import time

from fastapi import APIRouter

from rlft_tui.database.backup import daily_due, make_backup, prune_daily
from rlft_tui.errors import RlftError
from rlft_tui.server.services import Services, ServicesOf

router = APIRouter()
log = logging.getLogger("rlft.server")
_FIRST_SECONDS = 60.0
_EVERY_SECONDS = 3600.0


@router.post("/backups")
def backup(services: ServicesOf) -> dict[str, str]:
    return {"path": str(make_backup(services.database, services.workspace))}


class DailyBackups:
    """A thread that makes one backup a day while the server runs, and removes old ones."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="daily-backups", daemon=True)

    def start(self) -> None:
        if self._services.settings.daily_backups > 0:
            self._thread.start()

    def close(self) -> None:
        """Returns when a backup under way is done."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        pause = _FIRST_SECONDS
        while not self._ended.wait(pause):
            pause = _EVERY_SECONDS
            back_up_daily(self._services)


def back_up_daily(services: Services) -> None:
    """Make the day's backup if it is due. A failure is a warning of the server until it succeeds."""
    failed = "no daily backup: "
    try:
        services.guard.check()
        if daily_due(services.workspace, time.time()):
            made = make_backup(services.database, services.workspace, automatic=True)
            log.info("daily backup: %s", made)
            prune_daily(services.workspace, services.settings.daily_backups)
        services.warnings[:] = [line for line in services.warnings if not line.startswith(failed)]
    except (RlftError, OSError) as error:
        log.error("%s%s", failed, error)
        services.warnings[:] = [line for line in services.warnings if not line.startswith(failed)]
        services.warnings.append(f"{failed}{error}")
