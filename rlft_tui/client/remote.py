"""Reaching a workspace on another machine, or on a port of this one."""

from __future__ import annotations

import time
from pathlib import Path

from rlft_tui.client.remote_place import RemotePlace
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.errors import UnavailableError
from rlft_tui.server.answers import Health

PATIENCE_SECONDS = 20.0
"""How long a request waits for a server that is being started again at the other end."""
FIRST_SECONDS = 4.0
"""The same for the first request, which may also have gone to a wrong address."""
_PAUSE = 0.2


def connect_remote(
    place: RemotePlace, *, timeout: float = 30.0, patience: float = PATIENCE_SECONDS
) -> WorkspaceClient:
    """A client of a workspace elsewhere. RlftError when nobody answers there, or the token is wrong.

    A request that finds nobody waits up to ``patience`` seconds for the server to come back,
    which ``rlft serve`` sees to, and is then repeated.
    """

    def open_client() -> WorkspaceClient:
        return WorkspaceClient(Path(), timeout=timeout, url=place.url, token=place.token)

    def come_back() -> Path:
        with open_client() as probe:
            _wait_for(probe, patience)
        return Path()

    client = open_client()
    try:
        client.server_version = _wait_for(client, min(patience, FIRST_SECONDS)).version
    except BaseException:
        client.close()
        raise
    client.revive = come_back
    return client


def _wait_for(client: WorkspaceClient, seconds: float) -> Health:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return client.health()
        except UnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)
