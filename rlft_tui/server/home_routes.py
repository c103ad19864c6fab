"""The first screen's answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastapi import APIRouter
from fastapi.responses import Response

from rlft_tui.datasets.datasets_table import list_datasets
from rlft_tui.labels.preferences_table import count_current, count_standing
from rlft_tui.models.models_table import list_models
from rlft_tui.pairs.pairs_table import count_pairs
from rlft_tui.prompts.prompts_table import count_prompts
from rlft_tui.runs.run_status import ACTIVE, RunSummary
from rlft_tui.server.answers import Home, Totals
from rlft_tui.server.replies import reply
from rlft_tui.server.services import ServicesOf
from rlft_tui.server.statistics_routes import separations_now

router = APIRouter()
_ENDED_RUNS = 20


@router.get("/home", response_model=Home)
def home(services: ServicesOf, labeler: str) -> Response:
    """``labels`` counts the current verdicts of all people, ``unlabelled`` what is left for ``labeler``."""
    progress = services.labels.progress(labeler)
    apart = services.statistics.answer("separations", "", separations_now, may_be_late=True)
    waiting = services.round_view.open_round()
    runs = services.supervisor.summaries()
    with services.database.reader() as connection:
        datasets = list_datasets(connection)
        frozen = (one.created_at for one in datasets if not one.source and one.kind != "prompts")
        since = next(frozen, 0.0)
    labels, labels_since, judged = services.statistics.answer(
        "current", str(since), lambda connection: count_current(connection, since)
    )
    with services.database.reader() as connection:
        answer = Home(
            pairs=count_pairs(connection),
            prompts=count_prompts(connection),
            labels=labels,
            labels_since_dataset=labels_since,
            labels_by_judges=judged,
            unlabelled=progress.remaining,
            datasets=datasets,
            runs=tuple(_worth_showing(runs)),
            run_count=len(runs),
            models=list_models(connection),
            warnings=tuple(services.warnings),
            separation=next(iter(apart), None),
            round=waiting,
        )
    return reply(answer)


@router.get("/totals", response_model=Totals)
def totals(services: ServicesOf) -> Response:
    """The sizes of the tables, without what else ``/home`` has to find out."""
    labels = services.statistics.answer("standing", "", count_standing)
    with services.database.reader() as connection:
        answer = Totals(
            prompts=count_prompts(connection),
            pairs=count_pairs(connection),
            labels=labels,
            datasets=len(list_datasets(connection)),
        )
    return reply(answer)


def _worth_showing(runs: Sequence[RunSummary]) -> Iterator[RunSummary]:
    ended = 0
    for run in runs:
        if run.status in ACTIVE:
            yield run
        elif not run.archived and ended < _ENDED_RUNS:
            ended += 1
            yield run
