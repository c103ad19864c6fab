"""What a run is watched by: curves, samples, output; and what people remark on it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from rlft_tui.runs.compare_runs import RunComparison, compare_runs
from rlft_tui.runs.imports.store_import import store_import
from rlft_tui.runs.log_page import read_page
from rlft_tui.runs.log_search import LogLevel, LogMatches, search_log
from rlft_tui.runs.run_status import LogPage, RunSummary, Sample, SampleHead, Series
from rlft_tui.server.replies import decode, reply
from rlft_tui.server.services import Content, ServicesOf
from rlft_tui.server.uploads import Upload

router = APIRouter()
_MOST_POINTS = 1_000_000


@router.get("/runs/{run_id}/series", response_model=list[Series])
def series(
    services: ServicesOf,
    run_id: str,
    keys: str = "",
    key: Annotated[list[str], Query()] = [],  # noqa: B006 - FastAPI reads it, nobody writes it
    points: Annotated[int, Query(ge=1, le=_MOST_POINTS)] = 500,
    low: int | None = None,
    high: int | None = None,
) -> Response:
    """``key``: one metric, may be repeated. ``keys``: several, separated by commas; none at all for all.

    ``/…/`` is a regular expression. ``low`` and ``high`` are the first and last step wanted.
    """
    named = [each for each in keys.split(",") if each] if not keys.startswith("/") else [keys]
    window = None if low is None or high is None else (low, high)
    return reply(
        services.supervisor.with_events(run_id, lambda run: run.curves.series([*named, *key], points, window))
    )


@router.get("/runs/{run_id}/samples", response_model=list[Sample])
def samples(
    services: ServicesOf, run_id: str, after_step: int = -1, step: int | None = None, index: int | None = None
) -> Response:
    """Later than a step; or of one step; or of one prompt at every step."""
    ask = services.supervisor.with_events
    if step is not None:
        return reply(ask(run_id, lambda run: run.samples.at(step)))
    if index is not None:
        return reply(ask(run_id, lambda run: run.samples.of_prompt(index)))
    return reply(ask(run_id, lambda run: run.samples.after(after_step)))


@router.get("/runs/{run_id}/samples/heads", response_model=list[SampleHead])
def sample_heads(services: ServicesOf, run_id: str, after_step: int = -(2**62), search: str = "") -> Response:
    """Samples without their texts; ``search`` looks at the texts."""
    ask = services.supervisor.with_events
    if search:
        return reply(ask(run_id, lambda run: run.samples.holding(search)))
    return reply(ask(run_id, lambda run: run.samples.heads(after_step)))


@router.get("/runs/{run_id}/log", response_model=LogPage)
def log(
    services: ServicesOf, run_id: str, start: int = -1, limit: Annotated[int, Query(ge=1)] = 65536
) -> Response:
    return reply(read_page(services.supervisor.folder(run_id).output, start, limit))


@router.get("/runs/{run_id}/log/lines", response_model=LogMatches)
def log_lines(
    services: ServicesOf,
    run_id: str,
    text: str = "",
    level: LogLevel = "",
    start: int = 0,
    backwards: bool = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Response:
    """Lines of the output that match; a long file takes several requests, each from ``searched`` on."""
    output = services.supervisor.folder(run_id).output
    return reply(search_log(output, text=text, level=level, start=start, backwards=backwards, limit=limit))


@router.get("/usage", response_model=list[Series])
def usage(services: ServicesOf) -> Response:
    """Processor, memory, disk and GPU of the machine and of active runs, by second."""
    return reply(services.usage.series())


@router.post("/runs/import", response_model=RunSummary)
def import_run(services: ServicesOf, upload: Upload) -> Response:
    """The body is what ``runs/imports/store_import.py`` writes: a description, then an event log."""
    run_id = store_import(services.workspace.runs, upload)
    services.supervisor.read_again(run_id)
    return reply(services.supervisor.summary(run_id))


@router.get("/runs/{run_id}/comparison", response_model=RunComparison)
def comparison(
    services: ServicesOf,
    run_id: str,
    other: Annotated[list[str], Query()] = [],  # noqa: B006 - FastAPI reads it, nobody writes it
) -> Response:
    """The run beside others: settings that differ, and their training data row by row."""
    runs, supervisor = [run_id, *other], services.supervisor
    specs = [supervisor.spec(each) for each in runs]
    return reply(compare_runs(specs, [supervisor.folder(each).dataset for each in runs]))


@router.post("/runs/{run_id}/remarks", response_model=RunSummary)
def remark(services: ServicesOf, run_id: str, content: Content) -> Response:
    """Any of tags, note, archived, seen, snoozed."""
    return reply(services.supervisor.remark(run_id, decode(content, dict[str, Any])))
