"""rlft train dpo"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.options import Follow, SpecFile
from rlft_tui.cli.session import Session
from rlft_tui.cli.spec_flags import check_values, collect, parameters, spec_flags
from rlft_tui.runs.specs.dpo import DpoSpec

app = noun("train")

_DPO_FLAGS = spec_flags(DpoSpec)


@app.callback()
def _train() -> None:
    """Keeps ``dpo`` a command of ``train`` while it is the only one."""


@command(
    app,
    "rlft train dpo --follow",
    "rlft train dpo --dataset first-round --max-steps 80 --lora-r 32",
    "rlft train dpo --spec dpo.toml --seed 1 --dry-run",
    more=parameters(_DPO_FLAGS),
)
def dpo(
    session: Session,
    spec: SpecFile = None,
    follow: Follow = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check and print the spec; start nothing.")
    ] = False,
    **given: Any,
) -> None:
    """Train by direct preference optimisation (Rafailov et al. 2023) with LoRA, as a run of its own.

    Prints the run's id first. The run goes on when this command, the workbench or the
    connection ends. --model defaults to the workspace's default model, --dataset to the newest.
    """
    from rlft_tui.cli.run_progress import finish_launch
    from rlft_tui.ids import new_run_id

    settings = session.settings()
    values = collect("dpo", _DPO_FLAGS, given, spec)
    values.setdefault("model", settings.default_model)
    values.setdefault("dataset", "latest")
    values.setdefault("threads", settings.threads)
    values.setdefault("id", new_run_id("dpo"))
    check_values(values, models=("model",), where=str(spec) if spec else "rlft train dpo")
    if dry_run:
        import tomli_w

        session.show(values, tomli_w.dumps(values).rstrip())
        return
    with session.connect() as client:
        run = client.launch(values)
        finish_launch(session, client, run, follow=follow)
