"""Where a workspace on another machine is, as a person names it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from rlft_tui.errors import RlftError
from rlft_tui.paths import Workspace, cache_folder
from rlft_tui.record import Record

CONNECT_VARIABLE = "RLFT_CONNECT"
TOKEN_VARIABLE = "RLFT_TOKEN"


class RemotePlace(Record, frozen=True):
    """Another machine's workspace: where, and the token that opens it."""

    url: str
    token: str

    def __repr__(self) -> str:
        """Without the token, which must not get into a log."""
        return f"RemotePlace({self.url})"

    def stand_in(self) -> Workspace:
        """A folder of this user for what the workbench keeps on this machine: its log, rlft.toml."""
        parts = urlsplit(self.url)
        name = "".join(c if c.isalnum() or c in ".-" else "-" for c in parts.netloc)
        folder = cache_folder() / "remote" / name
        folder.mkdir(parents=True, exist_ok=True)
        return Workspace(folder)


def remote_place(url: str, token: str) -> RemotePlace:
    """The place as given by a person; RlftError says what is wrong with it."""
    full = url.strip() if "://" in url else f"http://{url.strip()}"
    try:
        parts = urlsplit(full)
        usable = parts.scheme in ("http", "https") and bool((parts.hostname or "").encode("idna"))
        _ = parts.port
    except ValueError:
        usable = False
    if not usable or parts.path.strip("/") or parts.query or parts.username:
        raise RlftError(
            "not an address of a workspace", where=url, remedy="Like this: --connect http://host:8470"
        )
    if not (token.strip().isascii() and token.strip().isprintable()):
        raise RlftError(
            "that is no token: it holds what none does",
            where=url,
            remedy="rlft server token prints it there: letters, digits, - and _",
        )
    if not token.strip():
        raise RlftError(
            "a workspace on another machine wants its token",
            where=url,
            remedy="rlft server token prints it there; give it with --token or in $RLFT_TOKEN",
        )
    return RemotePlace(f"{parts.scheme}://{parts.netloc}", token.strip())


def chosen_place(
    url: str | None, token: str | None, environment: Mapping[str, str] = os.environ
) -> RemotePlace | None:
    """What --connect and --token say, else the environment; None for a workspace on this machine."""
    where = url or environment.get(CONNECT_VARIABLE, "")
    return remote_place(where, token or environment.get(TOKEN_VARIABLE, "")) if where else None
