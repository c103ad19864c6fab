"""A server of another version: one line about it, and what to do."""

from __future__ import annotations

from rlft_tui.client.transport import Transport
from rlft_tui.version import VERSION


def version_notice(client: Transport) -> str:
    """Nothing where the server is of this program's version, or where that is not known."""
    if client.server_version in ("", VERSION):
        return ""
    known = f"the workspace server is rlft {client.server_version}, this is rlft {VERSION}"
    if client.is_remote:
        return f"{known}. Bring the older one up to date"
    return f"{known}. rlft server restart starts this one; runs go on meanwhile"
