"""Foreign files in, exports out, from the command line and against a real server."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.labels.preference import BetterAnswer
from rlft_tui.paths import Workspace
from tests.cli.run_rlft import Rlft
from tests.conftest import add_pairs

ALPACA = Path(__file__).resolve().parents[3] / "shared" / "data" / "alpaca_eval_ppo_human.jsonl"


def test_the_published_win_rate_comes_out(rlft: Rlft, here: Workspace) -> None:
    if not ALPACA.exists():
        pytest.skip("the shared data is not here")
    told = rlft.well("pairs", "import", ALPACA, "--format", "auto", "--json").value
    assert (told["imported"], told["verdicts"], told["format"]) == (805, 805, "alpaca-eval")
    rated = {one["model"]: one for one in rlft.well("models", "ratings", "--json").value}
    tuned = rated["alpaca-farm-ppo-human"]
    assert (tuned["wins"], tuned["losses"], tuned["ties"]) == (328, 469, 8)
    assert tuned["win_rate"] == pytest.approx(41.242, abs=5e-4)
    assert tuned["stderr"] == pytest.approx(1.727, abs=5e-4)
    assert rlft.well("labels", "stats", "--json").value["by_labeler"] == {"alpaca_eval_gpt4": 805}


def label_some(rlft: Rlft, client: WorkspaceClient) -> None:
    first, second, third = (pair.id for pair in add_pairs(client, 3))
    rlft.well("labels", "add", first, "--choice", "a", "--strength", "4", "--note", "a\u2028b")
    rlft.well("labels", "add", second, "--choice", "b", "--as", "ben")
    rlft.well("labels", "add", third, "--quality", "both_bad")
    taken_back = rlft.well("labels", "add", second, "--choice", "a", "--json").value["id"]
    rlft.well("labels", "undo", taken_back)
    client.add_label(BetterAnswer("w", first, "ada", "Better than both.", 1.0))


def test_an_archive_moves_everything_to_another_workspace(
    rlft: Rlft, client: WorkspaceClient, here: Workspace, tmp_path: Path
) -> None:
    label_some(rlft, client)
    folder = tmp_path / "shared"
    told = rlft.well("labels", "export", f"{folder}/", "--format", "archive", "--json").value
    archive = folder / "archive.jsonl"
    assert told["files"] == [str(archive), str(folder / "README.md")]
    assert told["rows"] == 3 + 6
    assert "pairs with a label: 3 of 3" in (folder / "README.md").read_text()

    other = tmp_path / "other"
    rlft.well("init", other)
    first = rlft.well("-w", other, "pairs", "import", folder, "--json").value
    again = rlft.well("-w", other, "pairs", "import", archive, "--json").value
    assert (first["imported"], first["verdicts"], first["format"]) == (3, 6, "archive")
    assert (again["imported"], again["verdicts"], again["duplicates"]) == (0, 0, 3)
    copy = tmp_path / "copy.jsonl"
    rlft.well("-w", other, "labels", "export", copy, "--format", "archive")
    assert copy.read_bytes() == archive.read_bytes()
    rlft.well("-w", other, "server", "stop")


def test_every_export_says_what_it_wrote(
    rlft: Rlft, client: WorkspaceClient, here: Workspace, tmp_path: Path
) -> None:
    label_some(rlft, client)
    rows = {}
    for form in ("trl", "reward", "kto", "sft", "csv"):
        target = tmp_path / f"out.{form}"
        told = rlft.well("labels", "export", target, "--format", form, "--json").value
        rows[form] = told["rows"]
        assert told["path"] == str(target)
        assert rlft.well("labels", "export", "-", "--format", form).out == target.read_bytes().decode()
    assert rows == {"trl": 3, "reward": 3, "kto": 6, "sft": 2, "csv": 3}
    margins = [json.loads(line)["margin"] for line in (tmp_path / "out.trl").read_text().splitlines()]
    assert margins == [1.0, 0.0, 0.0]


def test_a_saved_data_set_goes_out_and_comes_back(
    rlft: Rlft, client: WorkspaceClient, here: Workspace, tmp_path: Path
) -> None:
    if importlib.util.find_spec("datasets") is None:
        pytest.skip("needs the train extra")
    label_some(rlft, client)
    folder = tmp_path / "saved"
    for _ in range(2):
        told = rlft.well("labels", "export", folder, "--format", "hf", "--json").value
        assert told["rows"] == 3
    assert {"dataset_info.json", "state.json", "README.md"} <= {path.name for path in folder.iterdir()}
    other = tmp_path / "other"
    rlft.well("init", other)
    back = rlft.well("-w", other, "pairs", "import", folder, "--json").value
    assert (back["imported"], back["verdicts"], back["format"]) == (3, 3, "trl")
    rlft.well("-w", other, "server", "stop")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_nothing_of_the_workspace_or_of_others_is_overwritten(
    rlft: Rlft, client: WorkspaceClient, here: Workspace, tmp_path: Path
) -> None:
    label_some(rlft, client)
    journal = here.journal.read_bytes()
    for target in (here.journal, here.database, f"{here.root}/", here.runs / "x.jsonl"):
        refused = rlft("labels", "export", target)
        assert refused.code == 2
        assert "own files" in refused.err
    assert here.journal.read_bytes() == journal
    foreign = tmp_path / "project"
    foreign.mkdir()
    (foreign / "README.md").write_text("# Mine\n")
    for arguments in (["--format", "archive"], ["--format", "hf"]):
        assert rlft("labels", "export", foreign, *arguments).code == 2
    assert [path.name for path in foreign.iterdir()] == ["README.md"]
    assert (foreign / "README.md").read_text() == "# Mine\n"
    assert "no such folder" in rlft("labels", "export", tmp_path / "nowhere" / "x.jsonl").err


def test_what_cannot_be_imported_is_told(rlft: Rlft, here: Workspace, tmp_path: Path) -> None:
    assert "no such file" in rlft("pairs", "import", tmp_path / "gone.jsonl").err
    file = tmp_path / "x.jsonl"
    file.write_text('{"prompt": "p", "chosen": "x", "rejected": "y"}\n')
    told = rlft("pairs", "import", file, "--format", "nonsense")
    assert told.code == 2
    assert "One of: auto" in told.err
    wrong = rlft("pairs", "import", file, "--format", "lmarena")
    assert wrong.out == "0 pairs imported of 1 read, 1 refused\n"
    assert wrong.code == 2
    assert "nothing was imported: the one row was refused" in wrong.err
    right = rlft.well("pairs", "import", file)
    assert right.out == "1 pair imported of 1 read, 1 label came with them\n"
    assert "format: trl" in right.err
    if importlib.util.find_spec("datasets") is not None:
        offline = rlft("pairs", "import", "nobody/has-this-data-set")
        assert offline.code == 2
        assert "cannot be fetched from the hub" in offline.err
        empty = tmp_path / "empty"
        empty.mkdir()
        assert "no data set that can be read" in rlft("pairs", "import", empty).err
