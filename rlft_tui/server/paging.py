"""Which part of a list or a queue is asked for: the parameters that routes share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from rlft_tui.errors import RlftError
from rlft_tui.record import Record

_MOST_QUEUED = 200

Offset = Annotated[int, Query(ge=0)]
"""Rows to leave out."""
ListLimit = Annotated[int, Query(ge=0, le=1_000_000)]
"""Rows of a whole table at most, for a script."""
PageLimit = Annotated[int, Query(ge=0, le=100_000)]
"""Rows to look at, at most."""
HistoryLimit = Annotated[int, Query(ge=1, le=100_000)]
"""What one labeller did, at most."""


class NextRequest(Record, frozen=True):
    """Whose queue, how many of it, and which the client has already."""

    labeler: str
    limit: int = 5
    exclude: tuple[str, ...] = ()

    def checked_limit(self) -> int:
        """How many to send; RlftError without a labeller."""
        if not self.labeler:
            raise RlftError("a queue needs a labeler")
        return max(0, min(self.limit, _MOST_QUEUED))
