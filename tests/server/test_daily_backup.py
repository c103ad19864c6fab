"""One automatic backup a day; a failure is told until one succeeds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from rlft_tui.config import read_settings
from rlft_tui.database.backup import list_backups
from rlft_tui.database.connection import open_database
from rlft_tui.paths import Workspace
from rlft_tui.server.backup_routes import back_up_daily
from rlft_tui.server.services import Services
from rlft_tui.server.workspace_server import open_services


@pytest.fixture
def services(workspace: Workspace) -> Iterator[Services]:
    workspace.settings.write_text("daily_backups = 2\n")
    opened = open_services(workspace, read_settings(workspace.settings), open_database(workspace))
    yield opened
    opened.supervisor.close()
    opened.inference.close()
    opened.labels.close()
    opened.database.close()


def test_one_backup_a_day(services: Services) -> None:
    back_up_daily(services)
    back_up_daily(services)
    (made,) = list_backups(services.workspace)
    assert made.automatic


def test_a_failure_is_a_warning_until_one_succeeds(services: Services) -> None:
    backups = services.workspace.backups
    shutil.rmtree(backups)
    backups.write_text("in the way")
    back_up_daily(services)
    back_up_daily(services)
    (warning,) = services.warnings
    assert warning.startswith("no daily backup: ")
    assert "\n" not in warning
    backups.unlink()
    back_up_daily(services)
    assert services.warnings == []
    assert len(list_backups(services.workspace)) == 1
