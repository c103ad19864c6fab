"""Fixtures of the command line's tests."""

from __future__ import annotations

import pytest

from rlft_tui.paths import Workspace
from tests.cli.run_rlft import Rlft


@pytest.fixture
def rlft(capsys: pytest.CaptureFixture[str]) -> Rlft:
    """Runs commands in this process."""
    return Rlft(capsys)


@pytest.fixture
def here(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace that commands find by themselves."""
    monkeypatch.setenv("RLFT_WORKSPACE", str(workspace.root))
    return workspace
