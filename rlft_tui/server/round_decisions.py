"""Promote, reject, or go round again."""

from __future__ import annotations

import logging
import time

from msgspec.structs import replace

from rlft_tui.config import Settings
from rlft_tui.database.connection import Database
from rlft_tui.datasets.build_dataset import build_dataset
from rlft_tui.datasets.dataset import DatasetSpec
from rlft_tui.datasets.datasets_table import dataset_by_name, dataset_spec, list_datasets
from rlft_tui.errors import ConflictError, NotFoundError, RlftError
from rlft_tui.evaluations.round_standing import NextRound, RoundStanding, RoundVerdict
from rlft_tui.models.current_version import Pointer, check_policy_name, read_pointer, write_pointer
from rlft_tui.models.models_table import model_by_name
from rlft_tui.models.round import Decision
from rlft_tui.models.rounds_table import add_decision, current_versions, policy_of
from rlft_tui.paths import Workspace
from rlft_tui.server.round_view import RoundView

log = logging.getLogger("rlft.server.rounds")


class RoundDecisions:
    """Writes decisions and what follows from them."""

    def __init__(self, workspace: Workspace, settings: Settings, database: Database, view: RoundView) -> None:
        self._workspace = workspace
        self._settings = settings
        self._database = database
        self._view = view

    def refresh_pointers(self) -> None:
        """Write every policy's current version again: the workspace may have moved, or a server died."""
        with self._database.reader() as connection:
            current = current_versions(connection).values()
        for one in current:
            try:
                with self._database.reader() as connection:
                    model = model_by_name(connection, one.model)
                write_pointer(self._workspace.models, one.policy, model, one.promoted_at)
            except RlftError as error:
                log.warning("policy %s: %s", one.policy, error)

    def decide(self, round_id: str, verdict: RoundVerdict) -> Pointer | None:
        """Store a decision; a promotion moves the policy's pointer, which is given back.

        ConflictError for the rejection of a model that is the current version.
        """
        if verdict.decision not in ("promoted", "rejected"):
            raise RlftError(f"no decision {verdict.decision!r}", remedy="promoted or rejected")
        standing = self._view.standing(round_id)
        one = standing.round
        with self._database.reader() as connection:
            policy = verdict.policy or one.policy or policy_of(connection, one.model)
            current = current_versions(connection).get(policy)
        check_policy_name(policy)
        now = time.time()
        decision = Decision(
            id=verdict.id,
            round_id=one.id,
            decision="promoted" if verdict.decision == "promoted" else "rejected",
            policy=policy,
            model=one.model,
            labeler_id=verdict.labeler,
            note=verdict.note,
            created_at=now,
        )
        if decision.decision == "rejected":
            if current is not None and current.model == one.model:
                raise ConflictError(
                    f"{one.model} is the current version of {policy}",
                    where=one.id,
                    remedy="Promote another one first: rlft loop promote ROUND",
                )
            with self._database.write() as connection:
                add_decision(connection, decision)
            return None
        with self._database.write(checkpoint=True) as connection:
            model = model_by_name(connection, one.model)
            if model.kind == "reward":
                raise RlftError(f"{model.name} is a reward model: it is no policy's version", where=one.id)
            add_decision(connection, decision)
            return write_pointer(self._workspace.models, policy, model, now)

    def current(self, policy: str) -> Pointer:
        """NotFoundError when no model was promoted for it."""
        return read_pointer(self._workspace.models, policy)

    def next_round(self, round_id: str = "", name: str = "") -> NextRound:
        """Freeze today's labels as the last data set was frozen, and say what the next run begins with.

        Without a round it goes on from the newest one. A data set that came from a file is used again.
        """
        one = self._last(round_id)
        with self._database.reader() as connection:
            spec = dataset_spec(connection, one.round.dataset)
            known = list_datasets(connection)
            current = current_versions(connection).get(one.round.policy)
            before = [each.hash for each in known]
        if spec is not None and spec.source:
            with self._database.reader() as connection:
                dataset = dataset_by_name(connection, one.round.dataset)
        else:
            names = {each.name for each in known}
            free = (f"{one.round.policy or 'round'}-{at}" for at in range(2, len(names) + 3))
            wanted = name or next(each for each in free if each not in names)
            asked = replace(spec or DatasetSpec(), name=wanted)
            dataset = build_dataset(self._database, self._workspace, asked, now=time.time())
        return NextRound(
            round_id=one.round.id,
            model=current.model if current is not None else one.round.opponent,
            policy=one.round.policy,
            dataset=dataset,
            is_new=dataset.hash not in before,
            method=one.method or "dpo",
            clone=one.round.run_id if one.method else "",
        )

    def _last(self, round_id: str) -> RoundStanding:
        if round_id:
            return self._view.standing(round_id)
        newest = next(iter(self._view.standings("round")), None)
        if newest is None:
            raise NotFoundError("there is no round yet", remedy="A training run begins one: rlft train dpo")
        return newest
