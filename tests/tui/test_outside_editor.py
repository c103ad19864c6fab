"""The terminal is handed to $EDITOR, comes back, and what was written there is stored."""

from __future__ import annotations

import stat
import termios
from pathlib import Path

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.paths import Workspace
from tests.conftest import add_pairs
from tests.tui.terminal_session import TerminalSession

SCRIPT = """#!/bin/sh
# Shows that it has a terminal that edits lines, writes what it is told, and keeps the page for the test.
cp "$1" {page}
echo "EDITOR HAS IT"
read line
[ "$line" = fail ] && exit 3
printf '%s\\n' "$line" > "$1.new"
cat "$1" >> "$1.new"
mv "$1.new" "$1"
"""


def test_the_editor_gets_the_terminal_and_gives_it_back(
    workspace: Workspace, client: WorkspaceClient, tmp_path: Path
) -> None:
    (pair,) = add_pairs(client, 1)
    page, script = tmp_path / "page.md", tmp_path / "editor"
    script.write_text(SCRIPT.format(page=page))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)

    with TerminalSession.rlft(workspace, "label", EDITOR=str(script), VISUAL="") as session:
        session.shows("Answer B to 0.", "0 labelled")
        session.press("e")
        session.until(lambda: session.raw.count(b"EDITOR HAS IT") == 1, "the editor")
        flags = termios.tcgetattr(session.child.child_fd)[3]
        assert flags & termios.ICANON
        assert flags & termios.ECHO
        session.press("Written outside.\r")
        session.shows("better answer written", pair.prompt)
        assert not termios.tcgetattr(session.child.child_fd)[3] & termios.ICANON
        (stored,) = client.better_answers()
        assert (stored.example_id, stored.text) == (pair.id, "Written outside.")
        for part in (pair.prompt, pair.response_a, pair.response_b):
            assert part in page.read_text()

        session.press("e")
        session.until(lambda: session.raw.count(b"EDITOR HAS IT") == 2, "the editor again")
        session.press("fail\r")
        session.shows("editor ended with 3, nothing changed")
        session.press("1")
        session.shows("Every pair is labelled")
        assert [label.example_id for label in client.labels()] == [pair.id]
        assert [answer.id for answer in client.better_answers()] == [stored.id]


def test_an_editor_that_is_not_there_is_named(workspace: Workspace, client: WorkspaceClient) -> None:
    add_pairs(client, 1)
    with TerminalSession.rlft(workspace, "label", EDITOR="/nowhere/editor", VISUAL="") as session:
        session.shows("Answer B to 0.", "0 labelled")
        session.press("e")
        session.shows("editor cannot be started")
        session.press("1")
        session.shows("Every pair is labelled")
