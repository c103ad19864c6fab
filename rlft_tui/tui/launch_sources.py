"""What the launch form chooses from: models, data sets, the machine, the run to be cloned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlft_tui.errors import RlftError
from rlft_tui.record import Record
from rlft_tui.tui import run_text

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient
    from rlft_tui.datasets.dataset import Dataset
    from rlft_tui.models.model import Model
    from rlft_tui.runs.machine import Machine
    from rlft_tui.runs.spec_fields import SpecField

PAGE = 1000
_WIDTH = 22
"""Cells of a name in a list of the form."""


class Sources(Record, frozen=True):
    """As the server told them when the form was opened."""

    models: tuple[Model, ...] = ()
    datasets: tuple[Dataset, ...] = ()
    """Newest first."""
    machine: Machine | None = None
    clone: dict[str, Any] | None = None
    """The spec of the run that was asked for."""

    def names(self, method: str, field: SpecField) -> tuple[str, ...]:
        """What can stand in this field."""
        return tuple(value for _, value in self.choices(method, field))

    def choices(self, method: str, field: SpecField) -> tuple[tuple[str, str], ...]:
        """Label and value of each model, or of each data set that the method can be trained on."""
        if field.kind == "dataset":
            return tuple((_dataset_label(each), each.hash) for each in self._fitting(method))
        return tuple(
            (run_text.cut(run_text.plain(each.name), _WIDTH), each.name)
            for each in self.models
            if each.kind != "reward"
        )

    def first(self, method: str, field: SpecField, default_model: str) -> str:
        """What is suggested: the newest data set; the default model, else a base, else any."""
        if field.kind == "dataset":
            return next((each.hash for each in self._fitting(method)), "")
        usable = [each for each in self.models if each.kind != "reward"]
        ranked = sorted(usable, key=lambda each: (each.name != default_model, each.kind != "base"))
        return ranked[0].name if ranked else ""

    def lack(self, method: str) -> str:
        """What has to be there before this method can be launched; empty when nothing is missing."""
        if method == "generate" or self._fitting(method):
            return ""
        from rlft_tui.datasets.derive import kinds_for

        kinds = kinds_for(method)
        if "preference" in kinds:
            return "No data set yet: label some pairs, then rlft data build"
        return f"No {kinds[0]} data yet: rlft data build --kind {kinds[0]}"

    def _fitting(self, method: str) -> list[Dataset]:
        from rlft_tui.datasets.derive import kinds_for

        kinds = kinds_for(method)
        return [each for each in self.datasets if each.kind in kinds]


def read_sources(client: WorkspaceClient, clone: str = "") -> Sources:
    """Ask the server; ``clone`` is the id of a run."""
    datasets = sorted(client.datasets(), key=lambda each: -each.created_at)
    spec = client.run_spec(clone) if clone else None
    return Sources(client.models(), tuple(datasets), client.machine(), spec)


def prompt_rows(client: WorkspaceClient, count: int) -> list[dict[str, Any]]:
    """The first ``count`` prompts of the store as a generate run takes them."""
    rows: list[dict[str, Any]] = []
    while len(rows) < count:
        limit = min(PAGE, count - len(rows))
        prompts = client.prompts(offset=len(rows), limit=limit).prompts
        rows += [
            {
                "id": each.id,
                "prompt": each.prompt,
                "context": [{"role": turn.role, "content": turn.content} for turn in each.context],
                "category": each.category,
            }
            for each in prompts
        ]
        if len(prompts) < limit:
            break
    if not rows:
        raise RlftError("there are no prompts yet", remedy="rlft prompts import FILE brings some in")
    return rows


def _dataset_label(dataset: Dataset) -> str:
    name = run_text.plain(dataset.name)
    return run_text.cut(f"{name} {dataset.hash[:6]}", _WIDTH) if name else dataset.hash
