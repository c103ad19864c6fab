"""The API: one router a noun, all under /api/v1; the policy service under /api/policies, chat at /v1."""

from __future__ import annotations

import asyncio

from fastapi import Depends, FastAPI, Request

from rlft_tui.server import (
    backup_routes,
    dataset_routes,
    docs_routes,
    estimate_routes,
    evaluation_routes,
    export_routes,
    feedback_routes,
    health_routes,
    home_routes,
    inference_routes,
    judge_routes,
    label_routes,
    machine_routes,
    model_export_routes,
    model_routes,
    openai_routes,
    pair_routes,
    policy_routes,
    prompt_routes,
    queue_routes,
    ranking_routes,
    registry_routes,
    remote_routes,
    round_routes,
    run_routes,
    statistics_routes,
    tune_routes,
    watch_routes,
)
from rlft_tui.server.body_limit import BodyLimit
from rlft_tui.server.replies import add_error_replies
from rlft_tui.server.services import Services, services_of
from rlft_tui.version import VERSION

API = "/api/v1"
_NOUNS = (
    health_routes,
    home_routes,
    prompt_routes,
    queue_routes,
    pair_routes,
    export_routes,
    label_routes,
    judge_routes,
    feedback_routes,
    ranking_routes,
    dataset_routes,
    model_routes,
    model_export_routes,
    registry_routes,
    machine_routes,
    run_routes,
    round_routes,
    estimate_routes,
    watch_routes,
    evaluation_routes,
    inference_routes,
    backup_routes,
    remote_routes,
    statistics_routes,
    tune_routes,
)


async def refuse_writes_into_a_ghost(request: Request) -> None:
    """Nothing is stored once the workspace folder is not the one that was opened."""
    if request.method != "GET" and request.url.path != f"{API}/shutdown":
        services_of(request).guard.check()


def create_app(services: Services) -> FastAPI:
    """The application over one open workspace."""
    app = FastAPI(
        title="rlft workspace server",
        version=VERSION,
        strict_content_type=False,
        # FastAPI's own pages load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(refuse_writes_into_a_ghost)],
    )
    app.state.services = services
    add_error_replies(app)
    for routes in _NOUNS:
        app.include_router(routes.router, prefix=API)
    app.include_router(policy_routes.router, prefix=policy_routes.POLICIES)
    app.include_router(openai_routes.router)
    app.include_router(docs_routes.router)
    app.add_middleware(BodyLimit)
    return app


async def make_routes(app: FastAPI, after: float = 1.0) -> None:
    """Have every router make its routes, while requests are answered in between.

    FastAPI leaves that to the first request that comes past them: 0.15 s for somebody who waits.
    It begins ``after`` so many seconds: whoever started the server wants only a few of them, at once.
    """
    await asyncio.sleep(after)
    passing = {"type": "http", "method": "GET", "path": "/-", "root_path": "", "headers": []}
    for route in app.routes:
        route.matches(passing)
        await asyncio.sleep(0)
