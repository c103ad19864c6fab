"""After a training run: its result and what it would replace answer the same unseen prompts.

The pairs are made by an ordinary generate run that waits in line. Which round a run begins is written in
the database together with its result, so a server that dies in between asks for the pairs at its next start.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import duckdb

from rlft_tui.database.connection import Database
from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.models.models_table import model_by_name
from rlft_tui.models.round import Round
from rlft_tui.models.rounds_table import (
    add_pairs_run,
    add_round,
    pairs_runs,
    round_by_id,
    rounds_due,
    set_trouble,
)
from rlft_tui.paths import Workspace
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import PolicySpec, read_spec
from rlft_tui.server.model_sources import resolve_model
from rlft_tui.server.round_prompts import stored_prompts, unseen_prompts, used_prompts
from rlft_tui.server.supervisor import Supervisor

log = logging.getLogger("rlft.server.rounds")

LONGEST_STEM = 66
"""Characters of a round's id in the ids of its generate runs, which may have eighty."""
MOST_PAIRS = 10_000


class RoundPairs:
    """Asks for the pairs of rounds. Safe to use from several threads."""

    def __init__(self, workspace: Workspace, database: Database, supervisor: Supervisor) -> None:
        self._workspace = workspace
        self._database = database
        self._supervisor = supervisor
        supervisor.after_training(self.queue_due)

    def queue_due(self) -> None:
        """Ask for the pairs of every round that has none yet; why one cannot have any is kept with it."""
        with self._database.reader() as connection:
            due = rounds_due(connection)
        for one in due:
            try:
                self._queue(one, one.pairs)
            except RlftError as error:
                log.warning("round %s: no pairs: %s", one.id, error)
                with self._database.write() as connection:
                    set_trouble(connection, one.id, str(error))

    def more(self, round_id: str, count: int) -> str:
        """Ask for further pairs on prompts that did not come yet; id of the generate run."""
        _check_count(count)
        with self._database.reader() as connection:
            one = round_by_id(connection, round_id)
        run_id = self._queue(one, count)
        if one.trouble:
            with self._database.write() as connection:
                set_trouble(connection, one.id, "")
        return run_id

    def compare(
        self, one: Round, rows: list[dict[str, Any]], count: int, sampling: dict[str, Any] | None = None
    ) -> str:
        """An A/B test of two models on these prompts, or the workspace's; id of the generate run.

        Safe to repeat with the same id.
        """
        _check_count(count)
        with self._database.reader() as connection:
            if one.model == one.opponent:
                raise RlftError("a model cannot be tested against itself", where=one.model)
            sources = [resolve_model(connection, name) for name in (one.opponent, one.model)]
            rows = rows[:count] if rows else stored_prompts(connection, count)
        with self._database.write() as connection:
            stored = add_round(connection, one)
        # pairs = 0 in the row: what was asked for by hand is not asked for again by itself
        return self._launch(stored, 1, rows, [source.model_dump() for source in sources], sampling or {})

    def _queue(self, one: Round, count: int) -> str:
        with self._database.reader() as connection:
            before = pairs_runs(connection).get(one.id, ())
            folder, spec = self._training_run(one)
            models = [self._source(connection, one, name, folder, spec) for name in (one.opponent, one.model)]
            rows = unseen_prompts(
                connection,
                folder.dataset if folder is not None and folder.dataset.is_dir() else None,
                one.model,
                count,
                seed=one.id,
                used=used_prompts(self._workspace.runs, before),
            )
        settings: dict[str, Any] = {}
        if spec is not None:
            settings = {"temperature": spec.round.temperature, "max_new_tokens": spec.round.max_new_tokens}
        return self._launch(one, len(before) + 1, rows, models, settings, spec)

    def _launch(
        self,
        one: Round,
        number: int,
        rows: list[dict[str, Any]],
        models: list[dict[str, Any]],
        sampling: dict[str, Any],
        spec: PolicySpec | None = None,
    ) -> str:
        run_id = f"{one.id[:LONGEST_STEM]}-pairs" + (f"-{number}" if number > 1 else "")
        if not (self._workspace.runs / run_id).exists():
            machine = (
                {name: getattr(spec, name) for name in ("precision", "device", "threads")} if spec else {}
            )
            self._supervisor.launch(
                {
                    "id": run_id,
                    "method": "generate",
                    "model_a": models[0],
                    "model_b": models[1],
                    "sampling_a": sampling,
                    "sampling_b": sampling,
                    "prompt_rows": rows,
                    **machine,
                }
            )
        with self._database.write() as connection:
            add_pairs_run(connection, one.id, run_id, time.time())
        return run_id

    def _training_run(self, one: Round) -> tuple[RunFolder | None, PolicySpec | None]:
        """Folder and spec of the run that made the round's model, while it is there."""
        if not one.run_id:
            return None, None
        try:
            folder = self._supervisor.folder(one.run_id)
        except NotFoundError:
            return None, None
        spec = read_spec(folder.spec)
        return folder, spec if isinstance(spec, PolicySpec) else None

    def _source(
        self,
        connection: duckdb.DuckDBPyConnection,
        one: Round,
        name: str,
        folder: RunFolder | None,
        spec: PolicySpec | None,
    ) -> dict[str, Any]:
        """A model as the job loads it. What the run made is taken as the adapter, also where it was published
        as a whole version: then both answers need one base in memory.
        """
        if spec is not None and folder is not None:
            if name == spec.model.name:
                return spec.model.model_dump()
            if name == one.model and (folder.model / "adapter_config.json").is_file():
                return {"name": name, "path": spec.model.path, "adapter": str(folder.model)}
        model_by_name(connection, name)
        return resolve_model(connection, name).model_dump()


def _check_count(count: int) -> None:
    if not 1 <= count <= MOST_PAIRS:
        raise RlftError(f"{count} pairs cannot be asked for", remedy=f"Ask for 1 to {MOST_PAIRS:,}")
