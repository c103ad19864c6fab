"""A tiny base with an adapter, exported through a real server's run while other formats are written here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rlft_tui.client.connection import connect
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.config import create_workspace
from rlft_tui.errors import UnavailableError
from rlft_tui.models.model import Model
from rlft_tui.paths import Workspace
from tests.conftest import stop_server, wait_for
from tests.tiny_model import make_tiny_model


@dataclass(frozen=True)
class Place:
    """A workspace with the models ``tiny`` and ``tuned``, and a client of its server."""

    workspace: Workspace
    client: WorkspaceClient
    base: Path
    adapter: Path
    runtime: str


@pytest.fixture(scope="session")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Base and adapter. The base's logits are far apart, as a trained model's are: rounding changes few."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    root = tmp_path_factory.mktemp("tuned")
    base = make_tiny_model(root / "tiny", width=64)
    model = AutoModelForCausalLM.from_pretrained(base)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        with torch.no_grad():
            model.get_input_embeddings().weight.mul_(8.0)
        model.save_pretrained(base)
        config = LoraConfig(
            r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "gate_proj"], init_lora_weights=False,
            task_type="CAUSAL_LM",
        )  # fmt: skip
        get_peft_model(model, config).save_pretrained(root / "adapter")
    return base, root / "adapter"


def _is_up(workspace: Workspace) -> bool:
    """A busy machine may take longer than the server is waited for."""
    try:
        connect(workspace).close()
    except UnavailableError:
        return False
    return True


@pytest.fixture(scope="module")
def place(tuned: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    root = tmp_path_factory.mktemp("place")
    (runtime := root / "run").mkdir(mode=0o700)
    before = {name: os.environ.get(name) for name in ("XDG_RUNTIME_DIR", "RLFT_CACHE", "HF_HUB_OFFLINE")}
    os.environ |= {"XDG_RUNTIME_DIR": str(runtime), "RLFT_CACHE": str(root / "cache"), "HF_HUB_OFFLINE": "1"}
    workspace = create_workspace(root / "workspace")
    workspace.settings.write_text('labeler = "ada"\nidle_minutes = 3.0\ndaily_backups = 0\nthreads = 1\n')
    base, adapter = tuned
    try:
        wait_for(lambda: _is_up(workspace), "the workspace's server")
        with connect(workspace) as client:
            client.add_model(Model("tiny", "base", str(base)))
            client.add_model(Model("tuned", "adapter", str(adapter), base="tiny", base_path=str(base)))
            yield Place(workspace, client, base, adapter, str(runtime))
    finally:
        stop_server(workspace)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
