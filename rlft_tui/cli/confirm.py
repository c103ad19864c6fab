"""A question to the person at the terminal."""

from __future__ import annotations

import sys
import termios
from contextlib import suppress

import typer


def can_ask(*, json: bool = False) -> bool:
    """Whether somebody is there to answer."""
    return not json and sys.stdin.isatty() and sys.stderr.isatty()


def confirmed(question: str) -> bool:
    """Ask; what was typed before the question was there is no answer to it."""
    with suppress(termios.error):
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    return typer.confirm(question, err=True)
