"""``[providers.NAME]`` of rlft.toml: where a model answers that runs elsewhere, and who holds its key."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from rlft_tui.errors import RlftError, UnavailableError
from rlft_tui.record import Record

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_ADDRESSES = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}


class ProviderSettings(Record, frozen=True):
    """One endpoint. The key stands in the environment, never here."""

    kind: Literal["openai", "anthropic"]
    """The protocol: openai is what Ollama, vLLM and llama.cpp's server speak too."""
    url: str = ""
    """Up to where the protocol begins, such as http://127.0.0.1:11434/v1; empty for the company's own."""
    model: str = ""
    """What is asked when a name has no ``:MODEL``."""
    key_env: str = ""
    """The environment variable that holds the key; empty where none is needed."""
    timeout_seconds: float = 120.0
    """How long an answer may take, and a streamed one may say nothing."""

    @property
    def address(self) -> str:
        return (self.url or _ADDRESSES[self.kind]).rstrip("/")

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine, where no proxy leads."""
        host = urlsplit(self.address).hostname or ""
        return host == "localhost" or host.startswith("127.") or host == "::1"


def check_providers(providers: Mapping[str, ProviderSettings], where: str) -> None:
    """RlftError for a setting that cannot be used. What may be a key is never repeated."""
    for name, one in providers.items():
        place = f"[providers.{name}]"
        if not _NAME.fullmatch(name):
            raise RlftError(
                f"providers: {name!r} cannot be a name", where=where, remedy="Letters, digits, . _ and -"
            )
        if one.key_env and not _VARIABLE.fullmatch(one.key_env):
            raise RlftError(
                f"{place} key_env: not the name of an environment variable, such as OPENAI_API_KEY",
                where=where,
                remedy="The key itself never stands in a file: export it, and write the variable's name here",
            )
        if not 0 < one.timeout_seconds <= 86400:
            raise RlftError(f"{place} timeout_seconds: must lie between 0 and a day", where=where)
        _check_url(one.url, place, where)


def _check_url(url: str, place: str, where: str) -> None:
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    printable = url.isprintable() and not any(letter.isspace() for letter in url)
    if url and not (whole and printable):
        raise RlftError(f"{place} url: not an http:// or https:// address", where=where)
    if url and (parts.username or parts.password or parts.query or parts.fragment):
        raise RlftError(
            f"{place} url: a user, password or query stands in it",
            where=where,
            remedy="A key is given by key_env alone",
        )


def key_of(name: str, settings: ProviderSettings) -> str:
    """The provider's key out of the environment; empty where it needs none."""
    if not settings.key_env:
        return ""
    key = os.environ.get(settings.key_env, "").strip()
    if not key:
        raise UnavailableError(
            f"the key of provider {name} is not in the environment",
            where=settings.key_env,
            remedy=f"Export {settings.key_env}, end the server (rlft server stop), and ask again",
        )
    if not key.isascii() or not key.isprintable():
        raise RlftError("the key holds characters that no key has", where=settings.key_env)
    return key
