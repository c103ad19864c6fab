"""What rlft pairs generate asks of a run: its flags, its values and its prompts."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlft_tui.errors import NotFoundError, RlftError

if TYPE_CHECKING:
    from rlft_tui.cli.session import Session
    from rlft_tui.client.workspace_client import WorkspaceClient
    from rlft_tui.prompts.prompt import Prompt

_PAGE = 1000


def generate_flags() -> list[inspect.Parameter]:
    """Flags from GenerateSpec; the prompts come from --prompts or the workspace."""
    from rlft_tui.cli.spec_flags import parameters

    return parameters("generate")


def of_both_sides(given: dict[str, Any], **common: Any) -> dict[str, Any]:
    """The flags with those given for both sides at once; one of a side's own goes before them."""
    both = {
        f"sampling_{side}__{name}": value
        for side in "ab"
        for name, value in common.items()
        if value is not None
    }
    return both | {name: value for name, value in given.items() if value is not None}


def generate_values(
    spec: Path | None, given: dict[str, Any], *, default_model: str, threads: int
) -> dict[str, Any]:
    """Checked launch values without the prompts; both sides default to the default model."""
    from rlft_tui.cli.spec_flags import given_values
    from rlft_tui.ids import new_run_id
    from rlft_tui.runs.launch_values import check_values, layered
    from rlft_tui.runs.spec_toml import read_toml

    file = read_toml(spec) if spec else None
    values = layered("generate", file=file, file_name=str(spec or ""), flags=given_values("generate", given))
    values.setdefault("id", new_run_id("generate"))
    values.setdefault("model_a", default_model)
    values.setdefault("model_b", values["model_a"])
    values.setdefault("threads", threads)
    check_values(values, where=str(spec) if spec else "rlft pairs generate")
    return values


def prompt_rows(
    session: Session,
    client: WorkspaceClient,
    file: Path | None,
    *,
    count: int,
    offset: int,
    category: str,
) -> list[dict[str, Any]]:
    """The prompts to answer as GenerationPrompt values: a file's, or the workspace's."""
    if file is None:
        prompts = _stored(client, count=count, offset=offset, category=category)
    else:
        prompts = [p for p in _from_file(session, file) if not category or p.category == category]
        prompts = prompts[offset : offset + count if count else None]
    if not prompts:
        raise NotFoundError(
            "no prompts to answer",
            where=str(file) if file else "workspace",
            remedy="Import some: rlft prompts import FILE, or name a file: --prompts FILE",
        )
    return [
        {
            "id": prompt.id,
            "prompt": prompt.prompt,
            "context": [{"role": turn.role, "content": turn.content} for turn in prompt.context],
            "category": prompt.category,
        }
        for prompt in prompts
    ]


def _stored(client: WorkspaceClient, *, count: int, offset: int, category: str) -> list[Prompt]:
    prompts: list[Prompt] = []
    while not count or len(prompts) < count:
        limit = min(_PAGE, count - len(prompts)) if count else _PAGE
        page = client.prompts(offset=offset + len(prompts), limit=limit, category=category).prompts
        prompts += page
        if len(page) < limit:
            break
    return prompts


def _from_file(session: Session, file: Path) -> list[Prompt]:
    """Each prompt of the file once; its bad lines are told and left out."""
    import time

    from rlft_tui.prompts.import_prompts import PromptRow, read_prompts

    if not file.exists():
        raise NotFoundError("no such file", where=str(file), remedy="Check the name")
    if file.is_dir():
        raise RlftError("a folder, not a file", where=str(file), remedy="Name one file")
    found: dict[str, Prompt] = {}
    for row in read_prompts(file.name, file, now=time.time()):
        if isinstance(row, PromptRow):
            found.setdefault(row.prompt.id, row.prompt)
        else:
            session.say(f"line {row.line}: left out: {row.reason}")
    return list(found.values())
