"""How often and after what time a request that failed is made again."""

from __future__ import annotations

import random
import time
from email.utils import parsedate_to_datetime

from rlft_tui.providers.chat import ProviderError

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0
"""Seconds. A provider that asks for a longer wait is not waited for."""
RETRYABLE = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""HTTP statuses that may be another the next time; 529 is Anthropic's for overloaded."""


class Attempts:
    """The attempts at one request."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._next = FIRST_PAUSE

    def pause(self, error: ProviderError) -> float:
        """Seconds to wait before the next attempt; raises the error when there is to be none.

        Doubled each time with a random part, so that many who were refused together do not come
        back together; what the provider itself asks for goes first.
        """
        self._left -= 1
        if self._left <= 0 or not error.retryable:
            raise error
        if error.retry_after is not None:
            if error.retry_after > LONGEST_PAUSE:
                raise error
            return error.retry_after
        pause, self._next = self._next, min(2 * self._next, LONGEST_PAUSE)
        return pause * random.uniform(0.5, 1.0)


def retry_after(header: str | None) -> float | None:
    """Seconds in a Retry-After header, which may hold a date as well (RFC 9110, 10.2.3)."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if seconds == seconds else None
