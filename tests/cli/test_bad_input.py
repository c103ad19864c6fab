"""Bad input gets one line that says what and where, exit code 2, and changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.paths import Workspace
from tests.cli.run_rlft import Outcome, Rlft

RLFT = (sys.executable, "-m", "rlft_tui.cli.main")


def assert_refused(outcome: Outcome, *parts: str) -> None:
    assert outcome.code == 2, outcome.err
    assert outcome.out == ""
    assert outcome.err.count("\n") == 1, outcome.err
    assert outcome.err.endswith("\n")
    assert "Traceback" not in outcome.err
    for part in parts:
        assert part in outcome.err


USAGE = [
    (["nonsense"], ["nonsense", "rlft --help"]),
    (["labls"], ["labls", "Did you mean", "'labels'"]),
    (["--nonsense"], ["--nonsense"]),
    (["labels"], ["one of add, better, list, stats, export, undo"]),
    (["labels", "adds"], ["adds", "Did you mean 'add'"]),
    (["labels", "add"], ["PAIR_ID", "rlft labels add --help"]),
    (["labels", "add", "x"], ["--choice"]),
    (["labels", "add", "x", "--choice", "c"], ["--choice", "'c'"]),
    (["labels", "add", "x", "--choice", "a", "--confidence", "6"], ["--confidence", "5"]),
    (["labels", "list", "extra"], ["extra"]),
    (["prompts", "list", "--limit", "0"], ["--limit"]),
    (["data", "build", "--heldout", "1.5"], ["--heldout"]),
    (["train", "dpo", "--lora-r", "many"], ["--lora-r", "integer"]),
    (["compare", "Hello", "--models", "one"], ["--models"]),
    (["runs", "show"], ["RUN"]),
    (["-w", "", "labels", "stats"], ["-w", "it is empty"]),
    (["prompts", "import", ""], ["FILE", "it is empty"]),
]


@pytest.mark.parametrize(("arguments", "parts"), USAGE, ids=lambda value: " ".join(value))
def test_a_wrong_command_line_is_told_in_one_line(rlft: Rlft, arguments: list[str], parts: list[str]) -> None:
    assert_refused(rlft(*arguments), *parts)


@pytest.mark.parametrize("command", ["prompts import", "pairs import", "rankings import", "data import"])
@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf\n \r\n"], ids=["nothing", "blank lines"])
def test_an_empty_file_is_told_from_one_that_was_imported(
    rlft: Rlft, here: Workspace, tmp_path: Path, command: str, content: bytes
) -> None:
    file = tmp_path / "empty.jsonl"
    file.write_bytes(content)
    assert_refused(rlft(*command.split(), file), "empty.jsonl", "the file is empty")


def test_a_file_that_has_no_name_or_cannot_be_read_is_told(rlft: Rlft, here: Workspace) -> None:
    assert_refused(rlft("pairs", "import", ""), "the name is empty")
    assert_refused(rlft("pairs", "import", "/proc/self/mem"), "/proc/self/mem: cannot be read")


@pytest.mark.parametrize("arguments", [["--help"], ["runs", "--help"], ["--version"]], ids=" ".join)
def test_a_disk_that_is_full_ends_the_output_with_one_line(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run([*RLFT, *arguments], stdout=full, stderr=subprocess.PIPE, text=True)
    assert_refused(Outcome(ended.returncode, "", ended.stderr), "No space left", "Free some space")


def test_a_table_without_rows_is_told(rlft: Rlft, here: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "heading.csv"
    file.write_text("prompt,category\n")
    assert_refused(rlft("prompts", "import", file), "no rows in it")


@pytest.mark.parametrize("arguments", [[], ["label"], ["--workspace", "/nowhere"]], ids=str)
def test_the_workbench_needs_a_terminal(rlft: Rlft, arguments: list[str]) -> None:
    assert_refused(rlft(*arguments), "needs a terminal")


@pytest.mark.parametrize(
    "arguments",
    [["labels", "stats"], ["prompts", "list"], ["train", "dpo"], ["runs", "list"], ["server", "status"]],
    ids=" ".join,
)
def test_without_a_workspace_the_remedy_is_init(
    rlft: Rlft, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(rlft(*arguments), "no workspace", "rlft init")
    assert_refused(rlft(*arguments, "-w", tmp_path / "nope"), str(tmp_path / "nope"), "rlft init")


def test_files_that_cannot_be_read(rlft: Rlft, here: Workspace, tmp_path: Path) -> None:
    for noun in ("prompts", "pairs"):
        assert_refused(rlft(noun, "import", tmp_path / "nope.jsonl"), "nope.jsonl", "no such file")
        assert_refused(rlft(noun, "import", tmp_path), str(tmp_path), "a folder")


@pytest.mark.parametrize("noun", ["prompts", "pairs"])
def test_a_pipe_that_nobody_writes_to_is_not_waited_for(
    rlft: Rlft, here: Workspace, tmp_path: Path, noun: str
) -> None:
    os.mkfifo(tmp_path / "rows.jsonl")
    assert_refused(rlft(noun, "import", tmp_path / "rows.jsonl"), "rows.jsonl", "not an ordinary file")
    (tmp_path / "endless.jsonl").symlink_to("/dev/zero")
    assert_refused(rlft(noun, "import", tmp_path / "endless.jsonl"), "not an ordinary file")


def test_a_file_as_a_whole_that_cannot_be_read_is_called_by_its_own_name(
    rlft: Rlft, client: WorkspaceClient, here: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "wide.jsonl").write_text('{"prompt": "Hello"}', encoding="utf-16")
    assert_refused(rlft("prompts", "import", tmp_path / "wide.jsonl"), "wide.jsonl", "UTF-16")


@pytest.mark.parametrize("name", [".", "..", "../../etc", "a/b"])
def test_a_name_never_leads_to_another_address_of_the_server(
    rlft: Rlft, client: WorkspaceClient, here: Workspace, name: str
) -> None:
    for command in ("show", "logs", "follow", "stop", "resume", "rm"):
        assert_refused(rlft("runs", command, name), f"{name!r}")
    assert_refused(rlft("labels", "add", name, "--choice", "a"), f"{name!r}")


def test_files_of_no_known_format(rlft: Rlft, here: Workspace, tmp_path: Path) -> None:
    (tmp_path / "prompts.doc").write_bytes(b"\x00\x01")
    (tmp_path / "prompts.parquet").write_bytes(b"not parquet")
    for name in ("prompts.doc", "prompts.parquet"):
        assert_refused(rlft("prompts", "import", tmp_path / name), name)
    assert rlft.well("prompts", "list", "--json").value["total"] == 0


def test_names_of_things_that_are_not_there(rlft: Rlft, client: WorkspaceClient, here: Workspace) -> None:
    for arguments in (
        ["labels", "add", "nope", "--choice", "a"],
        ["labels", "undo", "nope"],
        ["runs", "show", "nope"],
        ["runs", "logs", "nope"],
        ["runs", "follow", "nope"],
        ["runs", "stop", "nope"],
        ["runs", "resume", "nope"],
        ["runs", "rm", "nope", "--yes"],
        ["models", "show", "nope"],
        ["restore", "nope"],
    ):
        assert_refused(rlft(*arguments), "nope")
    assert_refused(rlft("data", "check", "nope"), "no data set yet", "rlft data build")
    assert_refused(rlft("data", "export", "nope", here.exports), "no data set yet")
    assert not here.exports.exists()
    assert client.label_stats().total == 0


def test_names_that_are_no_text(rlft: Rlft, client: WorkspaceClient, here: Workspace) -> None:
    for words in (("runs", "show", "\udcff"), ("runs", "tag", "x", "--note", "bad\udcff")):
        assert_refused(rlft(*words), "not UTF-8")


def test_labellers_need_a_name(rlft: Rlft, here: Workspace) -> None:
    assert_refused(rlft("labels", "add", "x", "--choice", "a", "--as", " "), "--as", "empty")


def test_settings_that_are_wrong_are_named_with_their_file(rlft: Rlft, here: Workspace) -> None:
    here.settings.write_text('labeller = "anna"\n')
    assert_refused(rlft("labels", "undo"), "rlft.toml", "labeller", "Did you mean labeler")
    here.settings.write_text("labeler = [\n")
    assert_refused(rlft("labels", "undo"), "rlft.toml", "TOML")


def test_settings_of_a_run_are_checked_before_anything_starts(
    rlft: Rlft, here: Workspace, tmp_path: Path
) -> None:
    spec = tmp_path / "dpo.toml"
    assert_refused(rlft("train", "dpo", "--lora-r", "0"), "lora.r", "1")
    assert_refused(rlft("train", "dpo", "--precision", "fp8"), "precision")
    assert_refused(rlft("train", "dpo", "--spec", spec), "dpo.toml", "no such")
    for text, part in (
        ("beta = [", "TOML"),
        ("betta = 0.1", "betta"),
        ("beta = -1", "beta"),
        ('beta = "x"', "beta"),
        ("lora = 3", "lora"),
    ):
        spec.write_text(text)
        assert_refused(rlft("train", "dpo", "--spec", spec), "dpo.toml", part)
    spec.write_text("lora = 3")
    assert_refused(rlft("train", "dpo", "--spec", spec, "--lora-r", "8"), "dpo.toml", "lora")
    assert_refused(
        rlft("pairs", "generate", "--top-p-a", "0"), "sampling_a.top_p", "rlft pairs generate --help"
    )
    assert list(here.runs.iterdir()) == []


def test_a_run_needs_prompts(rlft: Rlft, client: WorkspaceClient, here: Workspace, tmp_path: Path) -> None:
    assert_refused(rlft("pairs", "generate"), "no prompts")
    assert_refused(rlft("pairs", "generate", "--prompts", tmp_path / "nope.jsonl"), "nope.jsonl")


def test_deleting_asks_first(rlft: Rlft, here: Workspace) -> None:
    assert_refused(rlft("runs", "rm", "nope"), "nope")


def test_a_workspace_is_made_once(rlft: Rlft, here: Workspace, tmp_path: Path) -> None:
    before = here.settings.read_bytes()
    assert_refused(rlft("init", here.root), str(here.root), "already a workspace")
    assert here.settings.read_bytes() == before
    file = tmp_path / "file"
    file.write_text("mine")
    assert_refused(rlft("init", file), "not a folder")
    assert_refused(rlft("init", file / "below"), "cannot make a workspace")
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    "name",
    [
        "rlft.toml",
        "rlft.duckdb",
        "preferences.jsonl",
        "workspace.lock",
        "server.json",
        "runs/x.jsonl",
        "datasets",
    ],
)
def test_an_export_never_lands_on_the_workspaces_own_files(
    rlft: Rlft, client: WorkspaceClient, here: Workspace, tmp_path: Path, name: str
) -> None:
    target = here.root / name
    before = target.read_bytes() if target.is_file() else None
    assert_refused(rlft("labels", "export", target), name, "own files")
    link = tmp_path / "link.jsonl"
    link.symlink_to(target)
    assert_refused(rlft("labels", "export", link), "own files")
    assert (target.read_bytes() if target.is_file() else None) == before


def test_an_export_that_cannot_be_written(rlft: Rlft, here: Workspace, tmp_path: Path) -> None:
    assert_refused(rlft("labels", "export", tmp_path / "no" / "x.jsonl"), "no such folder")
    os.mkfifo(tmp_path / "pipe")
    assert_refused(
        rlft("labels", "export", tmp_path / "pipe"), "not an ordinary file", "- for standard output"
    )
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "README.md").write_text("somebody's own")
    assert_refused(rlft("labels", "export", tmp_path), "README.md")
    assert (tmp_path / "README.md").read_text() == "somebody's own"


def test_what_is_echoed_cannot_command_the_terminal(rlft: Rlft, here: Workspace) -> None:
    evil = "a\x1b[31m\x9b2J\r\nb\u202e.jsonl"
    outcome = rlft("prompts", "import", evil)
    assert_refused(outcome)
    assert not any(character in outcome.err for character in "\x1b\x9b\r\u202e")


def test_too_many_arguments_are_refused_even_with_odd_bytes(rlft: Rlft) -> None:
    odd = os.fsdecode(b"\xff\xfe")
    assert_refused(rlft("labels", "stats", odd))


def test_a_folder_that_text_cannot_name_is_no_workspace(rlft: Rlft, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"odd-\xff")
    assert_refused(rlft("init", odd), "not valid UTF-8")
    assert not odd.exists()
    odd.mkdir()
    (odd / "rlft.toml").touch()
    assert_refused(rlft("labels", "stats", "-w", odd), "not valid UTF-8")


def test_a_socket_folder_that_cannot_be_made(
    rlft: Rlft, here: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "file"))
    assert_refused(rlft("labels", "stats"), "socket folder", "XDG_RUNTIME_DIR")


def test_a_full_disk_behind_stdout_is_told_in_one_line() -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [*RLFT, "doctor"], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert ended.returncode == 2
    assert ended.stderr.startswith("standard output: cannot be written: no space left")
    assert ended.stderr.count("\n") == 1


def test_streams_that_are_closed_are_no_accident(tmp_path: Path) -> None:
    script = 'exec 0<&- 1>&- 2>&-; "$@"; code=$?; exec 2>"$REPORT"; echo $code >&2'
    report = tmp_path / "report"
    for arguments, code in ((["init", tmp_path / "new"], "0"), (["pairs", "import", "-"], "2")):
        subprocess.run(
            ["bash", "-c", script, "bash", *RLFT, *arguments],
            env={**os.environ, "REPORT": str(report)},
            cwd=tmp_path,
            check=True,
        )
        assert report.read_text().strip() == code


def test_another_machines_workspace_has_no_demo(
    rlft: Rlft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = rlft("--connect", "http://127.0.0.1:1", "--token", "x" * 43, "demo")
    assert_refused(refused, "not done for a workspace on another machine", "http://127.0.0.1:1")
    assert not list(tmp_path.iterdir())


def test_a_workspace_that_is_not_there_is_made_by_the_command_that_is_named(
    rlft: Rlft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = rlft("-w", "a$(b) c", "runs", "list")
    assert_refused(refused, "Make one: rlft init 'a$(b) c'")
