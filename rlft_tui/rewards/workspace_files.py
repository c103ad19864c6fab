"""The Python files in a workspace's ``rewards/``: what is there, and a new one to start from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from rlft_tui.errors import ConflictError, RlftError
from rlft_tui.rewards.built_in import BUILT_IN
from rlft_tui.rewards.python_file import FoundFunction, functions_in

TEMPLATE = '''\
"""A reward of my own. Try it with: rlft rewards test {name}"""


def {name}(prompts, completions, **columns):
    """Half a point for every sentence, at most one point.

    prompts and completions are lists of conversations: messages with role and content.
    columns holds the data set's other columns (such as answer), one entry a text, and
    completion_ids, trainer_state, log_extra(name, values) and log_metric(name, value).
    Returns one number a completion, or None where this reward does not judge.
    """
    rewards = []
    for prompt, completion in zip(prompts, completions):
        text = completion[-1]["content"]
        sentences = sum(text.count(mark) for mark in ".!?")
        rewards.append(min(1.0, 0.5 * sentences))
    return rewards
'''


@dataclass(frozen=True, slots=True)
class RewardFile:
    """A Python file and the functions in it, found without running it."""

    path: Path
    functions: tuple[FoundFunction, ...] = ()
    fault: str = ""
    """Why it cannot be read, with the line."""


def reward_files(folder: Path) -> tuple[RewardFile, ...]:
    """The files of a workspace's rewards folder by name; those that begin with an underscore are helpers."""
    found = []
    for path in sorted(folder.glob("*.py")):
        if path.name.startswith("_"):
            continue
        try:
            found.append(RewardFile(path, functions_in(path)))
        except RlftError as error:
            found.append(RewardFile(path, fault=str(error)))
    return tuple(found)


def new_file(folder: Path, name: str) -> Path:
    """Write a reward to start from; RlftError when there is a file of that name already."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name) or name in BUILT_IN:
        raise RlftError(
            f"not a name for a file of its own: {name!r}",
            remedy="Use lower-case letters, digits and _, and no built-in's name",
        )
    path = folder / f"{name}.py"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(TEMPLATE.replace("{name}", name))
    except FileExistsError:
        raise ConflictError(
            "there is a file already", where=str(path), remedy="Choose another name"
        ) from None
    return path
