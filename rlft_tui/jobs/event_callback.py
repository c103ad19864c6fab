"""Ties a TRL trainer to the run folder: metrics, samples, checkpoints, alarms and stops."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from rlft_tui.errors import RlftError
from rlft_tui.evaluations.results import direction
from rlft_tui.jobs import heldout, sampler
from rlft_tui.jobs.checkpoints import STATE, Checkpoint, find_best, remove_old, seal
from rlft_tui.jobs.evaluation.watch import PREFIX, SuiteWatch
from rlft_tui.jobs.gain import Gain
from rlft_tui.jobs.job import Job
from rlft_tui.jobs.method import Measurer
from rlft_tui.jobs.metrics_csv import MetricsCsv
from rlft_tui.jobs.model_loading import peak_cuda_memory_mb, peak_memory_mb
from rlft_tui.jobs.run_changes import RunChanges
from rlft_tui.jobs.sampler import Sampler
from rlft_tui.jobs.stopping import StopAsked
from rlft_tui.jobs.trackers.open_trackers import open_trackers
from rlft_tui.metrics.alarms.alarm import Alarm
from rlft_tui.metrics.alarms.watch import Alarms
from rlft_tui.runs.specs.training import PolicySpec, TrainingSpec

UNITS = {
    **sampler.UNITS,
    **heldout.UNITS,
    "logps/chosen": "nats/sequence",
    "logps/rejected": "nats/sequence",
    "entropy": "nats/token",
    "train_runtime": "s",
}


class EventCallback(TrainerCallback):
    """Writes every row the trainer logs; acts between optimiser steps only."""

    def __init__(
        self,
        job: Job,
        spec: TrainingSpec,
        alarms: Alarms,
        *,
        steps: int,
        sampler: Callable[[], Sampler] | None,
        measurer: Measurer | None,
        weights: tuple[str, ...],
        units: Mapping[str, str],
        suite: SuiteWatch | None = None,
    ) -> None:
        """``sampler`` makes one, when the first samples are due. ``weights``: files without which a
        checkpoint holds no model; ``units``: of its metrics; ``suite``: what else is measured."""
        self.job = job
        self.spec = spec
        self.alarms = alarms
        self.steps = steps
        self._make_sampler = sampler
        self._sampler: Sampler | None = None
        self.measurer = measurer
        self.weights = weights
        self.units = {**UNITS, **units}
        self.suite = suite
        self.gain = Gain(spec.keep_best, is_better_high(spec.keep_best), spec.early_stopping)
        self._trained = Gain(spec.keep_best, is_better_high(spec.keep_best), 0)
        """The same without the model as it was before: of that there is no checkpoint."""
        self.measured: tuple[int, dict[str, float]] = (-1, {})
        """Step and values of the last measure, on the held-out rows and the suite."""
        self.ended_early = False
        """Whether training is to end well before its last step, because a measure gets no better."""
        self._new_best = False
        self._owed = False
        self.tokens = 0
        """Tokens trained on so far."""
        self.checkpoint: Checkpoint | None = None
        """The last one that verified."""
        self._logged: tuple[int, dict[str, float]] = (-1, {})
        """Step and values of the last rows."""
        self._changes = RunChanges(job, spec)
        self.heed_changes(0)
        job.sinks += [MetricsCsv(job.folder.metrics_csv, spec), *open_trackers(spec, job.folder)]

    @property
    def sample_every(self) -> int:
        """Steps between samples; 0 for none."""
        return self.spec.sample_every if isinstance(self.spec, PolicySpec) else 0

    @property
    def sampler(self) -> Sampler | None:
        """Who writes the samples; None while there are to be none."""
        if self._sampler is None and self._make_sampler is not None and self.sample_every:
            self._sampler = self._make_sampler()
        return self._sampler if self.sample_every else None

    def heed_changes(self, step: int) -> None:
        """Go by other limits and intervals when they were changed since the last step."""
        new = self._changes.news(self.spec, step)
        if new is not None:
            self.spec = new
            self.alarms.change(new, self.job.earlier_rows(step) if step else ())

    def resumed(self, checkpoint: Checkpoint) -> None:
        """Training goes on from this checkpoint."""
        self.checkpoint, self.tokens = checkpoint, checkpoint.tokens
        self.alarms.replay(self.job.earlier_rows(checkpoint.step))
        measured = False
        for step, values in self.job.earlier_rows(checkpoint.step):
            self.gain.heed(step, values)
            if step:
                self._trained.heed(step, values)
            measured = step == checkpoint.step and any(key.startswith("heldout/") for key in values)
        self._owed = self._evaluates(checkpoint.step) and self.measurer is not None and not measured

    def measure_owed(self, model: Any, step: int) -> None:
        """Measure at the step that training goes on from, where that was given up for a stop."""
        if self._owed:
            self._owed = False
            self.measure(model, step)

    def _evaluates(self, step: int) -> bool:
        """Whether a measure is due after this step."""
        return bool(self.spec.evaluate_every) and step % self.spec.evaluate_every == 0

    def metrics(self, step: int, values: Mapping[str, float], epoch: float | None = None) -> None:
        """One metrics event, and the alarms that follow from it."""
        more = {"cuda_memory_mb": cuda} if (cuda := peak_cuda_memory_mb()) is not None else {}
        units = {key: self.units[key] for key in values if key in self.units}
        self.job.log.metrics(
            step,
            values,
            units,
            steps=self.steps,
            epoch=epoch,
            tokens=self.tokens,
            memory_mb=peak_memory_mb(),
            **more,
        )
        self.job.sink_row(step, values, units=units, epoch=epoch, tokens=self.tokens)
        before = self._logged[1] if self._logged[0] == step else {}
        self._logged = step, {**before, **values}
        for alarm in self.alarms.observe(step, values):
            self.job.alarm(step, alarm)

    def sample(self, model: Any, step: int) -> None:
        if self.sampler is not None and (values := self.sampler.sample(model, step)):
            self.metrics(step, values)

    def measure(self, model: Any, step: int) -> None:
        """Measure on the held-out rows and the suite, once a step; given up when a stop is asked for."""
        if (self.measurer is None and self.suite is None) or self.measured[0] == step:
            return
        values: dict[str, float] = {}
        if self.measurer is not None:
            self.job.stage("evaluating", detail=f"{self.measurer.rows} held-out rows")
            try:
                with self.job.stop.given_up_for(model):
                    values |= self.measurer.measure(model, untrained=step == 0)
            except StopAsked as stop:
                done = f"the evaluation of step {step} was given up"
                self.job.log.write("control", asked=str(stop), by="job", done=done)
                return
        if self.suite is not None:
            self.job.stage("evaluating", detail=f"suite {self.suite.suite}, {self.suite.rows} items")
            values |= self.suite.measure(model)
        self.measured = step, values
        self.metrics(step, values)
        self.gain.heed(step, values)
        self._new_best = step > 0 and self._trained.heed(step, values)
        if self.gain.over and not self.ended_early:
            self.ended_early = True
            self.job.log.write("control", asked="early stopping", by="job", done=self.gain.told())

    @property
    def saves_best(self) -> bool:
        """Whether the step that was just measured is to be saved, being the best so far."""
        return self.spec.use_best and self._new_best

    def best_checkpoint(self) -> Path | None:
        """Where the run is to take its result from, when that is not the last step, which was measured."""
        if not self.spec.use_best or self._trained.best_step == self.measured[0]:
            return None
        folder = self.job.folder.checkpoints
        best = find_best(folder, highest=is_better_high(self.spec.keep_best))
        return best[0] if best else None

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.steps = state.max_steps
        self.measure_owed(more["model"], state.global_step)
        self.job.stage("training", progress=state.global_step / state.max_steps)

    def on_log(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        logs: Mapping[str, Any] = more["logs"]
        values = {key: float(v) for key, v in logs.items() if isinstance(v, int | float) and key != "epoch"}
        if "num_tokens" in values and math.isfinite(values["num_tokens"]):
            self.tokens = int(values["num_tokens"])
        self.metrics(state.global_step, values, epoch=state.epoch)
        self.job.stage("training", progress=state.global_step / state.max_steps)
        if self.alarms.hopeless and not self.job.stop.asked:
            good = f"Resume from step {self.checkpoint.step}" if self.checkpoint else "Launch again"
            count = self.alarms.nonfinite
            raise RlftError(
                f"the loss has not been finite for {count} steps (now step {state.global_step})",
                remedy=f"{good} with a lower learning_rate",
            )
        self._heed_stop(control)

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        step = state.global_step
        self.heed_changes(step)
        if self.sample_every and step % self.sample_every == 0:
            self.sample(more["model"], step)
        if self._evaluates(step):
            self.measure(more["model"], step)
            self.job.stage("training", progress=step / state.max_steps)
            if self.saves_best or self.ended_early:
                control.should_save = True
            if self.ended_early:
                control.should_training_stop = True
        self._heed_stop(control)

    def _heed_stop(self, control: Any) -> None:
        if self.job.stop.asked:
            control.should_save = True
            control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        path = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        try:
            self.checkpoint = seal(
                path,
                step=state.global_step,
                tokens=self.tokens,
                required=(*self.weights, *STATE),
                measure=self.measure_of(state.global_step),
            )
        except RlftError as error:
            self.job.log.write(
                "checkpoint", step=state.global_step, path=str(path), verified=False, reason=error.what
            )
            bad = f"the checkpoint of step {state.global_step} cannot be resumed from: {error.what}"
            advice = "Earlier checkpoints stay; a resume takes the last good one"
            self.job.alarm(state.global_step, Alarm("checkpoint bad", bad, advice, severity="critical"))
            return
        self.job.log.write("checkpoint", step=state.global_step, path=str(path), verified=True)
        folder = Path(args.output_dir)
        best = find_best(folder, highest=is_better_high(self.spec.keep_best)) if self.spec.keep_best else None
        remove_old(folder, self.spec.keep_checkpoints, best=best[0] if best else None)

    def measure_of(self, step: int) -> float | None:
        """The metric that the best checkpoint is chosen by, where it was logged at this very step."""
        return self._logged[1].get(self.spec.keep_best) if self._logged[0] == step else None


def is_better_high(metric: str) -> bool:
    """Whether more of a metric is better, judged by its name."""
    if metric.startswith(PREFIX):
        return direction(metric) == "higher"
    return not any(word in metric for word in ("loss", "perplexity", "kl", "norm"))
