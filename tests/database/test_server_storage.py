"""What a real server acknowledged outlives its write-ahead log and its folder's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlft_tui.client.connection import connect
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.datasets.dataset import DatasetSpec
from rlft_tui.errors import RlftError
from rlft_tui.ids import new_id
from rlft_tui.labels.preference import Preference
from rlft_tui.models.model import Model
from rlft_tui.paths import Workspace
from tests.conftest import add_pairs, kill_server, stop_server


def label_all(client: WorkspaceClient, count: int = 20) -> None:
    for pair in add_pairs(client, count):
        client.add_label(Preference(new_id(), pair.id, "ada", "a"))


def test_a_deleted_wal_costs_nothing_that_was_acknowledged(
    client: WorkspaceClient, workspace: Workspace
) -> None:
    client.import_prompts("p.jsonl", b'{"prompt": "One?"}\n')
    client.import_pairs("x.jsonl", b'{"prompt": "q", "chosen": "x", "rejected": "y"}\n', labeler="ada")
    label_all(client)
    built = client.build_dataset(DatasetSpec())
    model = client.add_model(Model("tuned", "adapter", str(workspace.root / "m"), base="base"))
    verdicts = client.labels()
    assert len(verdicts) == 21

    kill_server(workspace)
    Path(f"{workspace.database}.wal").unlink(missing_ok=True)

    with connect(workspace) as again:
        assert again.pairs().total == 21
        assert again.prompts().total == 1
        assert sorted(one.id for one in again.labels()) == sorted(one.id for one in verdicts)
        assert again.datasets() == (built,)
        assert again.models() == (model,)


def test_a_moved_workspace_finds_its_data_sets(client: WorkspaceClient, workspace: Workspace) -> None:
    label_all(client)
    built = client.build_dataset(DatasetSpec())
    stop_server(workspace)
    moved = Workspace(workspace.root.rename(workspace.root.with_name("moved here")))

    try:
        with connect(moved) as again:
            found = again.dataset("latest")
    finally:
        stop_server(moved)

    assert found.hash == built.hash
    assert Path(found.path) == moved.datasets / built.hash
    assert (Path(found.path) / "train.jsonl").is_file()


def test_a_changed_data_set_is_not_trained_on(
    client: WorkspaceClient, workspace: Workspace, tmp_path: Path
) -> None:
    label_all(client)
    built = client.build_dataset(DatasetSpec())
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "config.json").write_text("{}")
    client.add_model(Model("tiny", "base", str(weights)))
    train = Path(built.path) / "train.jsonl"
    train.write_bytes(train.read_bytes().replace(b"Answer", b"answer"))

    with pytest.raises(RlftError, match="its files were changed"):
        client.launch({"id": "dpo-x", "method": "dpo", "model": "tiny", "dataset": "latest"})

    assert client.runs() == ()
    assert not list(workspace.runs.glob("*"))
