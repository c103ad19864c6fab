"""A run is cloned, edited and launched again, and its lineage is kept."""

from __future__ import annotations

from rlft_tui.paths import Workspace
from rlft_tui.runs.run_event import EventWriter
from tests.cli.run_rlft import Rlft
from tests.tui.run_folders import begin, dpo_folder, end_well, generate_folder


def finished_run(workspace: Workspace, run_id: str) -> None:
    folder = dpo_folder(workspace, run_id, steps=7)
    begin(log := EventWriter(folder.events))
    log.close()
    end_well(folder)


def test_a_clone_has_the_settings_of_its_parent_but_for_the_flags(rlft: Rlft, here: Workspace) -> None:
    finished_run(here, "dpo-one")
    generate_folder(here, "generate-one")
    asked = ["--lora-r", "4", "--toml", "--json"]
    clone = rlft.well("runs", "clone", "dpo-one", *asked).value
    assert (clone["parent"], clone["max_steps"], clone["lora"]["r"]) == ("dpo-one", 7, 4)
    assert (clone["model"], clone["dataset"]) == ("smollm2-135m", "3f2a9c01b7de")
    assert "id" not in clone
    assert rlft.well("train", "dpo", "--clone", "dpo-one", *asked).value == clone
    assert 'parent = "dpo-one"' in rlft.well("runs", "clone", "dpo-one", "--toml").out

    other = rlft("train", "sft", "--clone", "dpo-one", "--toml")
    assert (other.code, other.out) == (2, "")
    assert "a dpo run, not one of sft. rlft train dpo --clone dpo-one" in other.err
    assert "no run 'dpo-no'" in rlft("runs", "clone", "dpo-no", "--toml").err
    assert "--lora-rr" in rlft("runs", "clone", "dpo-one", "--lora-rr", "4").err
    assert "a generate run is not cloned" in rlft("runs", "clone", "generate-one").err
    assert sorted(path.name for path in here.runs.iterdir() if not path.name.startswith(".")) == [
        "dpo-one",
        "generate-one",
    ]
