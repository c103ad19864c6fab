"""Rounds and the registry from the command line, on a run that has ended without a job of its own."""

from __future__ import annotations

import json

import pytest

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.datasets.dataset import DatasetSpec
from rlft_tui.models.model import Model
from rlft_tui.paths import Workspace
from rlft_tui.runs.run_event import EventWriter
from tests.cli.run_rlft import Rlft
from tests.tui.conftest import label
from tests.tui.run_folders import begin, dpo_folder, end_well, train

RUN = "dpo-1129-1700-aaaa"


@pytest.fixture
def ended_run(here: Workspace, client: WorkspaceClient) -> str:
    """A training run whose adapter is on smollm2-135m, which is in the registry."""
    client.add_model(Model("smollm2-135m", "base", "/nowhere/smollm2-135m", created_at=1.0))
    folder = dpo_folder(here, RUN)
    log = EventWriter(folder.events)
    begin(log)
    train(log, 1, 2)
    log.close()
    end_well(folder)
    assert client.run(RUN).output_model == RUN
    return RUN


def test_a_round_is_shown_decided_and_gone_on_from(
    rlft: Rlft, here: Workspace, client: WorkspaceClient, ended_run: str
) -> None:
    assert "no pairs" in rlft.well("loop").out
    (one,) = rlft.well("loop", "--json").value
    assert (one["round"]["model"], one["round"]["opponent"], one["stage"]) == (
        RUN,
        "smollm2-135m",
        "no pairs",
    )
    assert "No pairs were asked for" in rlft.well("loop", "show", RUN).out
    refused = rlft("loop", "pairs")
    assert (refused.code, "no prompts that it was not trained on" in refused.err) == (2, True)

    held = rlft("loop", "promote")
    assert (held.code, "nothing was promoted. Promote with --yes" in held.err) == (2, True)
    promoted = rlft.well("loop", "promote", "--yes", "--note", "kind", "--as", "bob")
    assert promoted.out == f"{RUN}\n"
    assert "Not told apart yet" in promoted.err
    shown = rlft.well("loop", "show", RUN, "--json").value
    assert (shown["stage"], shown["decided_by"], shown["is_current"]) == ("promoted", "bob", True)
    assert json.loads((here.models / "smollm2-135m" / "current.json").read_text())["model"] == RUN
    assert rlft("loop", "reject", RUN).code == 2
    waiting = rlft("loop", "promote")
    assert (waiting.code, waiting.err.count("\n")) == (2, 1)
    assert "no round waits for a decision" in waiting.err
    bad = rlft("loop", "promote", RUN, "--yes", "--policy", "../elsewhere")
    assert (bad.code, "not a policy's name" in bad.err) == (2, True)

    label(client, 8)
    client.build_dataset(DatasetSpec(name="first"))
    again = rlft.well("loop", "next", "--json").value
    assert (again["next"]["model"], again["next"]["clone"]) == (RUN, RUN)
    assert again["command"].startswith(f"rlft train dpo --clone {RUN} --model {RUN} --dataset ")


def test_the_registry_from_the_command_line(rlft: Rlft, client: WorkspaceClient, ended_run: str) -> None:
    tree = rlft.well("models", "lineage", RUN).out.splitlines()
    assert tree[:2] == [f"{RUN}  adapter", f"└─ made by {RUN}  dpo · 2 steps · finished"]
    assert "began with smollm2-135m" in tree[2]
    assert rlft.well("models", "lineage", "smollm2-135m", "--json").value["made_from_it"] == [RUN]
    assert "\x1b" not in rlft.well("models", "note", RUN, "short \x1b[31mand kind").out, "hostile text"
    assert rlft.well("models", "tag", RUN, "demo", "draft").out == "demo draft\n"
    assert rlft.well("models", "tag", RUN, "--drop", "draft", "--json").value["tags"] == ["demo"]
    assert rlft("models", "tag", RUN, "two words").code == 2
    assert "demo" in rlft.well("models", "list").out
    (version,) = rlft.well("models", "versions", "--json").value
    assert (version["policy"], version["model"], version["is_current"]) == ("smollm2-135m", RUN, False)
    use = {one["name"]: one for one in rlft.well("models", "du", "--json").value["models"]}
    assert (use[RUN]["place"], use["smollm2-135m"]["place"]) == ("workspace", "gone")
    assert "all together" in rlft.well("models", "du").out

    assert rlft("models", "rm", "smollm2-135m", "--yes").code == 2
    planned = rlft.well("models", "rm", "smollm2-135m", "--dry-run").out
    assert f"- model {RUN} sits on it" in planned
    unasked = rlft("models", "rm", RUN)
    assert (unasked.code, "Add --yes" in unasked.err) == (2, True)
    assert rlft.well("models", "rm", RUN, "--yes").out == f"{RUN}\n"
    assert [model.name for model in client.models()] == ["smollm2-135m"]
    assert client.run(RUN).status == "finished", "the run stays"

    label(client, 8)
    assert [one["n"] for one in rlft.well("models", "ratings", "--by", "all", "--json").value] == [8, 8]
    assert rlft.well("models", "ratings", "--by", "judge", "--json").value == []
    assert rlft.well("models", "ab", "--json").value == []
    assert rlft("models", "ab", "one").code == 2
    assert rlft("models", "ab", "smollm2-135m", "nobody").code == 2
