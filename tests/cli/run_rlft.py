"""Running the command line in this process, as a person would in a shell."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from rlft_tui.cli.main import run


@dataclass(frozen=True)
class Outcome:
    """What a command printed and the code it ended with."""

    code: int
    out: str
    err: str

    @property
    def value(self) -> Any:
        """stdout as JSON."""
        return json.loads(self.out)


class Rlft:
    """``rlft(...)`` runs one command; call it with arguments as the shell would pass them."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: object) -> Outcome:
        self._capture.readouterr()
        code = run([str(argument) for argument in arguments])
        sys.stdout.flush()
        out, err = self._capture.readouterr()
        return Outcome(code, out, err)

    def well(self, *arguments: object) -> Outcome:
        """A command that must end with 0."""
        outcome = self(*arguments)
        assert outcome.code == 0, outcome.err
        return outcome


def spawn(*arguments: object, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """The command in a process of its own, which Ctrl+C reaches even where the tests ignore it."""
    return subprocess.Popen(
        [sys.executable, "-m", "rlft_tui.cli.main", *(str(argument) for argument in arguments)],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
