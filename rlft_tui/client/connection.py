"""Find the workspace's server, start it when it is not there, find it again when it dies."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rlft_tui.client.start_watch import LONGEST_SECONDS, SAID_AFTER_SECONDS, await_start
from rlft_tui.client.transport import listens, timed_out
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.errors import RlftError, UnavailableError
from rlft_tui.paths import Workspace
from rlft_tui.server.answers import Health
from rlft_tui.server.server_record import read_record
from rlft_tui.version import VERSION

SILENT_SECONDS = 4.0
"""A server that is there and says nothing for so long is told of."""
_SPAWNS = 3
"""Times to start one that came up and was killed before it answered."""
_LOG_LIMIT = 4 << 20


def connect(
    workspace: Workspace,
    *,
    start: bool = True,
    timeout: float = 30.0,
    say: Callable[[str], None] = lambda _: None,
) -> WorkspaceClient:
    """A client of the workspace's server; starts the server unless ``start`` is False.

    Of several callers at once one starts it and all get it. The client that is
    returned starts the server again when it dies, and repeats the request that
    failed: every request carries ids made by the client, so none is done twice.
    ``say`` is told what is waited for, where that takes some seconds.
    """

    def revive() -> Path:
        with _reach(workspace, start=start, timeout=timeout) as found:
            return found.socket

    client = _reach(workspace, start=start, timeout=timeout, say=say)
    client.revive = revive
    return client


def find_server(
    workspace: Workspace, *, timeout: float = 30.0, say: Callable[[str], None] = lambda _: None
) -> tuple[WorkspaceClient, Health] | None:
    """The running server of this very workspace, or None.

    UnavailableError when it is there and says nothing for ``timeout`` seconds.
    """
    candidates = [workspace.socket]
    record = read_record(workspace)
    if record is not None and Path(record.socket) not in candidates:
        candidates.append(Path(record.socket))
    for socket in candidates:
        if not socket.exists():
            continue
        client = WorkspaceClient(socket, timeout=timeout)
        try:
            if not client.answers(min(timeout, SILENT_SECONDS)) and listens(socket):
                say("the workspace server does not answer; waiting for it")
            health = client.health()
        except RlftError as error:
            client.close()
            if timed_out(error):
                raise UnavailableError(
                    "the workspace server does not answer",
                    where=str(workspace.root),
                    remedy="It is stopped or overloaded: let it go on (kill -CONT), or rlft server stop",
                ) from error
            continue
        # A copied workspace brings along the original's server.json.
        if Path(health.workspace) == workspace.root.resolve():
            client.server_version = health.version
            return client, health
        client.close()
    return None


def _reach(
    workspace: Workspace, *, start: bool, timeout: float, say: Callable[[str], None] = lambda _: None
) -> WorkspaceClient:
    found = find_server(workspace, timeout=timeout, say=say)
    if found is not None and not is_outdated(found[1]):
        return found[0]
    if not start:
        if found is not None:
            return found[0]
        raise UnavailableError(
            "the workspace server is not running",
            where=str(workspace.root),
            remedy="Start it with any other command, such as rlft labels stats",
        )
    if found is not None:
        found[0].close()
    if not workspace.root.is_dir():
        raise UnavailableError(
            "the workspace is gone: it was moved or deleted",
            where=str(workspace.root),
            remedy="Open it where it is now: rlft -w DIR",
        )
    with _start_lock(workspace, say):
        return _start(workspace, timeout, say)


def is_outdated(health: Health) -> bool:
    """A server of another version is replaced, unless runs hang on its supervision."""
    return health.version != VERSION and health.active_runs == 0


def _start(workspace: Workspace, timeout: float, say: Callable[[str], None]) -> WorkspaceClient:
    found = find_server(workspace, timeout=timeout)
    if found is not None:
        client, health = found
        if not is_outdated(health):
            return client
        with client, suppress(RlftError):
            client.shutdown()
    error = ""
    for _ in range(_SPAWNS):
        error = _spawn(workspace, say)
        found = find_server(workspace, timeout=timeout)
        if found is not None:
            return found[0]
        if error:
            break
    raise UnavailableError(
        f"the workspace server did not start: {error or _last_line(workspace.server_log)}",
        where=str(workspace.server_log),
        remedy="rlft doctor tells what is wrong; the whole log is in that file",
    )


def _spawn(workspace: Workspace, say: Callable[[str], None]) -> str:
    """Start the server in its own session and wait until it listens; what it said went wrong, or nothing."""
    _rotate(workspace.server_log)
    ours, theirs = os.pipe()
    try:
        with workspace.server_log.open("ab") as log:
            _launch(workspace.root, log.fileno(), theirs)
        os.close(theirs)
        theirs = -1
        return await_start(ours, say)
    except OSError as error:
        return f"{error.strerror}: {error.filename}".lower()
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)


def _launch(root: Path, log: int, ready: int) -> None:
    """Run the server's process, which detaches itself; ``log`` and ``ready`` are descriptors."""
    subprocess.run(
        # -P: a file random.py in the workspace must not shadow the real one.
        [sys.executable, "-P", "-m", *server_command(root, ready)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        pass_fds=(ready,),
        cwd=root,
        check=False,
    )


def server_command(root: Path, ready: int) -> list[str]:
    """The server's module and its arguments."""
    return ["rlft_tui.server.main", str(root), "--detach", "--ready-fd", str(ready), "--stages"]


@contextmanager
def _start_lock(workspace: Workspace, say: Callable[[str], None]) -> Iterator[None]:
    """One starter at a time; the kernel drops the lock of a starter that dies."""
    path = workspace.socket.with_suffix(".start")
    begun, told = time.monotonic(), False
    with path.open("a") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waited = time.monotonic() - begun
                if waited > SAID_AFTER_SECONDS and not told:
                    told = True
                    say("another command is starting the workspace server; waiting for it")
                if waited > LONGEST_SECONDS:
                    raise UnavailableError(
                        "another command has been starting the server for too long",
                        where=str(path),
                        remedy="Look at server.log in the workspace",
                    ) from None
                time.sleep(0.01)
        yield


def _rotate(path: Path) -> None:
    with suppress(FileNotFoundError):
        if path.stat().st_size > _LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))


def _last_line(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - 4096))
            lines = stream.read().decode(errors="replace").split("\n")
    except OSError:
        return "it left no log"
    said = [line.strip() for line in lines if line.strip()]
    text = said[-1] if said else "it left no log"
    return "".join(c if c.isprintable() else "?" for c in text)
