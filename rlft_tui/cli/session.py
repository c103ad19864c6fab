"""What every command has at hand: the workspace, the server, the labeller and the way to print."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from rlft_tui.errors import RlftError, UnavailableError
from rlft_tui.paths import Workspace, find_workspace

if TYPE_CHECKING:
    from rlft_tui.client.remote_place import RemotePlace
    from rlft_tui.client.workspace_client import WorkspaceClient
    from rlft_tui.config import Settings
    from rlft_tui.server.answers import Health

BROKEN_PIPE = 141
"""Exit code when the reader of stdout has gone: 128 + SIGPIPE, as the shell counts it."""


_ELSEWHERE = frozenset({"label", "labels", "feedback", "rankings", "prompts", "runs"})
"""Nouns of which the workspace of another machine does what is hinted at; other commands are for there."""
_NAMED = 4
"""Runs that are told of where a beginning is that of several."""
_COMMAND = re.compile(r"\brlft ([a-z]+)")
"""A command within a sentence."""


@dataclass(frozen=True, slots=True)
class Session:
    """One command's surroundings. Results go to stdout, talk to stderr."""

    folder: Path | None = None
    """What --workspace named, if anything."""
    json: bool = False
    remote: RemotePlace | None = None
    """The workspace of another machine, which --connect named."""

    def workspace(self) -> Workspace:
        """The workspace; for one elsewhere a folder that stands in for what is kept on this machine."""
        return self.remote.stand_in() if self.remote is not None else find_workspace(self.folder)

    def own_workspace(self) -> Workspace:
        """The workspace, which has to be on this machine."""
        if self.remote is not None:
            raise RlftError(
                "this is not done for a workspace on another machine",
                where=self.remote.url,
                remedy="Run it there, or without --connect and $RLFT_CONNECT",
            )
        return find_workspace(self.folder)

    def settings(self) -> Settings:
        from rlft_tui.config import Settings, read_settings

        path = self.workspace().settings
        return Settings() if self.remote is not None and not path.exists() else read_settings(path)

    def labeler(self, named: str | None) -> str:
        """The name given with --as, or the one in rlft.toml."""
        if named is None:
            return self.settings().labeler
        if not named.strip():
            raise RlftError("the labeller's name is empty", where="--as", remedy="Give a name: --as anna")
        return named

    def connect(self) -> WorkspaceClient:
        """A client of the workspace's server, which is started when it is not running."""
        client = self._reach()
        from rlft_tui.client.version_notice import version_notice

        if notice := version_notice(client):
            self.say(notice)
        return client

    def _reach(self) -> WorkspaceClient:
        if self.remote is not None:
            from rlft_tui.client.remote import connect_remote

            return connect_remote(self.remote)
        workspace = self.workspace()
        from rlft_tui.client.connection import connect

        return connect(workspace, say=self.say)

    def whole_run_id(self, named: str) -> str:
        """The one run that begins so; what was named where none does, of which the server tells.

        RlftError where several begin so.
        """
        if not named or self.remote is not None:
            return named
        try:
            known = [path.name for path in self.workspace().runs.iterdir() if not path.name.startswith(".")]
        except OSError:  # there are no runs yet
            return named
        beginning = sorted(name for name in known if name.startswith(named))
        if named in beginning or not beginning:
            return named
        if len(beginning) > 1:
            some = ", ".join(beginning[:_NAMED]) + (" …" if len(beginning) > _NAMED else "")
            raise RlftError(f"{len(beginning)} runs begin so: {some}", where=named)
        return beginning[0]

    def show(self, value: Any, text: str | Callable[[], str]) -> None:
        """The result: ``value`` as JSON with --json, else the text."""
        if self.json:
            write(as_json(value))
        else:
            write(text if isinstance(text, str) else text())

    def say(self, text: str) -> None:
        """A line for the person at the terminal; never part of the result."""
        from rlft_tui.tui.widgets.harmless import harmless

        sys.stderr.write(harmless(self.repeatable(text)) + "\n")
        sys.stderr.flush()

    def repeatable(self, text: str) -> str:
        """The text with its commands as they have to be typed from here: for the workspace of this one."""
        if not (place := self._place()):
            return text
        answered = _ELSEWHERE if self.remote is not None else None

        def placed(found: re.Match[str]) -> str:
            reaches = _is_for_a_workspace(found[1]) and (answered is None or found[1] in answered)
            return f"rlft {place} {found[1]}" if reaches else found[0]

        return _COMMAND.sub(placed, text)

    def _place(self) -> str:
        """The option that names the workspace; nothing where it is found without."""
        if self.remote is not None:
            return "" if os.environ.get("RLFT_CONNECT") else f"--connect {shlex.quote(self.remote.url)}"
        if self.folder is None:
            return ""
        try:
            if find_workspace(None).root == self.folder.resolve():
                return ""
        except RlftError:
            pass
        return f"-w {shlex.quote(str(self.folder))}"


def _is_for_a_workspace(word: str) -> bool:
    from rlft_tui.cli.main import NOUNS

    return word in NOUNS and word not in ("init", "demo")


def find_server(workspace: Workspace) -> tuple[WorkspaceClient, Health] | None:
    """The workspace's server if it runs; starts none."""
    from rlft_tui.client.connection import find_server

    return find_server(workspace, timeout=10.0)


def write(text: str, *, newline: bool = True) -> None:
    """Print to stdout with everything that a terminal would obey made visible."""
    from rlft_tui.tui.widgets.harmless import harmless

    write_raw(harmless(text) + ("\n" if newline and text else ""))


def write_data(text: str) -> None:
    """Print a file's content: exactly as it is into a pipe or file, harmless on a terminal."""
    if sys.stdout.isatty():
        write(text, newline=False)
    else:
        write_raw(text)


def write_raw(text: str) -> None:
    """Print as it is."""
    stream = sys.stdout
    rest = text.encode(stream.encoding, stream.errors or "strict")
    try:
        stream.flush()
        # With PYTHONUNBUFFERED a write may take a part only, and the text layer would drop the rest.
        while rest:
            rest = rest[stream.buffer.write(rest) :]
        stream.buffer.flush()
    except BrokenPipeError:
        mute_stdout()
        raise typer.Exit(BROKEN_PIPE) from None
    except OSError as error:
        mute_stdout()
        raise UnavailableError(
            f"cannot be written: {(error.strerror or str(error)).lower()}",
            where="standard output",
            remedy="Send it elsewhere",
        ) from None


def mute_stdout() -> None:
    """Nobody reads stdout any more: let the interpreter's last flush fall into nothing."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


def as_json(value: Any) -> str:
    """Indented JSON of plain values and dataclasses; NaN and infinities become strings."""
    import msgspec

    plain = _finite(msgspec.to_builtins(value, enc_hook=str))
    text = json.dumps(plain, ensure_ascii=False, indent=2, allow_nan=False)
    if not text.isascii():
        from rlft_tui.tui.widgets.harmless import harmless

        # A character that harmless() would replace is written as an escape instead, so that
        # the value stays what it is and the terminal still sees nothing that it would obey.
        if harmless(text) != text:
            text = json.dumps(plain, indent=2, allow_nan=False)
    return text.replace("\x7f", "\\u007f")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "", wrap: bool = False
) -> str:
    """Columns lined up by terminal cells; on a terminal the last one is cut to fit, or wrapped."""
    from rlft_tui.tui.widgets.cells import cell_width, fit, wrapped
    from rlft_tui.tui.widgets.harmless import harmless_line

    body = [[harmless_line(_cell(value)) for value in row] for row in rows]
    if not body:
        return empty
    lines = [list(headings), *body]
    widths = [max(cell_width(line[column]) for line in lines) for column in range(len(headings))]
    room = _terminal_width() - sum(widths[:-1]) - 2 * (len(widths) - 1)
    widths[-1] = min(widths[-1], max(room, 20 if wrap else 8))
    if wrap:
        lines = [
            line
            for whole in lines
            for n, part in enumerate(wrapped(whole[-1], widths[-1]))
            for line in [[*(whole[:-1] if n == 0 else [""] * (len(whole) - 1)), part]]
        ]
    right = [all(_is_number(row[column]) for row in body) for column in range(len(headings))]
    return "\n".join(
        "  ".join(fit(cell, widths[n], right=right[n]) for n, cell in enumerate(line)).rstrip()
        for line in lines
    )


def beside(label: str, text: str) -> str:
    """The text after its label; on a terminal wrapped into the room there is, under its own beginning."""
    from rlft_tui.tui.widgets.cells import wrapped

    lines = wrapped(text, max(20, _terminal_width() - len(label)))
    return ("\n" + " " * len(label)).join([label + lines[0], *lines[1:]])


def fields(pairs: Iterable[tuple[str, object]]) -> str:
    """Names and values, one a line; empty values are left out."""
    shown = [(name, _cell(value)) for name, value in pairs if value not in ("", None, (), {})]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in shown)


def moment(seconds: float | None) -> str:
    """Unix seconds as local time."""
    import time

    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) if seconds else ""
    except (OverflowError, ValueError, OSError):  # a log may say anything
        return f"{seconds:g} s after 1970"


def duration(seconds: float | None) -> str:
    """Seconds as a person says them: 0.4 s, 42 s, 3 min 20 s, 2 h 5 min."""
    if seconds is None:
        return ""
    whole = round(seconds)
    if 0 < seconds < 9.95:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def _is_number(text: str) -> bool:
    return not text or text.replace(".", "", 1).replace("-", "", 1).replace("%", "").strip().isdecimal()


def _terminal_width() -> int:
    if not sys.stdout.isatty():
        return 100_000
    import shutil

    return shutil.get_terminal_size().columns
