"""Models from the command line, with tiny random ones: pulled, compared, used to check tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.paths import Workspace
from tests.cli.run_rlft import Rlft
from tests.conftest import add_pairs
from tests.tiny_model import make_tiny_model


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


def test_a_folder_is_pulled_where_it_lies_and_registered(rlft: Rlft, here: Workspace, tiny: Path) -> None:
    assert rlft.well("models", "pull", tiny, "--json").value["path"] == str(tiny)
    rlft.well("models", "pull", tiny, "--as", "other")
    listed = {model["name"]: model for model in rlft.well("models", "list", "--json").value}
    assert set(listed) == {"tiny", "other"}
    assert listed["other"]["kind"] == "base"
    assert str(tiny) in rlft.well("models", "show", "tiny").out


def test_what_is_no_model_is_refused_in_one_line(
    rlft: Rlft, here: Workspace, tmp_path: Path, tiny: Path
) -> None:
    torn = tmp_path / "torn"
    torn.mkdir()
    for file in tiny.iterdir():
        (torn / file.name).write_bytes(file.read_bytes())
    weights = torn / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    for name, part in (
        (tmp_path, "config.json"),
        (tmp_path / "nope", "no such model folder"),
        (torn, "cut short"),
    ):
        outcome = rlft("models", "pull", name)
        assert outcome.code == 2
        assert part in outcome.err
        assert outcome.err.count("\n") == 1
    assert rlft.well("models", "list", "--json").value == []


@pytest.mark.parametrize(("name", "part"), [("x" * 300, "120 at most"), ("a@temperature=0", "no @")])
def test_a_name_that_could_not_be_used_everywhere_is_refused(
    rlft: Rlft, here: Workspace, tiny: Path, name: str, part: str
) -> None:
    outcome = rlft("models", "pull", tiny, "--as", name)
    assert outcome.code == 2
    assert part in outcome.err
    assert outcome.err.count("\n") == 1
    assert rlft.well("models", "list", "--json").value == []


def test_without_a_workspace_a_model_is_only_fetched(
    rlft: Rlft, tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = rlft.well("models", "pull", tiny)
    assert outcome.out == f"{tiny}\n"
    assert "No workspace here" in outcome.err


def test_two_models_answer_one_prompt(rlft: Rlft, here: Workspace, tiny: Path) -> None:
    rlft.well("models", "pull", tiny)
    asked = ["compare", "Hello?", "--models", "tiny", "tiny", "--max-new-tokens", "12"]
    sides = rlft.well(*asked, "--temperature", "0", "--json").value
    assert [side["model"] for side in sides] == ["tiny", "tiny"]
    assert sides[0]["text"] == sides[1]["text"]
    assert all(0 < side["tokens"] <= 12 for side in sides)
    shown = rlft.well(*asked)
    assert {line[:3] for line in shown.out.splitlines()} == {"A │", "B │"}
    assert not any(character in shown.out for character in "\x1b\x9b\r\x07")
    unknown = rlft("compare", "Hello?", "--models", "tiny", "nope")
    assert unknown.code == 2
    assert "nope" in unknown.err


def test_a_data_set_is_checked_token_by_token_before_training(
    rlft: Rlft, client: WorkspaceClient, here: Workspace, tiny: Path
) -> None:
    rlft.well("models", "pull", tiny)
    for pair in add_pairs(client, 5):
        rlft.well("labels", "add", pair.id, "--choice", "a")
    built = rlft.well("data", "build", "--name", "first", "--json").value
    asked = ["data", "check", "first", "--model", "tiny"]

    report = rlft.well(*asked, "--rows", "1", "--max-length", "512128", "--json").value
    assert "max_length 512128 is beyond the 1024 tokens that tiny was made for" in str(report)
    assert report["dataset"] == built["hash"]
    assert sum(report["checked"].values()) == 5
    (row,) = report["rows"]
    assert "".join(token["text"] for token in row["chosen"]["tokens"] if token["loss"]).startswith("Answer A")
    assert not row["chosen"]["tokens"][0]["loss"]
    assert row["chosen"]["eos"]

    shown = rlft.well(*asked).out
    assert "chosen, " in shown
    assert "A│n│s│w│e│r" in shown
    assert "<|im_end|>" in shown
    assert "chat template:" in shown
    # Every verdict is for the longer answer, and there are few.
    assert "warning: only" in shown
    assert "warning: the chosen answer is the longer one in 100% of the training rows" in shown

    assert "was made for" not in shown
    useless = rlft(*asked, "--max-length", "16")
    assert useless.code == 1
    assert "error: every prompt fills max_length" in useless.out
    refused = rlft("train", "dpo", "--model", "tiny")
    assert refused.code == 2
    assert "warning: the chosen answer is the longer one" in refused.err
    assert "nothing was launched: the warnings need a yes" in refused.err.splitlines()[-1]
    hopeless = rlft("train", "dpo", "--model", "tiny", "--max-length", "16", "--yes")
    assert hopeless.code == 2
    assert "every prompt fills max_length (16 tokens)" in hopeless.err.splitlines()[-1]
    assert client.runs() == ()
    unknown = rlft("data", "check", "first")
    assert unknown.code == 2
    assert "rlft models pull smollm2-135m" in unknown.err
