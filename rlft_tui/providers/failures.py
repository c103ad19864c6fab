"""What a provider's failure becomes: one printable line, without the key, and whether to ask again."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import httpx

from rlft_tui.errors import RlftError
from rlft_tui.providers.chat import ProviderError
from rlft_tui.providers.retry import RETRYABLE, retry_after
from rlft_tui.providers.settings import ProviderSettings, key_of

_LONGEST_LINE = 300


class Failures:
    """Makes the errors of one provider."""

    def __init__(self, name: str, settings: ProviderSettings) -> None:
        self._name = name
        self._settings = settings

    def error(
        self,
        what: str,
        *,
        remedy: str = "",
        retryable: bool = False,
        wait: float | None = None,
        status: int | None = None,
    ) -> ProviderError:
        return ProviderError(
            what,
            where=f"provider {self._name}",
            remedy=remedy,
            retryable=retryable,
            retry_after=wait,
            status=status,
        )

    def too_slow(self) -> ProviderError:
        return self.error(
            f"no answer within {self._settings.timeout_seconds:g} s",
            remedy=f"Set timeout_seconds in [providers.{self._name}] if it needs longer",
            retryable=True,
        )

    def unreachable(self, error: httpx.HTTPError) -> ProviderError:
        if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout | httpx.PoolTimeout):
            return self.too_slow()
        line = self.line(str(error)) or type(error).__name__
        return self.error(
            f"no connection to {self._settings.address} ({line})", remedy="Does it run?", retryable=True
        )

    def of_status(self, response: httpx.Response, received: bytes, model: str) -> ProviderError:
        """What an answer with another status than 200 says."""
        status = response.status_code
        if 300 <= status < 400:
            return self.error(f"it sends one elsewhere ({status})", remedy="Set url to where it really is")
        try:
            told = self.told(json.loads(received))
        except (ValueError, RecursionError):
            told = self.line(received.decode(errors="replace"))
        remedy = ""
        if status in (401, 403):
            remedy = f"Check {self._settings.key_env}" if self._settings.key_env else "Set key_env"
        elif status == 404:
            remedy = f"Is there a model {model}, and is {self._settings.address} the whole address?"
        return self.error(
            f"answered {status}" + (f": {told}" if told else ""),
            remedy=remedy,
            retryable=status in RETRYABLE,
            wait=retry_after(response.headers.get("retry-after")),
            status=status,
        )

    def told(self, said: Any) -> str:
        """What an error's body says, in the shapes that are about."""
        if isinstance(said, dict):
            said = said.get("error", said.get("detail", said.get("message", said)))
        if isinstance(said, dict):
            said = said.get("message", said)
        return self.line(said if isinstance(said, str) else json.dumps(said))

    def line(self, text: str) -> str:
        """One printable line without the key."""
        with contextlib.suppress(RlftError):
            if key := key_of(self._name, self._settings):
                text = text.replace(key, "[key]")
        shown = " ".join("".join(c if c.isprintable() else " " for c in text).split()).rstrip(".")
        return shown if len(shown) <= _LONGEST_LINE else shown[: _LONGEST_LINE - 1] + "…"
