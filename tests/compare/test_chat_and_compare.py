"""rlft chat and rlft compare: in a pipe, as JSON, and at a pseudo-terminal."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.paths import Workspace
from tests.cli.run_rlft import Rlft
from tests.tui.terminal_session import TerminalSession

SHORT = ("--max-new-tokens", "12")


@pytest.fixture
def rlft(capsys: pytest.CaptureFixture[str], workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Rlft:
    monkeypatch.setenv("RLFT_WORKSPACE", str(workspace.root))
    return Rlft(capsys)


def test_a_pipe_gets_the_answer_and_nothing_else(
    rlft: Rlft, client: WorkspaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Hello?\n"))
    answered = rlft.well("chat", "tiny-one", *SHORT, "--temperature", "0")
    asked = ("chat", "tiny-one", "Hello?", *SHORT, "--temperature", "0", "--json")
    record = json.loads(rlft.well(*asked).out)
    assert record["prompt"] == "Hello?"
    assert 0 < record["tokens"] <= 12
    assert record["settings"] == {"temperature": 0.0, "top_p": 1.0, "max_new_tokens": 12, "seed": 1}
    assert rlft.well("chat", "tiny-one", "Hello?", *SHORT, "--temperature", "0").out == answered.out
    assert answered.out.endswith("\n")
    assert not any(letter in answered.out for letter in "\x1b\x9b\x07")
    monkeypatch.setattr(sys, "stdin", io.StringIO(" \n"))
    refused = rlft("chat", "tiny-one")
    assert (refused.code, "the prompt is empty" in refused.err) == (2, True)
    unknown = rlft("chat", "tiny-won", "Hello?")
    assert (unknown.code, "Did you mean tiny-" in unknown.err) == (2, True)


def test_a_providers_model_is_a_model(
    rlft: Rlft, client: WorkspaceClient, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("one two three"))
    assert rlft.well("chat", provider).out.split() == ["three", "two", "one"]
    sides = rlft.well("compare", "one two", "-m", provider, "-m", "tiny-one", *SHORT, "--json").value
    assert (sides[0]["model"], sides[0]["text"].split()) == (provider, ["two", "one"])
    failing = rlft("chat", provider, "refuse this")
    assert failing.code == 2
    assert "Traceback" not in failing.err


def test_sides_with_settings_of_their_own_answer_in_lines_or_as_json(
    rlft: Rlft, client: WorkspaceClient
) -> None:
    asked = ["compare", "Hello?", "-m", "tiny-one", "-m", "tiny-one@temperature=0", "-m", "tiny-two", *SHORT]
    sides = rlft.well(*asked, "--json").value
    assert [side["model"] for side in sides] == ["tiny-one", "tiny-one", "tiny-two"]
    assert [side["settings"]["temperature"] for side in sides] == [0.7, 0.0, 0.7]
    shown = rlft.well(*asked)
    assert {line[:3] for line in shown.out.splitlines()} == {"A │", "B │", "C │"}
    assert "B │ tiny-one · temperature 0: " in shown.err
    both = rlft.well("compare", "Hello?", "--models", "tiny-one", "tiny-two", *SHORT, "--json").value
    assert [side["model"] for side in both] == ["tiny-one", "tiny-two"]


def test_a_file_of_prompts_gives_a_line_of_json_each(
    rlft: Rlft, client: WorkspaceClient, prompt_file: Path
) -> None:
    asked = ("compare", "--prompts", prompt_file, "-m", "tiny-one", "-m", "tiny-two", *SHORT, "--json")
    rows = [json.loads(line) for line in rlft.well(*asked, "--system", "Be brief.").out.splitlines()]
    assert [(row["n"], row["prompt"].split()[0]) for row in rows] == [
        (1, "First"),
        (2, "Second"),
        (3, "Third"),
    ]
    assert all(len(row["answers"]) == 2 for row in rows)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-m", "tiny-one"), "2 to 4 models are compared, not 1"),
        (("-m", "tiny-one", "-m", "tiny-two@heat=2"), "no setting of a side"),
        (("-m", "tiny-one", "-m", "tiny-two", "--prompts", "nowhere.txt"), "a prompt and a file of prompts"),
        (("-m", "tiny-one", "-m", "tiny-two", "--judge"), "needs a terminal"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(
    rlft: Rlft, client: WorkspaceClient, words: tuple[str, ...], message: str
) -> None:
    outcome = rlft("compare", "Hello?", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_conversation_at_a_terminal(workspace: Workspace, client: WorkspaceClient) -> None:
    with TerminalSession.rlft(workspace, "chat", "tiny-one", *SHORT) as terminal:
        terminal.shows("/help lists what can be said", "> ")
        terminal.press("/set seed 5\r")
        terminal.shows("max_new_tokens 12, seed 5")
        terminal.press("Hello\r")
        terminal.shows("cut at 12 tokens")
        terminal.press("/undo\r")
        terminal.shows("taken back: Hello")
        terminal.press("/model tiny-won\r")
        terminal.shows("no model called 'tiny-won'")
        terminal.press("/model\r")
        terminal.shows("model: tiny-one")
        terminal.press("/nothing\r")
        terminal.shows("no command /nothing")
        terminal.press("\x04")
        assert terminal.end() == 0


def test_verdicts_by_key_at_a_terminal_are_stored_blind(
    workspace: Workspace, client: WorkspaceClient, prompt_file: Path
) -> None:
    before = len(client.labels())
    words = ("compare", "--prompts", str(prompt_file), "-m", "tiny-one", "-m", "tiny-two", "--judge", *SHORT)
    with TerminalSession.rlft(workspace, *words) as terminal:
        terminal.shows("1 of 3", "Answer 1", " │ Answer 2", "1 left · 2 right")
        assert "tiny" not in terminal.text()
        terminal.press("1")
        terminal.shows("stored: left is better", "2 of 3")
        # Long answers may push the question before this one off the screen.
        terminal.until(lambda: terminal.text().rstrip().endswith("q leave"), "the second question")
        terminal.press("u")
        terminal.shows("taken back: left is better")
        terminal.until(lambda: terminal.text().rstrip().endswith("q leave"), "the first question again")
        terminal.press("2")
        terminal.shows("stored: right is better")
        terminal.until(lambda: terminal.text().rstrip().endswith("q leave"), "the next question")
        terminal.press("q")
        assert terminal.end() == 0
        assert "won" in terminal.text()
    (verdict,) = client.labels()[before:]
    pair = next(pair for pair in client.pairs(limit=1000).pairs if pair.id == verdict.example_id)
    assert (pair.prompt, pair.source, pair.settings["blind"]) == ("First question", "compare", True)
    assert pair.settings["a"]["max_new_tokens"] == 12
