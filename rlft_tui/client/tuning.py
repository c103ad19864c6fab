"""The calls about studies."""

from __future__ import annotations

from typing import Any

from rlft_tui.client.transport import LONG, Transport, segment
from rlft_tui.tuning.study_view import Study, StudyDetail


class Tuning(Transport):
    """Searches of settings: begin, look at, stop, go on."""

    def create_study(self, values: dict[str, Any], *, where: str) -> Study:
        """Begin a study from the values of its file; ``where`` is the file's name."""
        return self._post("/studies", Study, {"values": values, "where": where}, timeout=LONG)

    def studies(self) -> tuple[Study, ...]:
        """Newest first."""
        return self._get("/studies", tuple[Study, ...])

    def study(self, name: str) -> StudyDetail:
        return self._get(f"/studies/{segment(name)}", StudyDetail)

    def stop_study(self, name: str) -> Study:
        """Begin no more trials and stop those under way."""
        return self._post(f"/studies/{segment(name)}/stop", Study, timeout=LONG)

    def resume_study(self, name: str, *, trials: int = 0) -> Study:
        """Go on; ``trials``: so many more than it was made for."""
        return self._post(f"/studies/{segment(name)}/resume", Study, trials=trials)
