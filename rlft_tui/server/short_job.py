"""A job that answers one question and ends: its own process, because it needs the training stack."""

from __future__ import annotations

import subprocess
import sys

from rlft_tui.errors import RlftError
from rlft_tui.models.pull import require_training_stack

_SECONDS = 1800.0


def answer_of(job: str, *arguments: str, stdin: str = "") -> str:
    """What ``python -m rlft_tui.jobs.JOB`` prints; RlftError with its last line when it fails."""
    require_training_stack()
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", f"rlft_tui.jobs.{job}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise RlftError(f"no answer after {_SECONDS / 60:.0f} minutes", where=f"jobs/{job}.py") from None
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise RlftError(said[-1] if said else f"jobs/{job}.py ended with exit code {done.returncode}")
    return done.stdout
