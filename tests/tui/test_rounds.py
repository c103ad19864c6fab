"""Rounds by keys: the screen alone, and once round the loop in a real terminal."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
from pathlib import Path

import pytest

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.datasets.dataset import DatasetSpec
from rlft_tui.paths import Workspace
from rlft_tui.runs.run_event import EventWriter
from rlft_tui.runs.run_spec import read_spec
from rlft_tui.runs.specs.dpo import DpoSpec
from rlft_tui.tui.list_pane import ListPane
from rlft_tui.tui.screens.models import ModelsScreen
from rlft_tui.tui.screens.rounds import RoundsScreen
from tests.conftest import wait_for
from tests.tui.bench import front, shows, until, vanishes, workbench
from tests.tui.conftest import label
from tests.tui.run_folders import begin, dpo_folder, end_well, train
from tests.tui.terminal_session import TerminalSession

RUN = "dpo-1129-1700-aaaa"


@pytest.fixture
def ended_run(workspace: Workspace, client: WorkspaceClient) -> str:
    """A training run that has ended; its model is an adapter on a base that is not here."""
    folder = dpo_folder(workspace, RUN)
    log = EventWriter(folder.events)
    begin(log)
    train(log, 1, 2)
    log.close()
    end_well(folder)
    assert client.run(RUN).output_model == RUN
    return RUN


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_a_model_is_promoted_noted_traced_and_kept_from_removal(
    workspace: Workspace, client: WorkspaceClient, ended_run: str, size: tuple[int, int]
) -> None:
    async def scenario() -> None:
        async with workbench(workspace, "home", size) as pilot:
            await pilot.press("w")
            await until(pilot, lambda: isinstance(pilot.app.screen, RoundsScreen), "the rounds")
            await shows(pilot, RUN, "smollm2-135m", "no pairs", "policy smollm2-135m")
            await pilot.press("x")
            await shows(pilot, "Reject?", "smollm2-135m stays")
            await pilot.press("n")
            await vanishes(pilot, "Reject?")
            await pilot.press("p")
            await shows(pilot, "Promote?", "becomes the current version of smollm2-135m")
            await pilot.press("y")
            await shows(pilot, "● dpo-1129", "promoted")
            assert client.current("smollm2-135m").model == RUN
            await pilot.press("w")
            await until(pilot, lambda: isinstance(pilot.app.screen, ModelsScreen), "the models")
            await shows(pilot, "● current version of smollm2-135m")
            await pilot.press("n")
            await shows(pilot, "Note on")
            await pilot.press(*"kind", "enter")
            await shows(pilot, "· kind")
            await pilot.press("number_sign", *"demo", "enter")
            await shows(pilot, "#demo")
            await pilot.press("d")
            await shows(pilot, "is not removed", "it is the current version of policy smollm2-135m")
            await pilot.press("escape")
            await vanishes(pilot, "is not removed")
            await pilot.press("l")
            await shows(pilot, "What it was made from", f"made by {RUN}", "began with smollm2-135m")
            await pilot.press("down", "enter")
            await shows(pilot, f"✓ finished {RUN}")
            await pilot.press("f11")
            assert front(pilot, RoundsScreen).query_one(ListPane).key == RUN

    asyncio.run(scenario())


def editor(folder: Path) -> Path:
    """A program that makes the run in the TOML file it is given a short one, for a policy of its own."""
    script = folder / "editor.py"
    script.write_text(f"""#!{sys.executable}
import sys
text = open(sys.argv[1]).read()
for old, new in [
    ("max_steps = 50", "max_steps = 2"), ("sample_every = 25", "sample_every = 0"),
    ("max_length = 256", "max_length = 64"), ("evaluate = true", "evaluate = false"),
    ('policy = ""', 'policy = "support"'), ("pairs = 20", "pairs = 4"),
    ("max_new_tokens = 128", "max_new_tokens = 6"),
]:
    assert text.count(old) == 1, (old, text)
    text = text.replace(old, new)
open(sys.argv[1], "w").write(text)
""")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


def job_ends(terminal: TerminalSession, client: WorkspaceClient, method: str) -> None:
    """Read on until the run of a method has finished: a job takes its time on a busy machine."""

    def finished() -> bool:
        terminal.read(0.5)
        return any(run.method == method and run.status == "finished" for run in client.runs())

    wait_for(finished, f"the {method} run", 400)


def judge_all(terminal: TerminalSession, client: WorkspaceClient, model: str, pairs: int) -> None:
    """Prefer the left answer of each pair; a key that comes before its pair is painted counts for none."""

    def judged() -> bool:
        terminal.press("1")
        terminal.read(0.5)
        return client.round(model).judged == pairs

    wait_for(judged, f"{pairs} verdicts", 120)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_from_verdicts_to_a_promoted_model_and_on_to_the_next_round_by_keys_alone(
    workspace: Workspace, client: WorkspaceClient, tiny_models: tuple[str, str], tmp_path: Path
) -> None:
    label(client, 24)
    client.build_dataset(DatasetSpec(name="first", heldout_fraction=0.4))
    with TerminalSession.rlft(workspace, EDITOR=str(editor(tmp_path)), VISUAL="") as terminal:
        terminal.shows("Home")
        terminal.press("4")
        terminal.shows("No runs yet")
        terminal.press("l")
        terminal.shows("Ready: ctrl+s", "rlft train dpo")
        terminal.press("\x0e")  # ctrl+n: the quick preset
        terminal.shows("--preset quick")
        terminal.press("\x14")  # ctrl+t: the editor
        terminal.shows("--max-steps 2", "--no-evaluate", "--round-pairs 4")
        terminal.press("\x13")  # ctrl+s
        terminal.shows("Launch with this?")
        terminal.press("y")
        terminal.shows("dpo-")
        job_ends(terminal, client, "dpo")
        terminal.shows("✓ finished", "2/2")
        terminal.press("1")
        job_ends(terminal, client, "generate")
        terminal.shows("4 pairs wait for a verdict: support-v24 against tiny-one, blind.")
        terminal.press("\r")
        terminal.shows("to be judged", "0/4")
        terminal.press("\r")
        terminal.shows("4 left")
        judge_all(terminal, client, "support-v24", 4)
        terminal.press("\x1b[23~")  # F11
        terminal.shows("4/4", "not told apart")
        terminal.press("p")
        terminal.shows("Promote?")
        terminal.press("y")
        terminal.shows("● support-v24", "the current version")
        terminal.press("n")
        terminal.shows("--clone dpo-", "support-v24", "Ready: ctrl+s")
        terminal.press("\x11")  # ctrl+q
        assert terminal.end() == 0
    pointer = json.loads((workspace.models / "support" / "current.json").read_text())
    assert (pointer["model"], pointer["version"]) == ("support-v24", "v24")
    assert (workspace.models / "support" / "current" / "policy" / "config.json").is_file()
    (round_,) = client.rounds()
    assert (round_.stage, round_.people.n, round_.is_current) == ("promoted", 4, True)
    spec = read_spec(workspace.runs / round_.round.run_id / "run.toml")
    assert isinstance(spec, DpoSpec)
    assert (spec.policy, spec.round.pairs) == ("support", 4)
    assert client.datasets()[0].name == "support-2", "today's labels are frozen for the next round"
