"""Evaluations: suites, figures, changes against a baseline, and single items."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from rlft_tui.errors import NotFoundError
from rlft_tui.evaluations import evaluations_table
from rlft_tui.evaluations.evaluation import Evaluation, Item, ItemPage, MetricChange, PairPage
from rlft_tui.evaluations.item_log import ITEMS, page_items, page_pairs, read_items
from rlft_tui.evaluations.paired import changes
from rlft_tui.evaluations.suites.read_suite import list_suites
from rlft_tui.evaluations.suites.suite_info import SuiteInfo
from rlft_tui.models.name_hint import name_hint
from rlft_tui.record import Record
from rlft_tui.server.paging import Offset, PageLimit
from rlft_tui.server.replies import Sent, reply
from rlft_tui.server.services import Services, ServicesOf
from rlft_tui.server.short_job import answer_of

router = APIRouter()


class ToWeigh(Record, frozen=True):
    """Answers whose surprise is asked for."""

    model: str
    """Name of the model that is asked."""
    rows: list[tuple[list[dict[str, str]], str]]
    """Messages up to the answer, and the answer."""


@router.get("/evaluations", response_model=list[Evaluation])
def evaluations(services: ServicesOf, model: str = "", suite: str = "", latest: bool = True) -> Response:
    """``latest``: only the newest of each model, suite, task and metric."""
    with services.database.reader() as connection:
        return reply(evaluations_table.list_evaluations(connection, model=model, suite=suite, latest=latest))


@router.get("/evaluations/suites", response_model=list[SuiteInfo])
def suites(services: ServicesOf) -> Response:
    return reply(list_suites(services.workspace.root))


@router.get("/evaluations/changes", response_model=list[MetricChange])
def changed(services: ServicesOf, model: str, against: str, suite: str = "") -> Response:
    """Each metric that both models have of the same items and settings; Holm's correction is over all."""
    return reply(changes_of(services, model, against, suite))


@router.get("/evaluations/pairs", response_model=PairPage)
def pairs(
    services: ServicesOf,
    model: str,
    against: str,
    task: str,
    suite: str = "",
    offset: Offset = 0,
    limit: PageLimit = 100,
    differing: bool = False,
) -> Response:
    """What two models said to the same items of a task; ``differing``: only where the scores differ."""
    own, base = (_of_task(services, name, task, suite) for name in (model, against))
    runs = services.workspace.runs
    return reply(
        page_pairs(
            runs / own.run_id / ITEMS,
            runs / base.run_id / ITEMS,
            task=task,
            offset=offset,
            limit=limit,
            differing=differing,
        )
    )


@router.get("/evaluations/{run_id}/items", response_model=ItemPage)
def items(
    services: ServicesOf,
    run_id: str,
    task: str = "",
    offset: Offset = 0,
    limit: PageLimit = 100,
    search: str = "",
    wrong: bool = False,
) -> Response:
    """Items of a run, while it goes on too; ``wrong``: what scored 0 or could not be judged."""
    folder = services.supervisor.folder(run_id)
    return reply(
        page_items(folder.root / ITEMS, task=task, offset=offset, limit=limit, search=search, wrong=wrong)
    )


@router.post("/models/nats", response_model=list[tuple[float, int]])
def answer_nats(services: ServicesOf, asked: Sent[ToWeigh]) -> Response:
    """-log p of each answer under a model, in nats, and its tokens."""
    import json

    from rlft_tui.server.model_sources import resolve_model

    with services.database.reader() as connection:
        source = resolve_model(connection, asked.model)
    lines = "".join(json.dumps([messages, answer]) + "\n" for messages, answer in asked.rows)
    places = (source.path, source.adapter) if source.adapter else (source.path,)
    printed = answer_of("answer_nats", *places, stdin=lines)
    return reply([json.loads(line) for line in printed.splitlines()])


def changes_of(services: Services, model: str, against: str, suite: str = "") -> list[MetricChange]:
    """Model against baseline, over the items of the newest runs of both."""
    own, base = (_by_metric(services, name, suite) for name in (model, against))
    shared = [key for key in own if key in base and own[key].settings == base[key].settings]
    cache: dict[tuple[str, str], list[Item]] = {}

    def read(one: Evaluation) -> list[Item]:
        key = (one.run_id, one.task)
        if key not in cache:
            cache[key] = list(read_items(services.workspace.runs / one.run_id / ITEMS, task=one.task))
        return cache[key]

    return changes(
        [(own[key], base[key]) for key in shared], [(read(own[key]), read(base[key])) for key in shared]
    )


def _by_metric(services: Services, model: str, suite: str) -> dict[tuple[str, str, str], Evaluation]:
    with services.database.reader() as connection:
        found = evaluations_table.list_evaluations(connection, model=model, suite=suite)
        if not found:
            every = evaluations_table.list_evaluations(connection, suite=suite)
            known = sorted({one.model for one in every})
            where = f"suite {suite}" if suite else ""
            remedy = name_hint(model, known) if known else f"Evaluate it: rlft eval run SUITE --model {model}"
            raise NotFoundError(f"no evaluation of a model called {model!r}", where=where, remedy=remedy)
    return {(one.suite, one.task, one.metric): one for one in found}


def _of_task(services: Services, model: str, task: str, suite: str) -> Evaluation:
    found = [one for one in _by_metric(services, model, suite).values() if one.task == task]
    if not found:
        raise NotFoundError(f"{model} was not measured on a task called {task!r}")
    return max(found, key=lambda one: one.created_at)
