"""The policy training service: scores in, versions of a policy out. Its errors are ``{"detail": …}``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel

from rlft_tui.server import policy_service
from rlft_tui.server.policy_shapes import (
    DryRunAnswer,
    GivenFeedback,
    PolicyVersion,
    Refusal,
    StartedAnswer,
    StoredFeedback,
    TrainedAnswer,
    TrainRequest,
)
from rlft_tui.server.remote_access import OUTSIDE
from rlft_tui.server.replies import reply
from rlft_tui.server.services import ServicesOf

POLICIES = "/api/policies"
_LOOK_SECONDS = 0.25
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal},
    404: {"model": Refusal},
    409: {"model": Refusal},
}

router = APIRouter(tags=["policies"], responses=_REFUSALS)


@router.post("/feedback/{agent}", response_model=StoredFeedback)
def feedback(services: ServicesOf, agent: str, given: GivenFeedback) -> Response:
    """Store a score from 0 to 1 for an answer, as feedback for the policy AGENT."""
    return _reply(policy_service.add_feedback(services, agent, given))


@router.post("/train_policy/{agent}", response_model=DryRunAnswer | StartedAnswer | TrainedAnswer)
async def train_policy(
    services: ServicesOf, request: Request, agent: str, asked: TrainRequest, wait: bool | None = None
) -> Response:
    """Train AGENT on its scores (ten at least): a reward model, then PPO against it.

    Answers when the new version is there; with ``wait`` false at once, with the run's id. A caller that
    hangs up ends nothing.
    """
    outside = bool(request.scope.get(OUTSIDE))
    if asked.dry_run:
        return _reply(
            await run_in_threadpool(policy_service.dry_run, services, agent, asked, outside=outside)
        )
    training = await run_in_threadpool(policy_service.start, services, agent, asked, outside=outside)
    if wait is False or (wait is None and not asked.wait):
        return _reply(
            StartedAnswer(
                run_id=training.runs.ppo_id,
                reward_run_id=training.runs.reward_id,
                feedback_count=training.feedback_count,
            )
        )
    while (made := await run_in_threadpool(policy_service.outcome, services, training)) is None:
        if await request.is_disconnected():
            return Response(status_code=204)
        await asyncio.sleep(_LOOK_SECONDS)
    return _reply(made)


@router.get("/{agent}", response_model=list[PolicyVersion])
def versions(services: ServicesOf, agent: str) -> Response:
    """The versions of AGENT with their metrics, oldest first."""
    return _reply(policy_service.versions(services, agent))


def _reply(answer: BaseModel | Sequence[BaseModel]) -> Response:
    if isinstance(answer, BaseModel):
        return reply(answer.model_dump(by_alias=True))
    return reply([one.model_dump(by_alias=True) for one in answer])
