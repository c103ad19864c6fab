"""A tiny real model and labelled pairs for the screens that need them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.labels.preference import Preference
from rlft_tui.models.model import Model
from tests.conftest import add_pairs
from tests.tiny_model import make_tiny_model


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a random two-layer Llama."""
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def tiny_models(client: WorkspaceClient, tiny_folder: Path) -> tuple[str, str]:
    """The tiny model under two names, as two bases."""
    for at, name in enumerate(("tiny-one", "tiny-two")):
        client.add_model(Model(name, "base", str(tiny_folder), created_at=1_700_000_000.0 + at))
    return "tiny-one", "tiny-two"


def label(client: WorkspaceClient, count: int, *, choice: str = "a") -> None:
    """Pairs with a verdict each, between the models ``base`` and ``tuned``."""
    for pair in add_pairs(client, count):
        side = "a" if choice == "a" else "b"
        client.add_label(
            Preference(f"verdict-{pair.id}", pair.id, "ada", side, created_at=pair.created_at)  # type: ignore[arg-type]
        )
