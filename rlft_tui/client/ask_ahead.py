"""A question to the server before there is anybody to hear the answer.

The workbench takes a third of a second to load; the server can read a long run meanwhile, so
that it has the answer when the question comes again.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

_API = "/api/v1"


def ask_ahead(server: Path, path: str) -> None:
    """Have the server behind a socket begin on ``path``, in a thread; nothing happens where none listens.

    What it answers is thrown away, errors too: whoever needs it asks again and is told.
    """
    threading.Thread(target=_ask, args=(server, path), daemon=True).start()


def _ask(server: Path, path: str) -> None:
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.connect(str(server))
        line.sendall(f"GET {_API}{path} HTTP/1.1\r\nhost: rlft\r\nconnection: close\r\n\r\n".encode())
        while line.recv(1 << 16):
            pass
