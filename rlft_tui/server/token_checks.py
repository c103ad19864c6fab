"""The token check (jobs/token_check.py) in a process of its own, each answer remembered."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import OrderedDict
from typing import Any

from rlft_tui.datasets.dataset import Dataset
from rlft_tui.errors import RlftError
from rlft_tui.models.pull import require_training_stack

_REMEMBERED = 32
_SECONDS = 1800.0

_lock = threading.Lock()
_known: OrderedDict[tuple[str, ...], str] = OrderedDict()


def check_tokens(
    dataset: Dataset,
    model: str,
    method: str,
    *,
    max_length: int,
    room: int = 0,
    rows: int = 3,
    most: int = 0,
) -> dict[str, Any]:
    """What the trainer will see, as ``TokenReport`` in plain values; RlftError when it cannot be told.

    ``model``: folder or hub id of the tokenizer. A data set never changes under its hash, so the
    same question is answered once; one process runs at a time, for each loads a tokenizer.
    """
    require_training_stack()
    command = [
        *(sys.executable, "-P", "-m", "rlft_tui.jobs.token_check", dataset.path, model, str(max_length)),
        *("--method", method, "--room", str(room), "--rows", str(rows), "--most", str(most)),
    ]
    key = (dataset.hash, *command[3:])
    with _lock:
        if key not in _known:
            _known[key] = _run(command)
        _known.move_to_end(key)
        while len(_known) > _REMEMBERED:
            _known.popitem(last=False)
        report: dict[str, Any] = json.loads(_known[key])
    return report


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise RlftError(f"the token check took more than {_SECONDS / 60:.0f} minutes") from None
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise RlftError(said[-1] if said else f"the token check ended with exit code {done.returncode}")
    return done.stdout
