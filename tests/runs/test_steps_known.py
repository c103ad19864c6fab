"""How many steps a run has, before its job has said so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rlft_tui.cli.run_text import runs_table, steps_text
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import parse_spec, write_spec
from rlft_tui.runs.run_status import Exit, RunSummary
from rlft_tui.server.followed_run import FollowedRun

MODEL = {"name": "tiny", "path": "/models/tiny"}


@pytest.mark.parametrize(
    ("spec", "steps"),
    [
        ({"method": "completions", "model": MODEL, "n": 4}, 12),
        ({"method": "generate", "model_a": MODEL, "model_b": MODEL}, 3),
    ],
)
def test_a_run_killed_while_it_began_has_as_many_as_its_prompts_ask_for(
    tmp_path: Path, spec: dict[str, Any], steps: int
) -> None:
    folder = RunFolder(tmp_path / "killed")
    folder.root.mkdir()
    write_spec(parse_spec({"id": "killed", **spec}), folder.spec)
    folder.prompts.write_text(
        '{"id": "1", "prompt": "x"}\n\n{"id": "2", "prompt": "y"}\n{"id": "3", "prompt": "z"}'
    )
    folder.write_exit(Exit(None, "SIGKILL", "killed by SIGKILL", 5.0))

    run = FollowedRun(folder).summary()

    assert (run.status, steps_text(run)) == ("killed", f"0/{steps}")


@pytest.mark.parametrize(
    ("step", "steps", "text"), [(0, 0, "–"), (3, 0, "3"), (0, 40, "0/40"), (3, 40, "3/40")]
)
def test_what_is_not_known_is_not_asked(step: int, steps: int, text: str) -> None:
    run = RunSummary("judge-1", "judge", "killed", step, steps, "tiny", "", "", 0.0)
    assert steps_text(run) == text
    assert "?" not in runs_table([run])
