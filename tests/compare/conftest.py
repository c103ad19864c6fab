"""One server and one inference worker for everything here: a worker costs seconds to start."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlft_tui.client.connection import connect
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.config import create_workspace
from rlft_tui.models.model import Model
from rlft_tui.paths import Workspace
from tests.conftest import stop_server
from tests.providers.provider_server import provider_server
from tests.tiny_model import make_tiny_model

MODELS = ("tiny-one", "tiny-two", "tiny-three")


@pytest.fixture(scope="package", autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """In place of the one for each test: the server of the package is found by all of them."""
    home = tmp_path_factory.mktemp("home")
    runtime = tempfile.mkdtemp(prefix="rlft-", dir="/tmp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_RUNTIME_DIR", runtime)
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("RLFT_CACHE", os.environ.get("RLFT_TEST_CACHE", str(home / "cache")))
        for name in ("RLFT_WORKSPACE", "XDG_CACHE_HOME", "NO_COLOR"):
            patch.delenv(name, raising=False)
        yield
    shutil.rmtree(runtime, ignore_errors=True)


@pytest.fixture(scope="package")
def workspace(tmp_path_factory: pytest.TempPathFactory, isolated: None) -> Iterator[Workspace]:
    """With three tiny random models; what a test stores stays for the next."""
    made = create_workspace(tmp_path_factory.mktemp("compare") / "workspace")
    made.settings.write_text('labeler = "ada"\nidle_minutes = 3.0\ndaily_backups = 0\n')
    folder = make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
    with connect(made) as client:
        for at, name in enumerate(MODELS):
            client.add_model(Model(name, "base", str(folder), created_at=1_700_000_000.0 + at))
    yield made
    stop_server(made)


@pytest.fixture(scope="package")
def client(workspace: Workspace) -> Iterator[WorkspaceClient]:
    with connect(workspace) as connected:
        yield connected


@pytest.fixture
def prompt_file(tmp_path: Path) -> Path:
    """Three prompts, one a line."""
    path = tmp_path / "questions.txt"
    path.write_text("First question\nSecond question\nThird question\n")
    return path


@pytest.fixture
def provider(workspace: Workspace) -> Iterator[str]:
    """A provider called ``echo`` in the workspace, which says the prompt's words backwards."""
    before = workspace.settings.read_text()
    with provider_server() as (url, _):
        workspace.settings.write_text(
            f'{before}\n[providers.echo]\nkind = "openai"\nurl = "{url}/v1"\nmodel = "test"\n'
        )
        yield "echo"
    workspace.settings.write_text(before)
