"""rlft serve --web: the workbench in a real browser, and nothing at all without the token."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from rlft_tui.client.connection import connect
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.config import create_workspace
from rlft_tui.errors import UnavailableError
from rlft_tui.paths import Workspace
from tests.conftest import add_pairs, stop_server, wait_for
from tests.web.chromium import chromium, open_page

Served = tuple[str, WorkspaceClient, Path]
TOKEN = "a-token-for-this-test-only"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Address with token, a client of the workspace, and what the command said on stderr."""
    place = tmp_path_factory.mktemp("served")
    (runtime := place / "run").mkdir(mode=0o700)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "RLFT_WORKSPACE"},
        "HOME": str(place), "XDG_RUNTIME_DIR": str(runtime), "RLFT_WEB_TOKEN": TOKEN, "TERM": "dumb",
    }  # fmt: skip
    workspace = create_workspace(place / "workspace")
    workspace.settings.write_text('labeler = "ada"\nidle_minutes = 3.0\ndaily_backups = 0\n')
    os.environ["XDG_RUNTIME_DIR"], before = str(runtime), os.environ.get("XDG_RUNTIME_DIR")
    wait_for(lambda: _is_up(workspace), "the workspace's server")
    said = place / "said.txt"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "rlft_tui.cli.main", "-w", str(workspace.root)),
                *("serve", "--web", "--port", "0", "--json"),
            ],
            stdout=subprocess.PIPE, stderr=output, env=environment, text=True,
        )  # fmt: skip
    assert process.stdout is not None
    printed = ""
    while not printed.endswith("}\n"):
        line = process.stdout.readline()
        assert line, said.read_text()
        printed += line
    try:
        with connect(workspace) as client:
            add_pairs(client, 2, prefix="browser")
            yield json.loads(printed)["url"], client, said
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        stop_server(workspace)
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before


def _is_up(workspace: Workspace) -> bool:
    """A busy machine may take longer than the server is waited for."""
    try:
        connect(workspace).close()
    except UnavailableError:
        return False
    return True


def ask(address: str, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read().decode()
    finally:
        connection.close()


SOCKET = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}  # fmt: skip


@pytest.mark.parametrize(
    "path",
    ["/", "/?token=", f"/?token={TOKEN[:-1]}", f"/ws?token={TOKEN}", "/static/js/textual.js", "/download/x"],
)
def test_without_the_token_there_is_nothing(served: Served, path: str) -> None:
    status, headers, text = ask(served[0], path, Cookie="rlft-0=x; rlft=1", **SOCKET)
    assert status == 401
    assert TOKEN not in text
    assert "set-cookie" not in headers


def test_the_token_becomes_a_cookie_and_leaves_the_address(served: Served) -> None:
    address, _, said = served
    status, headers, _ = ask(address, f"/?token={TOKEN}")
    assert (status, headers["location"]) == (303, "/")
    cookie = headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
    assert TOKEN not in cookie
    shown = cookie.partition(";")[0]
    status, headers, page = ask(address, "/", Cookie=shown)
    assert (status, TOKEN in page) == (200, False)
    assert "default-src 'none'" in headers["content-security-policy"]
    # A page of another site has the browser's cookie sent along, but not its own address.
    assert ask(address, "/ws", Cookie=shown, Origin="http://example.org", **SOCKET)[0] == 403
    assert ask(address, "/", Cookie=shown.replace("-", "-1", 1))[0] == 401
    assert TOKEN not in said.read_text()


@pytest.mark.skipif(chromium() is None, reason="no Chromium here: apt-get install chromium")
def test_a_pair_is_judged_in_the_browser(served: Served, tmp_path: Path) -> None:
    address, client, _ = served

    async def judge() -> tuple[str, bytes, list[str]]:
        async with open_page() as page:
            await page.ask("Page.navigate", url=address)
            await page.until(lambda: "Home" in page.received, "the first screen")
            assert TOKEN not in page.sockets[0]
            await page.becomes("document.activeElement.tagName === 'TEXTAREA'")
            await page.press("2")
            await page.until(lambda: "of browser?" in page.received, "a pair")
            await page.press("1")
            await asyncio.to_thread(wait_for, lambda: client.home("ada").labels == 1, "the verdict")
            return await page.value("location.href"), await page.picture(), page.outside

    place, picture, outside = asyncio.run(judge())
    assert "token" not in place
    assert outside == []
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    Path(os.environ.get("RLFT_TEST_PICTURES") or tmp_path, "browser.png").write_bytes(picture)
