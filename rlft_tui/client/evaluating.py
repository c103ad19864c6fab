"""The calls about evaluations."""

from __future__ import annotations

from rlft_tui.client.transport import LONG, Transport, segment
from rlft_tui.evaluations.evaluation import Evaluation, ItemPage, MetricChange, PairPage
from rlft_tui.evaluations.suites.suite_info import SuiteInfo


class Evaluating(Transport):
    """Suites, figures, changes against a baseline, and single items."""

    def suites(self) -> tuple[SuiteInfo, ...]:
        """What models can be measured on; launch a run of method ``evaluate`` with one's name."""
        return self._get("/evaluations/suites", tuple[SuiteInfo, ...])

    def evaluations(self, *, model: str = "", suite: str = "", latest: bool = True) -> tuple[Evaluation, ...]:
        """By suite, task, metric and model; ``latest`` keeps the newest of each."""
        return self._get("/evaluations", tuple[Evaluation, ...], model=model, suite=suite, latest=latest)

    def evaluation_changes(self, model: str, against: str, *, suite: str = "") -> tuple[MetricChange, ...]:
        """Each metric that both have of the same items and settings, tested in pairs."""
        return self._request(
            "GET",
            "/evaluations/changes",
            tuple[MetricChange, ...],
            query={"model": model, "against": against, "suite": suite},
            timeout=LONG,
        )

    def evaluation_items(
        self,
        run_id: str,
        *,
        task: str = "",
        offset: int = 0,
        limit: int = 100,
        search: str = "",
        wrong: bool = False,
    ) -> ItemPage:
        """Items of a run; ``wrong``: what scored 0 or could not be judged."""
        return self._get(
            f"/evaluations/{segment(run_id)}/items",
            ItemPage,
            task=task,
            offset=offset,
            limit=limit,
            search=search,
            wrong=wrong,
        )

    def evaluation_pairs(
        self,
        model: str,
        against: str,
        task: str,
        *,
        suite: str = "",
        offset: int = 0,
        limit: int = 100,
        differing: bool = False,
    ) -> PairPage:
        """What two models said to the same items; ``differing``: only where their scores differ."""
        return self._get(
            "/evaluations/pairs",
            PairPage,
            model=model,
            against=against,
            task=task,
            suite=suite,
            offset=offset,
            limit=limit,
            differing=differing,
        )

    def answer_nats(
        self, model: str, rows: list[tuple[list[dict[str, str]], str]]
    ) -> list[tuple[float, int]]:
        """-log p of each answer (messages, answer) under a model, in nats, and its tokens."""
        return self._post(
            "/models/nats", list[tuple[float, int]], {"model": model, "rows": rows}, timeout=LONG
        )
