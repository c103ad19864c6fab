"""Every command explains itself, with an example that is a valid command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from rlft_tui.cli.main import NOUNS, load_noun, root
from tests.cli.run_rlft import Rlft


def commands() -> Iterator[tuple[str, ...]]:
    """The path of every command in the tree."""
    for noun in NOUNS:
        loaded = load_noun(noun)
        if isinstance(loaded, TyperGroup):
            yield from ((noun, verb) for verb in loaded.commands)
        else:
            yield (noun,)


PATHS = list(commands())


def examples(path: tuple[str, ...]) -> list[str]:
    return re.findall(r"^\s+(rlft .+)$", (resolve(path).epilog or ""), re.MULTILINE)


def resolve(path: tuple[str, ...]) -> Any:
    command = load_noun(path[0])
    return command.commands[path[1]] if len(path) > 1 else command


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_the_help_of_every_command_says_what_it_does_and_shows_an_example(
    rlft: Rlft, path: tuple[str, ...]
) -> None:
    shown = rlft.well(*path, "--help").out
    assert f"Usage: rlft {' '.join(path)}" in shown
    assert examples(path), "no example"
    assert all(example in shown for example in examples(path))
    for parameter in resolve(path).params:
        assert parameter.help or parameter.metavar or parameter.name == "help", (
            f"{parameter.name} has no help"
        )


@pytest.mark.parametrize(
    ("path", "line"), [(path, line) for path in PATHS for line in examples(path)], ids=str
)
def test_examples_are_command_lines_that_parse(path: tuple[str, ...], line: str) -> None:
    words = shlex.split(line)[1:]
    assert tuple(words[: len(path)]) == path
    context = resolve(path).make_context(path[-1], words[len(path) :])
    assert context.params


@pytest.mark.parametrize(
    "path", [path for path in PATHS if path not in (("label",), ("runs", "watch"))], ids=" ".join
)
def test_every_command_takes_json_and_a_workspace(path: tuple[str, ...]) -> None:
    flags = {flag for parameter in resolve(path).params for flag in parameter.opts}
    assert {"--json", "--workspace", "-w"} <= flags


def test_the_root_lists_every_noun_in_one_line_each(rlft: Rlft) -> None:
    shown = " ".join(rlft.well("--help").out.split())
    for noun, line in NOUNS.items():
        assert f"{noun} {line}" in shown


@pytest.mark.parametrize("noun", [noun for noun in NOUNS if isinstance(load_noun(noun), TyperGroup)])
def test_a_nouns_line_names_its_verbs(noun: str) -> None:
    verbs = list(load_noun(noun).commands)
    if len(verbs) > 1:
        assert NOUNS[noun].rpartition(": ")[2] == f"{', '.join(verbs)}."


def test_completion_knows_the_nouns() -> None:
    command = typer.main.get_command(root)
    context = command.make_context("rlft", [], resilient_parsing=True)
    assert {item.value for item in command.shell_complete(context, "lab")} == {"label", "labels"}
