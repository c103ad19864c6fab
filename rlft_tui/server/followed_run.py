"""One run as the server knows it: its folder read up to now."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from functools import cached_property
from itertools import chain
from pathlib import Path

import msgspec
from msgspec.structs import replace

from rlft_tui.metrics.series import RunCurves
from rlft_tui.record import Record
from rlft_tui.runs.launcher import is_active
from rlft_tui.runs.run_event import EventReader, MetricsColumns, MetricsRow, RunEvent
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import read_spec
from rlft_tui.runs.run_state import Processes, RunState
from rlft_tui.runs.run_status import ACTIVE, RunSummary
from rlft_tui.runs.specs.completions import CompletionsSpec
from rlft_tui.runs.specs.generate import GenerateSpec
from rlft_tui.samples.samples import RunSamples
from rlft_tui.server.curve_cache import SMALLEST_LOG, read_cache, write_cache
from rlft_tui.server.memory import give_back

_SUMMARY_NAME = "summary.json"
_BLOCK_BYTES = 1 << 19
"""Small enough for the processor's cache, large enough for hundreds of rows with many metrics."""
_CACHE_GROWTH = 1.5


class _StoredSummary(Record, frozen=True):
    """The summary of an ended run, so that a server's start need not read its whole log."""

    events_size: int
    events_changed: int
    """Modification time in nanoseconds: with the size, tells whether the log is still that one."""
    attempt: int
    summary: RunSummary


class FollowedRun:
    """Reads what is new in a run folder when asked. ``lock`` guards all of it."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.lock = threading.RLock()
        self.spec = read_spec(folder.spec)
        self.state = RunState(self.spec, str(folder.root), folder.spec.stat().st_mtime)
        self.curves = RunCurves()
        self.samples = RunSamples(folder.id)
        self.pairs_stored = 0
        """Bytes of the pairs file whose pairs are in the database."""
        self._reader = EventReader(folder.events)
        self._cached = 0
        """Bytes of the log that its cache stands for."""
        self.unkept: float | None = None
        """Since when (monotonic seconds) ``keep`` would store something; None while it would not."""
        self._settled: RunSummary | None = self._stored_summary()
        self._settled_log = _identity(folder.events)
        """The log that it tells of."""

    @property
    def settled(self) -> RunSummary | None:
        """The last word on an ended run; None while there may be news."""
        return self._settled

    def read_events(self) -> None:
        """Take every event completed since the last time; what its cache holds need not be read again."""
        log = _identity(self.folder.events)
        if self._settled is not None and log != self._settled_log:
            self.unsettle()  # somebody has written another one
        if self._reader.offset == 0 and log[0] >= SMALLEST_LOG:
            parts = (self._reader, self.state, self.curves, self.samples)
            if read_cache(self.folder.root, *parts):
                self._cached = self._reader.offset
        while self._read_block(_BLOCK_BYTES):
            pass
        if self._reader.offset >= max(SMALLEST_LOG, self._cached * _CACHE_GROWTH):
            self._note_unkept()

    def _read_block(self, limit: int) -> bool:
        """Take what comes next; False at the end of the log."""
        reader = self._reader
        before, restarts = reader.offset, reader.restarts
        restarted = False
        for taken in chain(reader.read_batches(limit), (None,)):
            if reader.restarts != restarts:
                restarts, restarted = reader.restarts, True
                self._forget_events()
            if taken is not None:
                self._take(taken)
        return restarted or reader.offset != before

    def _take(self, taken: RunEvent | list[MetricsRow] | MetricsColumns) -> None:
        if isinstance(taken, MetricsColumns):
            self.state.apply_columns(taken)
            self.curves.apply_columns(taken)
        elif isinstance(taken, list):
            self.state.apply_rows(taken)
            self.curves.apply_rows(taken)
        else:
            self.state.apply(taken)
            self.curves.apply(taken)
            self.samples.apply(taken)

    def keep(self) -> None:
        """Store what was read, so that a new server need not read it all, and free what reading took.

        For a time when nobody waits: it takes a sixth of what reading did. Due (see ``unkept``) when the
        log has grown by half since the last time, and when the run has ended.
        """
        with self.lock:
            self.unkept = None
            self._cached = self._reader.offset
            # It only saves time: without it the next server reads the log. Half a surrogate pair has no UTF-8
            # form, and a number may be too large for any format.
            with suppress(OSError, UnicodeEncodeError, OverflowError):
                write_cache(self.folder.root, self._reader, self.state, self.curves, self.samples)
            for curve in self.curves.all():
                curve.compact()
            give_back()

    def _note_unkept(self) -> None:
        if self.unkept is None:
            self.unkept = time.monotonic()

    def summary(self, output_model: str = "") -> RunSummary:
        """The run as it stands on disk now."""
        if self._settled is not None:
            return self._settled
        # The processes first: what a dead job wrote is then surely read.
        processes = self._processes()
        self.read_events()
        found = self.state.summary(processes, output_model=output_model)
        return replace(found, steps=found.steps or self._planned, trouble=self._trouble())

    @cached_property
    def _planned(self) -> int:
        """Steps that a run was launched for where its job has not told them: a pair or completion each."""
        if not isinstance(self.spec, GenerateSpec | CompletionsSpec):
            return 0
        try:
            with (self.folder.root / self.spec.prompts).open("rb") as stream:
                prompts = sum(1 for line in stream if line.strip())
        except OSError:
            return 0
        return prompts * (self.spec.n if isinstance(self.spec, CompletionsSpec) else 1)

    def _trouble(self) -> str:
        """What in the event log is not as a job writes it, for people to know."""
        found = []
        if self._reader.fault:
            found.append(f"the event log cannot be read: {self._reader.fault}")
        if lines := self._reader.unreadable:
            found.append(f"{lines:,} {'line' if lines == 1 else 'lines'} of the event log cannot be read")
        if self._reader.restarts:
            found.append("the event log was replaced or cut and read again")
        if self.curves.went_back:
            found.append(f"steps went back {_times(self.curves.went_back)}")
        if self.curves.clock_back:
            found.append(f"the clock went back {_times(self.curves.clock_back)}")
        return " · ".join(found)

    def settle(self, summary: RunSummary) -> None:
        """Nothing more will come: keep this summary, on disk as well."""
        if summary.status in ACTIVE:
            raise ValueError("an active run is not settled")
        self._settled = summary
        attempt = self.folder.read_attempt()
        size, changed = self._settled_log = _identity(self.folder.events)
        stored = _StoredSummary(size, changed, attempt.number if attempt else 0, summary)
        partial = self.folder.root / f".{_SUMMARY_NAME}"
        if self._reader.offset == size > self._cached and size >= SMALLEST_LOG:
            self._note_unkept()
        try:
            partial.write_bytes(msgspec.json.encode(stored))
            partial.replace(self.folder.root / _SUMMARY_NAME)
        except (OSError, UnicodeEncodeError):  # half a surrogate pair has no UTF-8 form
            # It only saves time: the next server reads the log instead.
            partial.unlink(missing_ok=True)

    def unsettle(self) -> None:
        """A new attempt begins."""
        self._settled = None
        (self.folder.root / _SUMMARY_NAME).unlink(missing_ok=True)

    def forget_curves(self) -> None:
        """Free the memory of a settled run; it is read again when asked for."""
        if self.unkept is not None:
            self.keep()
        self._forget_events()
        give_back()
        self._reader = EventReader(self.folder.events)

    def _processes(self) -> Processes:
        folder = self.folder
        record = folder.read_exit()
        alive = record is None and is_active(folder)
        if record is None and not alive:
            # It may have been written between the two looks.
            record = folder.read_exit()
        asked = folder.stop_request.exists()
        return Processes(folder.read_attempt(), record, alive, asked, folder.current_place())

    def _forget_events(self) -> None:
        self.state.reset()
        self.curves.reset()
        self.samples.reset()

    def _stored_summary(self) -> RunSummary | None:
        try:
            content = (self.folder.root / _SUMMARY_NAME).read_bytes()
            stored = msgspec.json.decode(content, type=_StoredSummary)
        except (OSError, msgspec.DecodeError):
            return None
        attempt = self.folder.read_attempt()
        place = self.folder.current_place()
        if place is not None and not place.held:
            return None
        known = (stored.events_size, stored.events_changed)
        if known != _identity(self.folder.events) or stored.attempt != (attempt.number if attempt else 0):
            return None
        # The folder may have been moved since.
        return replace(stored.summary, path=str(self.folder.root))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _identity(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns
