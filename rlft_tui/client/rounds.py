"""The calls about rounds, A/B tests and policies' current versions."""

from __future__ import annotations

from typing import Any

from rlft_tui.client.transport import LONG, Transport, segment
from rlft_tui.evaluations.round_standing import NextRound, RoundStanding
from rlft_tui.ids import new_id
from rlft_tui.models.current_version import Pointer


class Rounds(Transport):
    """Where rounds stand and what is decided about them."""

    def rounds(self, kind: str = "round") -> tuple[RoundStanding, ...]:
        """Newest first; ``kind``: round (of a training run), ab, or empty for both."""
        return self._get("/rounds", tuple[RoundStanding, ...], which=kind)

    def round(self, round_id: str = "") -> RoundStanding:
        """By id or its model's name; without one the newest that waits for a decision."""
        if not round_id:
            return self._get("/rounds/open", RoundStanding)
        return self._get(f"/rounds/{segment(round_id)}/standing", RoundStanding)

    def more_pairs(self, round_id: str, count: int) -> RoundStanding:
        """Queue further pairs for a round, on prompts that did not come yet."""
        return self._post(f"/rounds/{segment(round_id)}/pairs", RoundStanding, count=count)

    def promote(self, round_id: str, *, labeler: str, policy: str = "", note: str = "") -> RoundStanding:
        """Make the round's model its policy's current version."""
        return self._decide(round_id, "promoted", labeler, policy, note)

    def reject(self, round_id: str, *, labeler: str, note: str = "") -> RoundStanding:
        """ConflictError for a model that is the current version."""
        return self._decide(round_id, "rejected", labeler, "", note)

    def _decide(self, round_id: str, decision: str, labeler: str, policy: str, note: str) -> RoundStanding:
        verdict = {
            "id": new_id(),
            "decision": decision,
            "labeler": labeler,
            "policy": policy,
            "note": note,
        }
        return self._post(f"/rounds/{segment(round_id)}/decision", RoundStanding, verdict)

    def next_round(self, round_id: str = "", *, name: str = "") -> NextRound:
        """Freeze today's labels as the last data set was, and say with what the next run begins."""
        return self._post("/rounds/next", NextRound, round_id=round_id, name=name, timeout=LONG)

    def begin_ab_test(
        self,
        test_id: str,
        model: str,
        opponent: str,
        *,
        pairs: int,
        prompt_rows: list[dict[str, Any]] | None = None,
        sampling: dict[str, Any] | None = None,
    ) -> RoundStanding:
        """Have two models answer the same prompts (the workspace's by default), to be judged blind."""
        asked = {
            "id": test_id,
            "model": model,
            "opponent": opponent,
            "pairs": pairs,
            "prompt_rows": prompt_rows or [],
            "sampling": sampling or {},
        }
        return self._post("/ab-tests", RoundStanding, asked)

    def current(self, policy: str) -> Pointer:
        """The model that was promoted last for a policy; NotFoundError before there is one."""
        return self._get(f"/policies/{segment(policy)}/current", Pointer)
