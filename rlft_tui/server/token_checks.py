"""The token check (jobs/token_check.py) in a process of its own, each answer remembered."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from typing import Any

from rlft_tui.datasets.dataset import Dataset
from rlft_tui.server.short_job import answer_of

_REMEMBERED = 32

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
    asked = (
        *(dataset.path, model, str(max_length), "--method", method),
        *("--room", str(room), "--rows", str(rows), "--most", str(most)),
    )
    key = (dataset.hash, *asked)
    with _lock:
        if key not in _known:
            _known[key] = answer_of("token_check", *asked)
        _known.move_to_end(key)
        while len(_known) > _REMEMBERED:
            _known.popitem(last=False)
        report: dict[str, Any] = json.loads(_known[key])
    return report
