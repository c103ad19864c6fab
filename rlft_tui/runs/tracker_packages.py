"""Whether the packages of a run's trackers are here, without importing them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from rlft_tui.errors import RlftError


def require_trackers(names: Sequence[str]) -> None:
    """RlftError for the first tracker whose package is not installed."""
    for name in names:
        found = find_spec(name)
        # A folder of that name, as W&B makes one, is found too, but has no origin.
        if found is None or found.origin is None:
            raise RlftError(
                f"the tracker {name} is not installed",
                where="trackers",
                remedy=f"pip install {name}, or all of them: pip install 'rlft_tui[trackers]'",
            )
