"""The calls by which a run is watched."""

from __future__ import annotations

from pathlib import Path

from rlft_tui.client.transport import LONG, Transport, segment
from rlft_tui.runs.compare_runs import RunComparison
from rlft_tui.runs.log_search import LogLevel, LogMatches
from rlft_tui.runs.run_setting import RunSetting
from rlft_tui.runs.run_status import LogPage, RunSummary, Sample, SampleHead, Series


class RunWatching(Transport):
    """Curves, samples, output and remarks of a run."""

    def series(
        self, run_id: str, keys: list[str], *, points: int = 500, window: tuple[int, int] | None = None
    ) -> tuple[Series, ...]:
        """At most ``points`` bins a key, of the whole run or of a window (first and last step).

        No keys: all of them. NotFoundError for an unknown key.
        """
        asked: dict[str, object] = {"key": keys, "points": points}
        if window is not None:
            asked["low"], asked["high"] = window
        return self._get(f"/runs/{segment(run_id)}/series", tuple[Series, ...], **asked)

    def samples(self, run_id: str, *, after_step: int = -1) -> tuple[Sample, ...]:
        return self._get(f"/runs/{segment(run_id)}/samples", tuple[Sample, ...], after_step=after_step)

    def samples_at(self, run_id: str, step: int) -> tuple[Sample, ...]:
        """The samples of one step, by prompt."""
        return self._get(f"/runs/{segment(run_id)}/samples", tuple[Sample, ...], step=step)

    def samples_of_prompt(self, run_id: str, index: int) -> tuple[Sample, ...]:
        """What was answered to one prompt, by step."""
        return self._get(f"/runs/{segment(run_id)}/samples", tuple[Sample, ...], index=index)

    def sample_heads(
        self, run_id: str, *, after_step: int = -(2**62), search: str = ""
    ) -> tuple[SampleHead, ...]:
        """Samples without their texts; ``search`` looks at prompt and completion."""
        return self._get(
            f"/runs/{segment(run_id)}/samples/heads",
            tuple[SampleHead, ...],
            after_step=after_step,
            search=search,
        )

    def log(self, run_id: str, *, start: int = -1, limit: int = 65536) -> LogPage:
        """output.log from a byte offset; -1 for the last ``limit`` bytes."""
        return self._get(f"/runs/{segment(run_id)}/log", LogPage, start=start, limit=limit)

    def log_lines(
        self,
        run_id: str,
        *,
        text: str = "",
        level: LogLevel = "",
        start: int = 0,
        backwards: bool = False,
        limit: int = 200,
    ) -> LogMatches:
        """Lines of the output that hold ``text`` (or match ``/expression/``) and are of a ``level``.

        A long file takes several calls: go on from ``searched``. With ``backwards`` the search
        goes up from ``start``, -1 being the end.
        """
        return self._get(
            f"/runs/{segment(run_id)}/log/lines",
            LogMatches,
            text=text,
            level=level,
            start=start,
            backwards=backwards,
            limit=limit,
        )

    def compare_runs(self, run_id: str, *others: str) -> RunComparison:
        """The run beside others: settings that differ, and their training data row by row."""
        path, query = f"/runs/{segment(run_id)}/comparison", {"other": list(others)}
        return self._request("GET", path, RunComparison, query=query, timeout=LONG)

    def usage(self) -> tuple[Series, ...]:
        """What machine and active runs used in the last hours, by second; empty at the first question."""
        return self._get("/usage", tuple[Series, ...])

    def import_run(self, upload: Path) -> RunSummary:
        """A run that another program made, from a file that ``write_upload`` has written."""
        return self._post("/runs/import", RunSummary, content=upload, timeout=LONG)

    def run_settings(self, run_id: str) -> tuple[RunSetting, ...]:
        """What may change while a run runs, as it stands."""
        return self._get(f"/runs/{segment(run_id)}/settings", tuple[RunSetting, ...])

    def change_run(self, run_id: str, values: dict[str, object]) -> tuple[RunSetting, ...]:
        """Other alarm limits and intervals, by name; a running job goes by them from its next step on."""
        return self._post(f"/runs/{segment(run_id)}/settings", tuple[RunSetting, ...], values)

    def remark(self, run_id: str, **changes: object) -> RunSummary:
        """Change what people say about a run: tags, note, archived, seen, snoozed."""
        return self._post(f"/runs/{segment(run_id)}/remarks", RunSummary, changes)
