"""Picks up, between two steps, what was changed about the run that is going on."""

from __future__ import annotations

from typing import TypeVar

from rlft_tui.errors import RlftError
from rlft_tui.jobs.job import Job, say
from rlft_tui.runs.changes import changed_spec, differences, read_changes
from rlft_tui.runs.specs.training import TrainingSpec

S = TypeVar("S", bound=TrainingSpec)


class RunChanges:
    """Looks whether the file is another one than last time: one system call a step."""

    def __init__(self, job: Job, spec: TrainingSpec) -> None:
        """``spec``: as the run was launched."""
        self._job = job
        self._launched = spec
        self._seen: tuple[int, int] | None = None

    def news(self, current: S, step: int) -> S | None:
        """The spec as it is to be from now on; None while nothing has changed. It is told in the log."""
        try:
            found = self._job.folder.changes.stat()
        except OSError:
            return None
        mark = (found.st_mtime_ns, found.st_ino)
        if mark == self._seen:
            return None
        self._seen = mark
        try:
            new = changed_spec(self._launched, read_changes(self._job.folder))
        except RlftError as error:
            self._tell(f"not changed: {error.what}")
            return None
        said = differences(current, new)
        if not said or not isinstance(new, type(current)):
            return None
        self._tell(f"from step {step} on: {said}" if step else said)
        return new

    def _tell(self, done: str) -> None:
        self._job.log.write("control", asked="change", by="job", done=done)
        say(f"changed {done}")
