"""From the form in a real terminal to a finished run, by keys alone."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.datasets.dataset import DatasetSpec
from rlft_tui.paths import Workspace
from rlft_tui.runs.run_spec import TrainingSpec, read_spec
from tests.tui.conftest import label
from tests.tui.terminal_session import TerminalSession

UP, LEFT = "\x1b[A", "\x1b[D"
CTRL_N, CTRL_S, CTRL_T = "\x0e", "\x13", "\x14"


def editor(folder: Path) -> Path:
    """A program that makes the run in the TOML file it is given a short one."""
    script = folder / "editor.py"
    script.write_text(f"""#!{sys.executable}
import sys
text = open(sys.argv[1]).read()
for old, new in [
    ("max_steps = 50", "max_steps = 2"), ("sample_every = 25", "sample_every = 0"),
    ("max_length = 256", "max_length = 64"), ("evaluate = true", "evaluate = false"),
]:
    assert text.count(old) == 1, old
    text = text.replace(old, new)
open(sys.argv[1], "w").write(text)
""")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


def test_a_run_is_described_edited_as_toml_launched_and_watched_to_its_end(
    workspace: Workspace, client: WorkspaceClient, tiny_models: tuple[str, str], tmp_path: Path
) -> None:
    label(client, 20)
    client.build_dataset(DatasetSpec(name="first"))
    with TerminalSession.rlft(workspace, EDITOR=str(editor(tmp_path)), VISUAL="") as terminal:
        terminal.shows("Home")
        terminal.press("4")
        terminal.shows("No runs yet")
        terminal.press("l")
        terminal.shows("Ready: ctrl+s", "rlft train dpo")
        terminal.press(UP * 4)
        terminal.shows("dpo: Direct preference optimisation")
        terminal.press(LEFT * 2)
        terminal.shows("rlft train sft", "Ready: ctrl+s")
        terminal.press(CTRL_N)
        terminal.shows("--preset quick")
        terminal.press(CTRL_T)
        terminal.shows("--max-steps 2", "--no-evaluate", "--max-length 64", "--sample-every 0")
        terminal.press(CTRL_S)
        terminal.shows("Launch with this?")
        terminal.press("y")
        terminal.shows("✓ finished", "2/2")
    (run,) = client.runs()
    spec = read_spec(workspace.runs / run.id / "run.toml")
    assert isinstance(spec, TrainingSpec)
    assert (run.method, run.status, spec.max_steps, spec.batch_size) == ("sft", "finished", 2, 4)
    assert [model.run_id for model in client.models() if model.run_id] == [run.id]
