"""rlft doctor"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.doctor.check import Check
from rlft_tui.cli.session import Session, beside

app = noun("doctor")


@command(app, "rlft doctor", "rlft doctor --deep --json")
def doctor(
    session: Session,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Also import torch, bitsandbytes and unsloth, each in its own process."),
    ] = False,
) -> None:
    """Tell what works on this machine, and the remedy for what does not.

    Nothing is started or changed. Exit code 1 when something that rlft needs does not
    work; missing optional things, such as a GPU or the training packages, are told only.
    """
    from rlft_tui.cli.doctor.workspace import ServerFacts, check_server, check_workspace

    found, workspace = check_workspace(session.folder)
    checks = [*_machine_checks(workspace.root if workspace else Path.cwd(), deep=deep), found]
    server = ServerFacts()
    if workspace is not None:
        more, server = check_server(workspace)
        checks += more
    ok = all(check.ok for check in checks if check.essential)
    session.show({"ok": ok, "checks": checks, "server": server}, lambda: _text(checks))
    if not ok:
        raise typer.Exit(1)


def _machine_checks(folder: Path, *, deep: bool) -> list[Check]:
    from rlft_tui.cli.doctor import machine, packages
    from rlft_tui.cli.doctor.workspace import check_models, check_sockets
    from rlft_tui.paths import cache_folder

    checks = [
        machine.check_python(),
        machine.check_platform(),
        machine.check_terminal(),
        machine.check_locale(),
        machine.check_tmux(),
        machine.check_disk("disk", folder),
        machine.check_disk("cache disk", cache_folder()),
        machine.check_gpu(),
        packages.check_dependencies(),
        *packages.check_training(deep=deep),
        check_sockets(),
        check_models(),
    ]
    return [check for check in checks if check is not None]


def _text(checks: list[Check]) -> str:
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        mark = "ok  " if check.ok else "FAIL" if check.essential else "-   "
        lines.append(beside(f"{mark}  {check.name:<{width}}  ", check.detail))
        if check.remedy:
            lines.append(beside(f"{'':6}{'':<{width}}  → ", check.remedy))
    return "\n".join(lines)
