"""The calls about judges."""

from __future__ import annotations

from rlft_tui.client.transport import LONG, Transport, segment
from rlft_tui.evaluations.judge.request import (
    Calibration,
    JudgementPage,
    JudgeRequest,
    JudgeRun,
    RubricEntry,
)
from rlft_tui.runs.run_status import RunSummary


class Judging(Transport):
    """Judge runs, their calls, calibration and rubrics."""

    def launch_judge(self, asked: JudgeRequest) -> RunSummary:
        """Start a judge's run; its verdicts come into the workspace as they are given."""
        return self._post("/judge/runs", RunSummary, asked, timeout=LONG)

    def judge_runs(self) -> tuple[JudgeRun, ...]:
        """Newest first."""
        return self._get("/judge/runs", tuple[JudgeRun, ...])

    def judge_run(self, run_id: str) -> JudgeRun:
        return self._get(f"/judge/runs/{segment(run_id)}", JudgeRun)

    def judgements(
        self, run_id: str, *, status: str = "", offset: int = 0, limit: int = 100
    ) -> JudgementPage:
        """A run's calls in the order they were made; ``status``: parsed, unparsable or refused."""
        path = f"/judge/runs/{segment(run_id)}/judgements"
        return self._get(path, JudgementPage, status=status, offset=offset, limit=limit)

    def calibration(self, judge: str, *, labeler: str = "") -> Calibration:
        """A judge against one labeller, or whoever is no judge."""
        return self._get("/judge/calibration", Calibration, judge=judge, labeler=labeler)

    def judge_names(self) -> tuple[str, ...]:
        """Every judge that has judged here."""
        return self._get("/judge/names", tuple[str, ...])

    def rubrics(self) -> tuple[RubricEntry, ...]:
        return self._get("/judge/rubrics", tuple[RubricEntry, ...])
