"""Keys that are done, or told of, before the next one is handed out.

Keys that arrive in one piece, as from a slow line, are handed out faster than a screen acts on them: the
digit of a fast "how sure? 4" would be a verdict, the verdict behind a note a part of the note, and the
first words of a search would be commands of the screen.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from textual import events
from textual.binding import ActiveBinding
from textual.message_pump import MessagePump

from rlft_tui.tui.screen_registry import SCREENS
from rlft_tui.tui.widgets.note_line import NoteLine

if TYPE_CHECKING:
    from rlft_tui.tui.app import RlftApp
    from rlft_tui.tui.screens.base import WorkbenchScreen

CATCH_UP_SECONDS = 0.3
"""How long a key waits for what those before it do: longer only if that waits for something itself."""
OPEN_SECONDS = 2.0
"""The same for a dialog that a key has opened."""


async def done_at_once(app: RlftApp, screen: WorkbenchScreen, event: events.Key) -> bool:
    """Whether the key has had its effect, and goes nowhere else."""
    if screen.focused is not None and screen.focused.check_consume_key(event.key, event.character):
        return False  # it is typed
    active = screen.active_bindings.get(event.key)
    if active is None:
        return False
    action = active.binding.action
    if app.elsewhere and action.partition("(")[0] in screen.KEPT_BACK:
        _tell(app, f"{active.binding.description}: this is done on the workspace's own machine")
        return True
    if not screen.DIGITS_SWITCH and event.key.isdigit() and active.node is app:
        # It would fall through to the screen keys where digits have another meaning.
        title = next(entry.title for entry in SCREENS.values() if entry.digit == event.key)
        _tell(app, f"Here g{event.key} or F{event.key} opens {title}")
        return True
    if isinstance(screen.focused, NoteLine) and active.node is screen.focused:
        await _edit(app, screen.focused, active)
        return True
    if active.enabled and action.partition("(")[0] in screen.CHANGES_KEYS:
        done = await app.run_action(action, active.node)
        if app.screen is not screen:
            # What is typed behind the key belongs to the dialog that it opens.
            await _caught_up(app.screen, OPEN_SECONDS)
        return done
    return False


def _tell(app: RlftApp, what: str) -> None:
    app.clear_notifications()
    app.notify(what, timeout=3, markup=False)


async def _edit(app: RlftApp, note: NoteLine, active: ActiveBinding) -> None:
    """Do what a key does to the note, Enter above all, and wait for the screen to take it."""
    await _caught_up(note)
    await app.run_action(active.binding.action, note)
    for node in note.ancestors_with_self:
        if node is not app:
            await _caught_up(node)


async def _caught_up(node: MessagePump, seconds: float = CATCH_UP_SECONDS) -> None:
    """Wait until it has done what was asked of it so far."""
    done = asyncio.Event()
    node.call_later(done.set)
    with suppress(TimeoutError):
        await asyncio.wait_for(done.wait(), seconds)
