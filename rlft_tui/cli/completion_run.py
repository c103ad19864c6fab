"""What rlft generate asks of a run, and where its completions go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer

from rlft_tui.cli.session import Session
from rlft_tui.errors import ConflictError, NotFoundError, RlftError
from rlft_tui.record import Record


class Wanted(Record, frozen=True):
    """Where the completions go."""

    output: Path | None
    format: str
    stdout: bool
    replace: bool = False
    """Whether a file that is there may go."""


class Prompts(Record, frozen=True):
    """Which prompts are completed."""

    file: Path | None
    limit: int
    offset: int
    category: str


def start(
    session: Session,
    given: dict[str, Any],
    prompts: Prompts,
    wanted: Wanted,
    *,
    spec: Path | None,
    follow: bool,
    now: bool,
) -> None:
    """Launch the run; with --stdout wait for it and print what it wrote."""
    from rlft_tui.cli.generate_form import prompt_rows
    from rlft_tui.cli.run_progress import exit_code, finish_launch, follow_run

    values = launch_values(session, given, wanted, spec)
    with session.connect() as client:
        values["prompt_rows"] = prompt_rows(
            session,
            client,
            prompts.file,
            count=prompts.limit,
            offset=prompts.offset,
            category=prompts.category,
        )
        run = client.launch({**values, "now": now})
        if not wanted.stdout:
            finish_launch(session, client, run, follow=follow)
            return
        session.say(run.id)
        ended = follow_run(session, client, run.id)
    if ended.status != "finished":
        raise typer.Exit(exit_code(ended) or 1)
    print_completions(Path(ended.path), wanted.format or "jsonl")


def launch_values(
    session: Session, given: dict[str, Any], wanted: Wanted, spec: Path | None
) -> dict[str, Any]:
    """Checked launch values without the prompts; the model is the default one unless named."""
    from rlft_tui.cli.spec_flags import given_values
    from rlft_tui.ids import new_run_id
    from rlft_tui.runs.launch_values import check_values, layered
    from rlft_tui.runs.spec_toml import read_toml

    settings = session.settings()
    values = layered(
        "completions",
        file=read_toml(spec) if spec else None,
        file_name=str(spec or ""),
        flags=given_values("completions", given),
    )
    values.setdefault("id", new_run_id("completions"))
    values.setdefault("model", settings.default_model)
    values.setdefault("threads", settings.threads)
    if wanted.stdout and wanted.output:
        raise RlftError("--output and --stdout are two places", remedy="Give one of them")
    if wanted.stdout:
        session.own_workspace()
        _text_format(wanted.format)
    if wanted.output:
        values |= _output(session, wanted.output, wanted)
    check_values(values, where=str(spec) if spec else "rlft generate")
    return values


def write_from(session: Session, run_id: str, wanted: Wanted) -> None:
    """Write what a run has so far to a file or standard output."""
    from rlft_tui.runs.launcher import check_run_id

    check_run_id(run_id)
    folder = session.own_workspace().runs / run_id
    if not folder.is_dir():
        raise NotFoundError(f"no run {run_id!r}", remedy="rlft runs list")
    if wanted.output is None:
        if not wanted.stdout:
            raise RlftError(
                "where to?", where="rlft generate --from", remedy="Give --output FILE or --stdout"
            )
        print_completions(folder, _text_format(wanted.format))
        return
    place = _output(session, wanted.output, wanted)
    _run_writer(folder, place["output"], place["format"])
    session.show(place, place["output"])


def print_completions(folder: Path, form: str) -> None:
    """The run's completions on standard output, by prompt and index."""
    from rlft_tui.cli.session import write_data
    from rlft_tui.runs.run_folder import RunFolder
    from rlft_tui.runs.run_spec import read_spec
    from rlft_tui.runs.specs.completions import CompletionsSpec
    from rlft_tui.runs.specs.rewards import reward_names
    from rlft_tui.samples.completion import sorted_completions
    from rlft_tui.samples.completion_files import columns_of, pieces

    run = RunFolder(folder)
    spec = read_spec(run.spec)
    if not isinstance(spec, CompletionsSpec):
        raise RlftError(f"a {spec.method} run has no completions", where=run.id)
    if not run.completions.is_file():
        raise NotFoundError("no completions yet", where=run.id, remedy=f"rlft runs show {run.id}")
    columns = columns_of(reward_names(spec.rewards), candidates=spec.keep_all)
    found = sorted_completions(run.completions, _ranks(run.root / spec.prompts))
    for piece in pieces(found, form, columns):
        write_data(piece.decode())


def _ranks(prompts: Path) -> dict[str, int]:
    """Each prompt's place in the run's own file."""
    import json

    with prompts.open(encoding="utf-8") as stream:
        ids = [str(json.loads(line)["id"]) for line in stream if line.strip()]
    return {prompt: rank for rank, prompt in enumerate(dict.fromkeys(ids))}


def _text_format(form: str) -> str:
    from rlft_tui.samples.completion_files import format_of

    if format_of("", form or "jsonl") == "parquet":
        raise RlftError("Parquet is no text to print", where="--format", remedy="Name a file: --output FILE")
    return form or "jsonl"


def _output(session: Session, output: Path, wanted: Wanted) -> dict[str, str]:
    """Full path and format of the file, which can be written; RlftError says why not."""
    from rlft_tui.cli.label_export import refuse_own_files
    from rlft_tui.samples.completion_files import format_of

    workspace = session.own_workspace()
    path = Path(os.path.abspath(output.expanduser()))
    kind = format_of(path.name, wanted.format)
    if path.is_dir():
        raise RlftError("a folder, not a file", where=str(path), remedy="Name a file in it")
    if not path.parent.is_dir():
        raise NotFoundError("no such folder", where=str(path.parent), remedy="Make it first")
    if not os.access(path.parent, os.W_OK):
        raise RlftError("cannot be written to", where=str(path.parent), remedy="Name another folder")
    refuse_own_files(workspace, path)
    if path.exists() and not wanted.replace:
        raise ConflictError(
            "there is such a file already", where=str(path), remedy="Name another, or give --replace"
        )
    return {"output": str(path), "format": kind}


def _run_writer(folder: Path, output: str, form: str) -> None:
    """In a process of its own: Parquet needs packages of the training stack."""
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-P", "-m", "rlft_tui.jobs.completions_output", str(folder), output, form],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise RlftError(lines[-1])
