"""Rounds and A/B tests: where they stand, their pairs, what is decided about them."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from msgspec import field

from rlft_tui.evaluations.round_standing import NextRound, RoundStanding, RoundVerdict
from rlft_tui.models.current_version import Pointer
from rlft_tui.models.round import Round
from rlft_tui.record import Record
from rlft_tui.server.replies import Sent, reply
from rlft_tui.server.services import ServicesOf

router = APIRouter()


class AbTest(Record, frozen=True):
    """Two models that are to answer the same prompts."""

    id: str
    """Made by the client."""
    model: str
    opponent: str
    pairs: int
    prompt_rows: list[dict[str, Any]] = field(default_factory=list)
    """GenerationPrompt values; none for the workspace's prompts."""
    sampling: dict[str, Any] = field(default_factory=dict)


@router.get("/rounds", response_model=list[RoundStanding])
def list_rounds(services: ServicesOf, which: str = "") -> Response:
    """Newest first; ``which``: round (of a training run) or ab, else both."""
    chosen = {"round": "round", "ab": "ab"}.get(which)
    return reply(services.round_view.standings(chosen))  # type: ignore[arg-type]


@router.get("/rounds/{round_id:path}/standing", response_model=RoundStanding)
def show(services: ServicesOf, round_id: str) -> Response:
    return reply(services.round_view.standing(round_id))


@router.get("/rounds/open", response_model=RoundStanding)
def waiting(services: ServicesOf) -> Response:
    """The newest round that waits for a decision; 404 when none does."""
    return reply(services.round_view.standing())


@router.post("/rounds/{round_id:path}/pairs", response_model=RoundStanding)
def more_pairs(services: ServicesOf, round_id: str, count: int) -> Response:
    one = services.round_view.standing(round_id)
    services.round_pairs.more(one.round.id, count)
    return reply(services.round_view.standing(one.round.id))


@router.post("/rounds/{round_id:path}/decision", response_model=RoundStanding)
def decide(services: ServicesOf, round_id: str, verdict: Sent[RoundVerdict]) -> Response:
    one = services.round_view.standing(round_id)
    services.round_decisions.decide(one.round.id, verdict)
    return reply(services.round_view.standing(one.round.id))


@router.post("/rounds/next", response_model=NextRound)
def next_round(services: ServicesOf, round_id: str = "", name: str = "") -> Response:
    """Build the next data set and say with what the next run begins."""
    return reply(services.round_decisions.next_round(round_id, name))


@router.post("/ab-tests", response_model=RoundStanding)
def begin_test(services: ServicesOf, asked: Sent[AbTest]) -> Response:
    one = Round(asked.id, "ab", asked.model, asked.opponent, created_at=time.time())
    services.round_pairs.compare(one, asked.prompt_rows, asked.pairs, asked.sampling)
    return reply(services.round_view.standing(one.id))


@router.get("/policies/{policy}/current", response_model=Pointer)
def current(services: ServicesOf, policy: str) -> Response:
    """The model that was promoted last."""
    return reply(services.round_decisions.current(policy))
