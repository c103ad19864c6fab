"""Write docs/reference.md from the command tree and the run specs: ``make reference``.

The help of every command as it is printed, and every setting of a run as the spec
declares it. A test fails when the file does not match the program.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from rlft_tui.cli.main import NOUNS, load_noun, root
from rlft_tui.cli.spec_flags import flag_help
from rlft_tui.runs.run_spec import METHODS, SPECS, TRAINING_METHODS
from rlft_tui.runs.spec_fields import THEMES, SpecField, spec_fields

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
    shared = _shared()
    parts.append(f"### Every training method\n\n{_table(shared)}")
    for method in METHODS:
        own = [field for field in spec_fields(SPECS[method]) if field not in shared]
        parts.append(f'### method = "{method}"\n\n{_paragraph(SPECS[method].__doc__)}\n\n{_table(own)}')
    return "\n\n".join(parts) + "\n"


def _commands(command: Any, path: str) -> Iterator[tuple[str, str]]:
    """Each command below a noun with its help; a noun that is a command gives itself."""
    if not isinstance(command, TyperGroup):
        yield path, _help(command, path, None)
        return
    for name, verb in command.commands.items():
        yield f"{path} {name}", _help(verb, f"{path} {name}", None)


def _help(command: Any, path: str, parent: Any) -> str:
    """The help without the settings of a run, which stand in tables below."""
    context = typer.Context(
        command, info_name=path, parent=parent, terminal_width=_WIDTH, help_option_names=["--help", "-h"]
    )
    every = command.params
    command.params = [each for each in every if getattr(each, "rich_help_panel", None) not in THEMES]
    text = str(command.get_help(context)).rstrip()
    command.params = every
    return text


def _shared() -> list[SpecField]:
    """The settings that mean the same in every training method."""
    first, *others = [spec_fields(SPECS[method]) for method in TRAINING_METHODS]
    return [field for field in first if all(field in other for other in others)]


def _table(fields: Sequence[SpecField]) -> str:
    rows = ["| setting | type | flag | meaning |", "|---|---|---|---|"]
    for field in fields:
        meaning = flag_help(field).replace("|", "\\|")
        rows.append(f"| `{field.name}` | {_KINDS[field.kind]} | `{field.flag}` | {meaning} |")
    return "\n".join(rows)


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
flags set the same fields; flags override the file, the file overrides `--clone`, and that
`--preset`. A group such as `lora.r` is a table `[lora]` with a key `r` in TOML. `--toml` prints
every setting with its meaning as such a file and starts nothing.\
"""

_KINDS = {
    "integer": "whole number",
    "number": "number",
    "text": "text",
    "choice": "one of",
    "switch": "true or false",
    "names": "list of texts",
    "numbers": "list of numbers",
    "model": "name",
    "dataset": "name",
}


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
    print(TARGET)
