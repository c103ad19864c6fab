"""Starting evaluations: every one that was asked for, or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rlft_tui.errors import RlftError

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient
    from rlft_tui.runs.run_status import RunSummary


def launch_evaluations(
    client: WorkspaceClient, values: Mapping[str, Any], asked: Iterable[tuple[str, str]]
) -> list[RunSummary]:
    """One run for each (suite, model), in that order; ``values``: more of each run's settings.

    RlftError when one is refused; those before it are stopped then.
    """
    from rlft_tui.ids import new_run_id

    launched: list[RunSummary] = []
    try:
        for suite, model in asked:
            own = {"method": "evaluate", "id": new_run_id("evaluate"), "suite": suite, "model": model}
            launched.append(client.launch({**values, **own}))
    except RlftError:
        for run in launched:
            client.stop(run.id)
        raise
    return launched
