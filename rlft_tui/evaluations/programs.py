"""From a model's answer to a program that tests itself."""

from __future__ import annotations

import re
from typing import Any

_BLOCK = re.compile(r"```[ \t]*([\w+-]*)[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL)
_STOPS = ("\nclass ", "\ndef ", "\n#", "\nif ", "\nprint", "\n@", "\nassert ", "\n```", "\n<")
"""Where HumanEval cuts a completion off: what begins here is no longer the function's body."""


def program_of(answer: str, *, prompt: str, entry_point: str, style: str) -> str:
    """The program in an answer: its last code block that defines ``entry_point``, or all of it.

    A completion is put behind the prompt; a chat's answer that only goes on with the body too.
    """
    if style == "completion":
        return prompt + cut(answer)
    wanted = f"def {entry_point}"
    blocks: list[str] = [
        code for language, code in _BLOCK.findall(answer) if language in ("", "python", "py", "python3")
    ]
    before = answer.partition("```")[0]
    if wanted in before and entry_point:
        # The answer began with the program, and the first fence ends it.
        blocks = [before]
    defining = [code for code in blocks if wanted in code]
    code = (defining or blocks or [answer])[-1]
    if wanted in code or not entry_point:
        # Imports and helpers that the prompt brings stay in force.
        return f"{_head(prompt, wanted)}\n{code}"
    return prompt + code


def cut(completion: str) -> str:
    """The completion up to where another top-level statement begins."""
    ends = [at for stop in _STOPS if (at := completion.find(stop)) >= 0]
    return completion[: min(ends)] if ends else completion


def with_tests(program: str, row: dict[str, Any], *, tests: str, entry_point: str) -> str:
    """The program, its tests, and the call of ``check`` where the row names a function."""
    name = row.get(entry_point)
    call = f"\ncheck({name})\n" if isinstance(name, str) and name.isidentifier() else "\n"
    return f"{program}\n\n{row.get(tests, '')}\n{call}"


def _head(prompt: str, wanted: str) -> str:
    """What stands before the function in a prompt that begins a program; nothing of other prompts."""
    before, found, _ = prompt.partition(wanted)
    return before if found and before.lstrip().startswith(("import ", "from ", "def ")) else ""
