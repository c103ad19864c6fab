"""rlft serve --web: the workbench in a browser."""

from __future__ import annotations

import importlib.util
import os

from rlft_tui.cli.session import Session, fields
from rlft_tui.errors import RlftError, UnavailableError

PORT = 8471
TOKEN = "RLFT_WEB_TOKEN"


def serve_web(session: Session, host: str, port: int) -> None:
    """Serve until Ctrl+C; the address with its token is printed once."""
    if not importlib.util.find_spec("textual_serve"):
        raise UnavailableError("textual-serve is not installed", remedy="pip install 'rlft_tui[web]'")
    from rlft_tui.web.browser_server import BrowserServer
    from rlft_tui.web.gate import SHORTEST, new_token

    workspace = session.own_workspace()
    # Out of the environment: it is handed on to the workbenches, and by them to jobs.
    token = os.environ.pop(TOKEN, "")
    if token and len(token) < SHORTEST:
        raise RlftError(f"the token has fewer than {SHORTEST} characters", where=f"${TOKEN}")
    token = token or new_token()
    session.connect().close()
    server = BrowserServer(workspace.root, token, host, port)
    name = f"[{host}]" if ":" in host else host
    shown = "THIS_MACHINE" if host in ("0.0.0.0", "::") else name
    address = f"http://{shown}:{server.bound}/?token={token}"

    def ready() -> None:
        session.show(
            {"url": address, "host": host, "port": server.bound},
            fields([("open", address), ("end", "Ctrl+C")]),
        )
        _warn(session, host, server.bound)

    server.run(ready)


def _warn(session: Session, host: str, port: int) -> None:
    from rlft_tui.server.remote_access import is_loopback

    session.say("Whoever has this address can do all that the workbench can. It holds until this ends.")
    if is_loopback(host):
        session.say(
            f"From another machine: ssh -L {port}:127.0.0.1:{port} HOST, then open the address there."
        )
    else:
        session.say(
            "The traffic is not encrypted: put a TLS proxy in front, or forward the port through SSH."
        )
