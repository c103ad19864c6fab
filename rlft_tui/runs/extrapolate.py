"""From a few real steps of a run to the whole of it.

The few steps are a run of the job itself on a few of its rows (jobs/dry_run.py). Each part of a
run is measured where the job's own events mark it, and counted as often as the whole run does it.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import math
import shutil
import statistics
from collections.abc import Sequence
from pathlib import Path

from rlft_tui.record import Record
from rlft_tui.runs.estimate import NAME, Estimate, folder_bytes
from rlft_tui.runs.run_event import RunEvent
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.specs.base import RunSpec
from rlft_tui.runs.specs.training import PolicySpec, TrainingSpec

_NO_MATTER = {
    "id",
    "seed",
    "output_name",
    "parent",
    "alarms",
    "trackers",
    "policy",
    "auto_resume",
    "stop_seconds",
}
"""Settings that change neither time nor size."""
LEAST_SPREAD = 0.05
"""Share of the time by which even equal steps may be off: another hour, another load."""
LOG_BYTES = 2000
"""Of the event log a step, roughly."""
ROW_SECONDS = 0.002
"""To tokenise a row, roughly: too little of the short run to be told apart from loading."""


class Measured(Record, frozen=True):
    """What the short run took, in seconds and bytes."""

    steps: tuple[float, ...]
    """Each optimiser step; the first pays for what is made once."""
    planned: int
    """Steps that the job counted for itself."""
    loading: float
    """Imports, model, trainer and its few rows."""
    preparing: float
    """From the last sample to the first step: the reference's log-probabilities may be computed then."""
    evaluating: float
    """One measure on the short run's held-out rows; 0 without."""
    sampling: float
    """One round of samples; 0 without."""
    saving: float
    """One checkpoint."""
    ending: float
    """Saving the result."""
    memory_mb: float
    cuda_memory_mb: float | None
    checkpoint_bytes: int
    model_bytes: int
    device: str


def measured(events: Sequence[RunEvent], checkpoint: Path, model: Path) -> Measured:
    """The parts of a short run that finished."""
    marks = _Marks(events)
    return Measured(
        steps=tuple(marks.steps),
        planned=marks.planned,
        loading=marks.until_training - marks.preparing - sum(marks.before),
        preparing=marks.preparing,
        evaluating=_mean(marks.evaluations),
        sampling=_mean(marks.samplings),
        saving=_mean(marks.savings),
        ending=marks.ending,
        memory_mb=marks.memory_mb,
        cuda_memory_mb=marks.cuda_memory_mb,
        checkpoint_bytes=folder_bytes(checkpoint),
        model_bytes=folder_bytes(model),
        device=marks.device,
    )


class _Marks:
    """Durations between the events of one run, each belonging to what ended with it."""

    def __init__(self, events: Sequence[RunEvent]) -> None:
        self.steps: list[float] = []
        self.evaluations: list[float] = []
        self.samplings: list[float] = []
        self.savings: list[float] = []
        self.before: list[float] = []
        """Evaluations and samples before the first step."""
        self.preparing = 0.0
        self.until_training = 0.0
        self.ending = 0.0
        self.planned = 0
        self.memory_mb = 0.0
        self.cuda_memory_mb: float | None = None
        self.device = ""
        began = events[0].t
        trained, sampled_from = False, None
        for before, event in itertools.pairwise(events):
            took, fields = event.t - before.t, event.fields
            if event.kind == "stage":
                if fields["name"] == "training" and not trained:
                    self.preparing, self.until_training, trained = took, event.t - began, True
            elif event.kind == "start":
                self.device = str(fields.get("device", ""))
            elif event.kind == "sample":
                sampled_from = before.t if sampled_from is None else sampled_from
            elif event.kind == "checkpoint":
                self.savings.append(took)
            elif event.kind == "end":
                self.ending = took
            elif event.kind == "metrics":
                self._metrics(fields)
                values = fields["values"]
                sampled = sampled_from is not None
                took, sampled_from = event.t - (before.t if sampled_from is None else sampled_from), None
                if "learning_rate" in values:
                    # Of a method that draws its own answers, some of them were logged just before.
                    self.steps.append(took)
                elif sampled:
                    self.samplings.append(took)
                    self.before += [] if trained else [took]
                elif any(str(key).startswith("heldout/") for key in values):
                    self.evaluations.append(took)
                    self.before += [] if trained else [took]

    def _metrics(self, fields: dict[str, object]) -> None:
        for name in ("memory_mb", "cuda_memory_mb"):
            value = fields.get(name)
            if isinstance(value, int | float):
                setattr(self, name, max(getattr(self, name) or 0.0, float(value)))
        if isinstance(steps := fields.get("steps"), int):
            self.planned = steps


def extrapolate(
    short: Measured,
    spec: TrainingSpec,
    *,
    rows: tuple[int, int],
    heldout_rows: tuple[int, int],
    dataset_bytes: int,
    base_bytes: int,
    made: float,
) -> Estimate:
    """The whole run from the short one. ``rows`` and ``heldout_rows``: of the whole run, of the short one."""
    more = rows[0] / max(1, rows[1])
    steps = spec.max_steps or math.ceil(spec.epochs * short.planned * more)
    first, *others = short.steps
    pace = _mean(others or [first])
    evaluations = _rounds(spec.evaluate, spec.evaluate_every, steps) if short.evaluating else 0
    samples = 0
    if isinstance(spec, PolicySpec) and spec.sample_every:
        samples = _rounds(True, spec.sample_every, steps)
    saves = math.ceil(steps / spec.checkpoint_every)
    parts = {
        "loading": short.loading + (rows[0] - rows[1]) * ROW_SECONDS,
        "preparing": short.preparing * (more if spec.precomputes(rows[0]) else 1.0),
        "training": first + (steps - 1) * pace,
        "evaluating": evaluations * short.evaluating * heldout_rows[0] / max(1, heldout_rows[1]),
        "sampling": samples * short.sampling,
        "checkpoints": saves * short.saving,
        "saving": short.ending,
    }
    seconds = sum(parts.values())
    error = statistics.stdev(others) / math.sqrt(len(others)) if len(others) > 1 else 0.0
    spread = max(2 * error * (steps - 1), LEAST_SPREAD * seconds)
    # A new one is written before an old one goes.
    kept = min(saves, spec.keep_checkpoints + 1 + bool(spec.keep_best))
    disk = kept * short.checkpoint_bytes + short.model_bytes + dataset_bytes + steps * LOG_BYTES
    return Estimate(
        steps=steps,
        seconds=seconds,
        low_seconds=max(0.0, seconds - spread),
        high_seconds=seconds + spread,
        parts=parts,
        memory_mb=short.memory_mb,
        cuda_memory_mb=short.cuda_memory_mb,
        disk_mb=disk / 1e6,
        checkpoint_mb=short.checkpoint_bytes / 1e6,
        model_mb=short.model_bytes / 1e6,
        merged_mb=base_bytes / 1e6,
        measured_steps=len(short.steps),
        device=short.device,
        made=made,
    )


def _rounds(wanted: bool, every: int, steps: int) -> int:
    """Before, after, and every so many steps on the way; the last of those is the one after."""
    if not wanted:
        return 0
    return 2 + (max(0, math.ceil(steps / every) - 1) if every else 0)


def estimate_path(runs: Path, spec: TrainingSpec) -> Path:
    """Where the estimate of a spec is kept until it is launched: by what it depends on."""
    values = spec.model_dump(mode="json", exclude=_NO_MATTER)
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    return runs / ".estimates" / f"{digest[:16]}.json"


def keep_estimate(runs: Path, spec: RunSpec, folder: RunFolder) -> None:
    """Store the estimate of this spec, if there is one, with the run that is about to start."""
    if isinstance(spec, TrainingSpec):
        with contextlib.suppress(OSError):
            shutil.copy(estimate_path(runs, spec), folder.root / NAME)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
