"""Write docs/reference.md from the command tree and the run specs: ``make reference``.

The help of every command as it is printed, and every setting of a run as the spec
declares it. A test fails when the file does not match the program.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import typer
from pydantic import BaseModel
from typer.core import TyperGroup

from rlft_tui.cli.main import NOUNS, load_noun, root
from rlft_tui.cli.spec_flags import SpecFlag, spec_flags
from rlft_tui.runs.run_spec import SPECS

TARGET = Path(__file__).with_name("reference.md")
_WIDTH = 90


def reference() -> str:
    """The whole page."""
    os.environ["COLUMNS"] = str(_WIDTH)
    parts = [_HEAD, _fenced(_help(typer.main.get_command(root), "rlft", None))]
    for name in NOUNS:
        parts.append(f"## rlft {name}\n\n{NOUNS[name]}")
        parts += [
            (f"### {path}\n\n" if path != f"rlft {name}" else "") + _fenced(text)
            for path, text in _commands(load_noun(name), f"rlft {name}")
        ]
    parts.append(_SPEC_HEAD)
    for method, spec in SPECS.items():
        parts.append(f'### method = "{method}"\n\n{_paragraph(spec.__doc__)}\n\n{_settings(spec)}')
    return "\n\n".join(parts) + "\n"


def _commands(command: Any, path: str) -> Iterator[tuple[str, str]]:
    """Each command below a noun with its help; a noun that is a command gives itself."""
    if not isinstance(command, TyperGroup):
        yield path, _help(command, path, None)
        return
    for name, verb in command.commands.items():
        yield f"{path} {name}", _help(verb, f"{path} {name}", None)


def _help(command: Any, path: str, parent: Any) -> str:
    context = typer.Context(
        command, info_name=path, parent=parent, terminal_width=_WIDTH, help_option_names=["--help", "-h"]
    )
    return str(command.get_help(context)).rstrip()


def _settings(spec: type[BaseModel]) -> str:
    rows = ["| setting | type | flag | meaning |", "|---|---|---|---|"]
    without = ("prompts",) if "prompts" in spec.model_fields else ()
    for flag in spec_flags(spec, without=without):
        meaning = flag.help.replace("|", "\\|")
        rows.append(f"| `{'.'.join(flag.path)}` | {_type(flag)} | `{flag.name}` | {meaning} |")
    return "\n".join(rows)


def _type(flag: SpecFlag) -> str:
    if get_origin(flag.kind) is tuple:
        return {str: "names", float: "numbers"}[get_args(flag.kind)[0]] + " (comma between)"
    if get_origin(flag.kind) is not None:
        return " or ".join(f"`{value}`" for value in get_args(flag.kind))
    return {int: "whole number", float: "number", bool: "true or false", str: "text"}[flag.kind]


def _fenced(text: str) -> str:
    return f"```\n{text}\n```"


def _paragraph(text: str | None) -> str:
    return " ".join((text or "").split())


_HEAD = """\
# Reference

Made from the program by `make reference`; do not edit it by hand.

Results go to stdout, talk to stderr. `--json` prints the result of any command as JSON.
Exit codes: 0 well · 1 a run or a check failed, or a fault in rlft · 2 something that you can
put right, told in one line · 130 interrupted.\
"""

_SPEC_HEAD = """\
## Settings of a run

A run is described by one typed spec. The launch form, a TOML file (`--spec FILE`) and the
flags set the same fields; flags override the file. A group such as `lora.r` is a table
`[lora]` with a key `r` in TOML. `--dry-run` prints the spec and starts nothing.\
"""


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
    print(TARGET)
