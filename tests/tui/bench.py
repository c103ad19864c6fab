"""The workbench under test: a real app on a real server, and waiting for what it shows."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
from textual.pilot import Pilot

from rlft_tui.client.connection import connect
from rlft_tui.config import read_settings
from rlft_tui.paths import Workspace
from rlft_tui.tui.app import RlftApp
from rlft_tui.tui.screens.base import WorkbenchScreen

WAIT_SECONDS = 120.0
SIZES = [(80, 24), (160, 48)]
Screen = TypeVar("Screen", bound=WorkbenchScreen)


@asynccontextmanager
async def workbench(
    workspace: Workspace, screen: str, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[Pilot[Any]]:
    """The app on this screen, connected through the same call as the ``rlft`` command's."""
    app = RlftApp(
        workspace, read_settings(workspace.settings), connect=lambda: connect(workspace), screen=screen
    )
    async with app.run_test(size=size) as pilot:
        yield pilot
        await app.link.close()


def front(pilot: Pilot[Any], kind: type[Screen]) -> Screen:
    """The screen in front, which has to be of this kind."""
    screen = pilot.app.screen
    assert isinstance(screen, kind), f"{screen} is in front"
    return screen


async def until(pilot: Pilot[Any], condition: Callable[[], object], what: str) -> None:
    """Let the app run until the condition holds; the test fails after a generous deadline."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {WAIT_SECONDS:.0f} s for {what}; the screen says:\n{page(pilot)}")
        await pilot.pause(0.02)


def page(pilot: Pilot[Any]) -> str:
    """Every row of the screen as text."""
    screen = pilot.app.screen
    height = screen.size.height
    return "\n".join(
        "".join(segment.text for segment in line) for line in screen._compositor.render_strips()[:height]
    )


async def shows(pilot: Pilot[Any], *texts: str) -> None:
    """Wait until all of these stand on the screen."""
    await until(pilot, lambda: all(text in page(pilot) for text in texts), f"{texts} to be shown")


async def vanishes(pilot: Pilot[Any], text: str) -> None:
    await until(pilot, lambda: text not in page(pilot), f"{text!r} to go")
