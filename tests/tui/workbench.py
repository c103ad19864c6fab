"""The real app on the real server, driven by keys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot

from rlft_tui.config import read_settings
from rlft_tui.paths import Workspace
from rlft_tui.tui.app import RlftApp

WAIT_SECONDS = 60.0
SIZES = [(80, 24), (160, 48)]


@asynccontextmanager
async def workbench(
    workspace: Workspace, screen: str = "home", size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[RlftApp, Pilot[Any]]]:
    """The app as ``rlft`` runs it, on a screen of the given size."""
    app = RlftApp(workspace, read_settings(workspace.settings), screen=screen)
    async with app.run_test(size=size, notifications=True) as pilot:
        try:
            yield app, pilot
        finally:
            await app.link.close()


def drive(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run one asynchronous test to its end."""
    asyncio.run(test())


async def until(condition: Callable[[], object], what: str, app: RlftApp | None = None) -> None:
    """Let the app work until the condition holds."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {WAIT_SECONDS:.0f} s for {what}" + (f"\n{text_of(app)}" if app else ""))
        await asyncio.sleep(0.01)


async def shows(app: RlftApp, *texts: str) -> None:
    """Wait until every one of the texts is on screen."""
    await until(lambda: all(text in text_of(app) for text in texts), f"{texts} on screen", app)


def text_of(app: RlftApp) -> str:
    """What a reader sees, line by line."""
    strips = app.screen._compositor.render_strips(app.size)
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)
