"""The workbench in a real terminal: how it leaves, how it comes back, what a kill cannot lose."""

from __future__ import annotations

import os
import random
import re
import shlex
import signal
import termios
from collections import Counter

import pytest

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.labels.preference import Choice, Preference
from rlft_tui.paths import Workspace
from rlft_tui.server.server_record import read_record
from rlft_tui.tui.app import RlftApp, run_app
from tests.conftest import add_pairs, is_alive, wait_for
from tests.tui.terminal_session import TerminalSession, rlft_command

ALTERNATE_ON, ALTERNATE_OFF = b"\x1b[?1049h", b"\x1b[?1049l"
KILLS = 20


def is_left(session: TerminalSession) -> bool:
    """Main screen and cursor are back, the mouse is off."""
    after = session.raw[session.raw.rindex(ALTERNATE_ON) :]
    return (
        ALTERNATE_OFF in after
        and after.rindex(b"\x1b[?25h") > after.index(ALTERNATE_OFF)
        and after.rindex(b"\x1b[?1000l") > after.rindex(b"\x1b[?1000h")
    )


def test_a_dumb_terminal_gets_no_colours(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[bool] = []

    async def look(app: RlftApp) -> None:
        opened.append(app.no_color)

    monkeypatch.setattr(RlftApp, "run_async", look)
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.delenv("NO_COLOR")
    for terminal in ("xterm-256color", "dumb"):
        monkeypatch.setenv("TERM", terminal)
        run_app(workspace)
    assert opened == [False, True]


def edits_lines(session: TerminalSession) -> bool:
    """The terminal echoes and waits for whole lines, as before."""
    flags = termios.tcgetattr(session.child.child_fd)[3]
    return bool(flags & termios.ECHO) and bool(flags & termios.ICANON)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_leaves_the_terminal_as_it_was(
    workspace: Workspace, client: WorkspaceClient, ending: signal.Signals
) -> None:
    add_pairs(client, 2)
    # a shell holds the terminal open, so that its state can be seen after the workbench has gone
    command = shlex.join([*rlft_command(workspace), "label"])
    with TerminalSession(["/bin/sh", "-c", f"{command}; echo ended $?; read line"]) as session:
        session.shows("2 left", "? help")
        (child,) = [int(pid) for pid in children_of(session.pid)]
        os.kill(child, ending)
        session.until(lambda: f"ended {128 + ending}".encode() in session.raw, "the exit status")
        assert is_left(session)
        assert edits_lines(session)
        assert b"Traceback" not in session.raw


@pytest.mark.parametrize(
    "variables", [{"NO_COLOR": "1"}, {"TERM": "xterm", "COLORTERM": ""}, {"TERM": "screen", "COLORTERM": ""}]
)
def test_few_colours_or_none_still_show_the_pair_and_take_a_verdict(
    workspace: Workspace, client: WorkspaceClient, variables: dict[str, str]
) -> None:
    add_pairs(client, 2)
    with TerminalSession.rlft(workspace, "label", **variables) as session:
        session.shows("Answer A to", "Answer B to", "2 left")
        session.press("1")
        session.shows("1 labelled")
        if "NO_COLOR" not in variables:
            assert b"38;2;" not in session.raw, "a terminal of 16 colours gets no others"


def test_ctrl_q_leaves_with_exit_code_0_and_a_clean_terminal(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    with TerminalSession.rlft(workspace) as session:
        session.shows("rlft pairs import", "? help")
        session.press("\x11")
        assert session.end() == 0
        assert ALTERNATE_OFF in session.raw


def test_the_end_of_the_connection_ends_the_workbench(workspace: Workspace, client: WorkspaceClient) -> None:
    add_pairs(client, 2)
    with TerminalSession.rlft(workspace, "label") as session:
        session.shows("2 left")
        pid = session.pid
        session.hang_up()
        wait_for(lambda: not is_alive(pid), "the workbench to end without its terminal")


def test_ctrl_l_and_another_size_paint_over_what_others_wrote_on_the_terminal(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    with TerminalSession.rlft(workspace) as session:
        session.shows("Home", "Nothing here yet")
        for repair in (lambda: session.press("\x0c"), lambda: session.child.setwinsize(29, 100)):
            session.scribble("another program was here")
            repair()
            session.until(lambda: "another program" not in session.text(), "the screen as it was")
            session.shows("Home", "Nothing here yet")


def test_ctrl_z_gives_the_shell_back_and_fg_paints_again(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 2)
    with TerminalSession(["/bin/bash", "--norc", "-i"], PS1="shell> ") as session:
        session.shows("shell>")
        session.press(shlex.join([*rlft_command(workspace), "label"]) + "\n")
        session.shows("Question", "2 left", "? help")
        session.press("\x1a")
        session.until(lambda: b"Stopped" in session.raw, "the shell to say Stopped")
        assert is_left(session)
        mark = len(session.raw)
        session.press("fg\n")
        session.until(lambda: b"? help" in _plain(session.raw[mark:]), "the key bar painted again")
        session.until(lambda: b"Answer" in _plain(session.raw[mark:]), "the answers painted again")
        assert ALTERNATE_ON in session.raw[mark:]
        session.press("3")
        session.shows("1 labelled")


@pytest.mark.slow
def test_nothing_is_lost_by_killing_the_workbench_while_labelling(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    """Each time two verdicts are acknowledged (the next pair was painted) and one is under way."""
    add_pairs(client, 3 * KILLS + 3)
    chance = random.Random(7)
    acknowledged: dict[str, Choice] = {}
    for _ in range(KILLS):
        with TerminalSession.rlft(workspace, "label") as session:
            session.shows("Answer A to", "Answer B to", "left")
            for _ in range(2):
                pair, left = what_is_shown(session)
                key = chance.choice("123")
                session.press(key)
                session.until(lambda pair=pair: another_pair(session, pair), "the next pair")  # type: ignore[misc]
                acknowledged[pair] = _choice(key, left)
            session.press(chance.choice("123"))
            session.read(chance.choice([0.0, 0.002, 0.01, 0.03]))
            session.kill()
    stored = {label.example_id: label.choice for label in client.labels()}
    assert {pair: stored.get(pair) for pair in acknowledged} == acknowledged
    verdicts = [entry.operation for entry in client.history("ada", limit=1000)]
    assert all(isinstance(verdict, Preference) for verdict in verdicts)
    assert max(Counter(verdict.example_id for verdict in verdicts).values()) == 1
    assert len(acknowledged) == 2 * KILLS


def what_is_shown(session: TerminalSession) -> tuple[str, str]:
    """The pair's id and the stored side on the left."""
    text = session.text()
    found = re.search(r"Question (\d+) of pair", text)
    sides = re.findall(r"Answer ([AB]) to (\d+)", text)
    assert found is not None
    assert {number for _, number in sides} == {found.group(1)}
    return f"pair-{found.group(1)}", sides[0][0].lower()


def another_pair(session: TerminalSession, pair: str) -> bool:
    """Whether a whole other pair is on screen: its question and both its answers."""
    found = re.search(r"Question (\d+) of pair", session.text())
    numbers = re.findall(r"Answer [AB] to (\d+)", session.text())
    return found is not None and f"pair-{found.group(1)}" != pair and numbers == [found.group(1)] * 2


def children_of(pid: int) -> list[str]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return file.read().split()


def _choice(key: str, left: str) -> Choice:
    if key == "3":
        return "tie"
    return "a" if (left == "a") == (key == "1") else "b"


def _plain(raw: bytes) -> bytes:
    return re.sub(rb"\x1b\[[0-9;?<>=]*[A-Za-z]", b"", raw)


def test_leaving_does_not_wait_for_a_call_that_hangs(workspace: Workspace, client: WorkspaceClient) -> None:
    record = read_record(workspace)
    assert record is not None
    with TerminalSession.rlft(workspace) as session:
        session.shows("rlft pairs import", "? help")
        os.kill(record.pid, signal.SIGSTOP)
        try:
            session.press("3")
            session.shows("loading")
            session.press("\x11")
            assert session.end() == 0
        finally:
            os.kill(record.pid, signal.SIGCONT)
