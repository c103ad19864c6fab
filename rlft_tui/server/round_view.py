"""Where the rounds stand: the database's rows joined with the runs that make their pairs."""

from __future__ import annotations

import duckdb
from msgspec.structs import replace

from rlft_tui.database.connection import Database
from rlft_tui.datasets.datasets_table import list_datasets
from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.evaluations.round_standing import RoundStanding, score, stage_of
from rlft_tui.evaluations.round_verdicts_table import RoundVerdicts, round_verdicts
from rlft_tui.models.name_hint import name_hint
from rlft_tui.models.round import Round, RoundKind
from rlft_tui.models.rounds_table import current_versions, last_decisions, list_rounds, pairs_runs
from rlft_tui.runs.run_status import ACTIVE, RunSummary
from rlft_tui.server.statistics_memo import StatisticsMemo
from rlft_tui.server.supervisor import Supervisor

_ENDED_BADLY = ("failed", "killed", "lost")


class RoundView:
    """Reads rounds. Safe to use from several threads."""

    def __init__(self, database: Database, supervisor: Supervisor, statistics: StatisticsMemo) -> None:
        self._database = database
        self._supervisor = supervisor
        self._statistics = statistics

    def standings(
        self, kind: RoundKind | None = None, *, may_be_late: bool = False, most: int = 0
    ) -> tuple[RoundStanding, ...]:
        """Newest first, ``most`` of them (0: all); ``may_be_late``: win rates may be some seconds old."""
        with self._database.reader() as connection:
            rounds = [one for one in list_rounds(connection) if kind in (None, one.kind)]
            rounds = rounds[:most] if most else rounds
            made_by = pairs_runs(connection)
            decided = last_decisions(connection)
            current = current_versions(connection)
            datasets = {one.hash: one for one in list_datasets(connection)}
        verdicts = self._verdicts(may_be_late) if made_by else {}
        found = []
        for one in rounds:
            seen = verdicts.get(one.id, RoundVerdicts())
            people = score(one.model, one.opponent, *seen.people)
            judges = score(one.model, one.opponent, *seen.judges) if any(seen.judges) else None
            decision = decided.get(one.id)
            runs = made_by.get(one.id, ())
            summaries = [] if decision else [self._run(run_id) for run_id in runs]
            generating = any(run is not None and run.status in ACTIVE for run in summaries)
            own = self._run(one.run_id) if one.run_id else None
            data = datasets.get(one.dataset)
            version = current.get(decision.policy if decision else one.policy)
            found.append(
                RoundStanding(
                    round=_troubled(one, seen, summaries),
                    stage=stage_of(
                        decision=decision.decision if decision else "",
                        trouble=one.trouble,
                        wanted=one.pairs > 0,
                        asked=bool(runs),
                        generating=generating,
                        people=people,
                        left=max(seen.pairs - seen.judged, 0),
                    ),
                    pairs=seen.pairs,
                    judged=seen.judged,
                    people=people,
                    judges=judges,
                    pairs_runs=runs,
                    method=own.method if own else "",
                    dataset_name=data.name if data else "",
                    dataset_rows=data.train_rows + data.heldout_rows if data else 0,
                    decided_at=decision.created_at if decision else 0.0,
                    decided_by=decision.labeler_id if decision else "",
                    decision_note=decision.note if decision else "",
                    is_current=version is not None and version.model == one.model,
                )
            )
        return tuple(found)

    def standing(self, round_id: str = "") -> RoundStanding:
        """By id or by the model's name; without one the newest that is undecided.

        NotFoundError names some that there are.
        """
        known = self.standings()
        if not round_id:
            rounds = [one for one in known if one.round.kind == "round"]
            chosen = next((one for one in rounds if one.is_open), None)
            if chosen is None:
                raise NotFoundError(
                    "no round waits for a decision",
                    remedy=f"Name one: {', '.join(one.round.id for one in rounds[:5])}"
                    if rounds
                    else "A training run begins one: rlft train dpo --preset quick",
                )
            return chosen
        for one in known:
            if round_id in (one.round.id, one.round.model):
                return one
        names = [one.round.id for one in known]
        raise NotFoundError(
            f"no round {round_id!r}",
            remedy=name_hint(round_id, names) if names else "A training run begins one",
        )

    def open_round(self) -> RoundStanding | None:
        """The newest training run's, when somebody is still to decide about it."""
        newest = next(iter(self.standings("round", may_be_late=True, most=1)), None)
        return newest if newest is not None and newest.is_open else None

    def _verdicts(self, may_be_late: bool) -> dict[str, RoundVerdicts]:
        def read(connection: duckdb.DuckDBPyConnection) -> dict[str, RoundVerdicts]:
            models = {one.id: one.model for one in list_rounds(connection)}
            return round_verdicts(connection, pairs_runs(connection), models)

        found: dict[str, RoundVerdicts] = self._statistics.answer("rounds", "", read, may_be_late=may_be_late)
        return found

    def _run(self, run_id: str) -> RunSummary | None:
        try:
            return self._supervisor.summary(run_id)
        except RlftError:
            return None


def _troubled(one: Round, seen: RoundVerdicts, runs: list[RunSummary | None]) -> Round:
    """With what went wrong with its generate run, where that left no pairs."""
    bad = next((run for run in runs if run is not None and run.status in _ENDED_BADLY), None)
    if one.trouble or seen.pairs or bad is None:
        return one
    return replace(one, trouble=f"{bad.id} {bad.status}: rlft runs show {bad.id}")
