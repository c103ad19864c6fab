"""What a newcomer reads first: the list of commands, what to do after init, the way back to the demo."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from typer.core import TyperGroup

from rlft_tui.cli.demo_command import way_back
from rlft_tui.cli.main import NOUNS, load_noun
from rlft_tui.models.name_hint import name_hint
from tests.cli.run_rlft import Rlft

GROUPS = [noun for noun in NOUNS if isinstance(load_noun(noun), TyperGroup)]


@pytest.mark.parametrize("noun", GROUPS)
def test_no_line_in_a_list_of_commands_is_cut(rlft: Rlft, noun: str) -> None:
    shown = rlft.well(noun, "--help").out
    assert "..." not in shown.partition("Commands:")[2]
    for verb, command in load_noun(noun).commands.items():
        whole = " ".join((command.help or "").partition("\n\n")[0].split())
        assert f"{verb} {whole}" in " ".join(shown.split())


def test_init_says_how_to_step_in_even_with_a_space_in_the_name(rlft: Rlft, tmp_path: Path) -> None:
    folder = tmp_path / "my project"
    said = rlft.well("init", str(folder)).err
    assert f"Next: cd {shlex.quote(str(folder))}, then rlft prompts import FILE" in said


def test_commands_in_a_hint_reach_the_workspace_that_was_named(
    rlft: Rlft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my project"
    rlft.well("init", str(folder))
    named = f"rlft -w {shlex.quote(str(folder))}"
    assert f"Start one: {named} train dpo --follow" in rlft.well("-w", folder, "runs", "list").err
    assert f"{named} train dpo starts one" in rlft("runs", "show", "none", "-w", folder).err
    assert "Make one: rlft init" in rlft("-w", tmp_path / "none", "runs", "list").err
    monkeypatch.chdir(folder)
    assert "Start one: rlft train dpo" in rlft.well("-w", ".", "runs", "list").err


def test_the_way_back_to_the_demo_names_a_program_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(tmp_path / ".venv" / "bin" / "rlft")])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert way_back(tmp_path / ".demo" / "workspace") == ".venv/bin/rlft -w .demo/workspace"
    (tmp_path / "rlft").write_text("#!/bin/sh\n")
    (tmp_path / "rlft").chmod(0o755)
    assert way_back(tmp_path / "my demo") == "rlft -w 'my demo'"


def test_a_name_known_twice_is_told_once() -> None:
    assert name_hint("zzz", ["smollm2-135m", "smollm2-135m"]) == "Known: smollm2-135m"
