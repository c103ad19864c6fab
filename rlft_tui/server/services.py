"""What the routes work with: one set for the life of the server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from rlft_tui.config import Settings
from rlft_tui.database.connection import Database
from rlft_tui.labels.label_book import LabelBook
from rlft_tui.labels.rank_book import RankBook
from rlft_tui.labels.score_book import ScoreBook
from rlft_tui.paths import Workspace, shipped
from rlft_tui.server.dry_runs import DryRuns
from rlft_tui.server.inference import Inference
from rlft_tui.server.judge_launch import JudgeLauncher
from rlft_tui.server.lifecycle import WorkspaceGuard
from rlft_tui.server.registry import Registry
from rlft_tui.server.remote_listener import RemoteListener
from rlft_tui.server.round_decisions import RoundDecisions
from rlft_tui.server.round_view import RoundView
from rlft_tui.server.rounds import RoundPairs
from rlft_tui.server.statistics_memo import StatisticsMemo
from rlft_tui.server.supervisor import Supervisor
from rlft_tui.server.tuner import Tuner
from rlft_tui.server.usage_history import UsageHistory


@dataclass(slots=True)
class Services:
    """Held in ``app.state.services``."""

    workspace: Workspace
    settings: Settings
    database: Database
    labels: LabelBook
    scores: ScoreBook
    rankings: RankBook
    guard: WorkspaceGuard
    started: float
    """Unix seconds."""
    socket: str
    supervisor: Supervisor
    inference: Inference
    warnings: list[str] = field(default_factory=list)
    statistics: StatisticsMemo = field(init=False)
    dry_runs: DryRuns = field(init=False)
    usage: UsageHistory = field(init=False)
    """What machine and runs use."""
    round_pairs: RoundPairs = field(init=False)
    round_view: RoundView = field(init=False)
    round_decisions: RoundDecisions = field(init=False)
    registry: Registry = field(init=False)
    judges: JudgeLauncher = field(init=False)
    tuner: Tuner = field(init=False)
    remote: RemoteListener | None = None
    """The TCP port, closed until somebody asks for it."""
    end: Callable[[str], None] = lambda reason: None
    """Ends the server after the requests under way; takes the reason for the log."""

    def __post_init__(self) -> None:
        self.statistics = StatisticsMemo(self.database)
        self.judges = JudgeLauncher(
            self.workspace, self.settings, self.database, self.supervisor, shipped("rubrics")
        )
        self.tuner = Tuner(self.workspace.studies, self.supervisor, self.settings.default_model)
        self.usage = UsageHistory(self.workspace.root, self.supervisor.job_pids)
        self.dry_runs = DryRuns(self.workspace, self.settings, self.database, self.supervisor)
        self.round_pairs = RoundPairs(self.workspace, self.database, self.supervisor)
        self.round_view = RoundView(self.database, self.supervisor, self.statistics)
        self.round_decisions = RoundDecisions(self.workspace, self.settings, self.database, self.round_view)
        self.round_decisions.refresh_pointers()
        self.registry = Registry(self.workspace, self.database, self.supervisor, self.round_view)


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def injected_services(request: Request) -> Services:
    """Async, because FastAPI sends every other dependency through a thread."""
    return services_of(request)


async def body_of(request: Request) -> bytes:
    return await request.body()


ServicesOf = Annotated[Services, Depends(injected_services)]
Content = Annotated[bytes, Depends(body_of)]
