"""What a command does not load, and how the process ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rlft_tui import __main__
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.paths import Workspace
from rlft_tui.server.server_record import read_record
from tests.cli.run_rlft import spawn

TRAINING = ("torch", "transformers", "trl", "peft", "bitsandbytes", "accelerate")
SLOW = ("httpx", "duckdb", "pydantic", "textual", "rich", "fastapi", "plotext", "msgspec", *TRAINING)
RLFT = [sys.executable, "-m", "rlft_tui.cli.main"]


def loaded_by(code: str) -> set[str]:
    """Top-level modules in a fresh interpreter after the code; a command's SystemExit is caught."""
    script = (
        f"import sys, json\ntry:\n    {code}\nexcept SystemExit: pass\n"
        "json.dump(sorted({name.partition('.')[0] for name in sys.modules}), sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def command(*arguments: str) -> str:
    return f"from rlft_tui.cli.main import main; main({list(arguments)!r})"


@pytest.mark.parametrize("arguments", [("--version",), ("--help",)], ids=" ".join)
def test_the_root_loads_nothing_that_it_can_do_without(arguments: tuple[str, ...]) -> None:
    assert loaded_by(command(*arguments)).isdisjoint(SLOW)


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("runs watch", "/runs"),
        ("-w {root} runs watch", "/runs"),
        ("--workspace {root} runs watch dpo-a%2F\udcff", "/runs/dpo-a%252F%3F/series"),
        ("runs list", None),
        ("runs", None),
        ("-w", None),
        ("-w {root}/nowhere runs watch", None),
        ("--json runs watch", None),
    ],
)
def test_what_is_watched_is_asked_for_before_the_command_line_is_loaded(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, line: str, asked: str | None
) -> None:
    sent: list[tuple[Path, str]] = []
    monkeypatch.setattr(
        "rlft_tui.client.ask_ahead.ask_ahead", lambda server, path: sent.append((server, path))
    )
    monkeypatch.chdir(workspace.root)
    __main__._ask_ahead(line.format(root=workspace.root).split())
    assert sent == ([(workspace.socket, asked)] if asked else [])


def test_the_program_is_the_command_line() -> None:
    ended = subprocess.run([sys.executable, "-m", "rlft_tui", "--version"], capture_output=True, text=True)
    assert ended.stdout.startswith("rlft ")
    loaded = loaded_by(
        "import sys; sys.argv = ['rlft', '--version']; from rlft_tui.__main__ import main; main()"
    )
    assert loaded.isdisjoint(SLOW)


def test_no_command_loads_the_training_stack(client: WorkspaceClient, workspace: Workspace) -> None:
    root = str(workspace.root)
    for arguments in (
        ("-w", root, "labels", "stats"),
        ("-w", root, "doctor"),
        ("-w", root, "pairs", "list"),
        ("train", "dpo", "--help"),
    ):
        assert loaded_by(command(*arguments)).isdisjoint(TRAINING), arguments


def test_labels_stats_loads_neither_database_nor_screen(
    client: WorkspaceClient, workspace: Workspace
) -> None:
    loaded = loaded_by(command("-w", str(workspace.root), "labels", "stats"))
    assert loaded.isdisjoint({"duckdb", "textual", "fastapi", "click", "pygments", "pydantic", "httpx"})


def test_neither_workbench_nor_server_loads_the_training_stack() -> None:
    assert loaded_by("import rlft_tui.tui.app").isdisjoint(TRAINING)
    assert loaded_by("import rlft_tui.server.workspace_server").isdisjoint(TRAINING)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc")
@pytest.mark.cold_server
def test_the_running_server_has_no_torch_in_its_memory(client: WorkspaceClient, workspace: Workspace) -> None:
    client.label_stats()
    record = read_record(workspace)
    assert record is not None
    maps = Path(f"/proc/{record.pid}/maps").read_text()
    assert "duckdb" in maps
    assert "libtorch" not in maps


def test_a_reader_that_leaves_ends_the_command_quietly(client: WorkspaceClient, workspace: Workspace) -> None:
    file = workspace.root.parent / "prompts.jsonl"
    file.write_text("".join(json.dumps({"prompt": f"Question {n}? {'x' * 200}"}) + "\n" for n in range(2000)))
    client.import_prompts(file.name, file.read_bytes())
    listing = spawn("-w", workspace.root, "prompts", "list", "--limit", "2000")
    assert listing.stdout is not None
    assert listing.stderr is not None
    assert listing.stdout.readline()
    listing.stdout.close()
    errors = listing.stderr.read()
    listing.stderr.close()
    assert listing.wait(60) == 141
    assert errors == ""


def test_output_in_a_locale_without_the_characters_is_still_printed(tmp_path: Path) -> None:
    environment = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run([*RLFT, "doctor"], capture_output=True, env=environment, check=False)
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert b"python" in done.stdout
