"""Handing the terminal to $EDITOR and taking it back."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from pathlib import Path

from textual.app import App, SuspendNotSupported

from rlft_tui.errors import RlftError
from rlft_tui.tui.label_session import Shown

SCISSORS = "<!-- ---- 8< ---- your answer stands above; nothing below this line is kept ---- -->"


def edit_outside(app: App[int], text: str, shown: Shown) -> str:
    """The answer as it was left in the editor; prompt and both answers stand below for reading."""
    written = edit_text(app, _page(text, shown), "answer.md")
    return written.partition(SCISSORS)[0].strip()


def edit_text(app: App[int], text: str, name: str) -> str:
    """The text as it was left in $VISUAL or $EDITOR, in a file of this name.

    Blocks until the editor ends: nothing else may write on the terminal meanwhile.
    RlftError when it cannot be started or ends badly; the text is then as before.
    """
    try:
        command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi") or ["vi"]
    except ValueError as error:
        raise RlftError(f"EDITOR cannot be understood: {error}".lower(), where="$EDITOR") from None
    with tempfile.TemporaryDirectory(prefix="rlft-") as folder:
        file = Path(folder) / name
        file.write_text(text, encoding="utf-8", errors="backslashreplace")
        try:
            with app.suspend():  # nothing may be raised in here: the terminal would not come back
                ended = _run([*command, str(file)])
        except SuspendNotSupported:
            raise RlftError("this terminal cannot be handed to an editor") from None
        if ended:
            remedy = "Set EDITOR to your editor, or write it here"
            raise RlftError(f"{Path(command[0]).name} {ended}", remedy=remedy)
        return file.read_text(encoding="utf-8", errors="replace")


def _page(text: str, shown: Shown) -> str:
    parts = {"Prompt": shown.pair.prompt, "Left answer": shown.left_text, "Right answer": shown.right_text}
    below = "\n\n".join(f"## {title}\n\n{part}" for title, part in parts.items())
    return f"{text}\n\n{SCISSORS}\n\n{below}\n"


def _run(command: list[str]) -> str:
    """What went wrong; empty for nothing. What interrupts the editor does not end the workbench."""
    try:
        editor = subprocess.Popen(command)
    except OSError as error:
        return f"cannot be started ({error.strerror})"
    former = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        code = editor.wait()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    return f"ended with {code}, nothing changed" if code else ""
