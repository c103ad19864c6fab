"""Ties a TRL trainer to the run folder: metrics, samples, checkpoints, alarms and stops."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from rlft_tui.errors import RlftError
from rlft_tui.jobs import heldout, sampler
from rlft_tui.jobs.checkpoints import Checkpoint, remove_old, seal
from rlft_tui.jobs.job import Job
from rlft_tui.jobs.model_loading import peak_cuda_memory_mb, peak_memory_mb
from rlft_tui.jobs.sampler import Sampler
from rlft_tui.metrics.alarms.alarm import Alarm
from rlft_tui.metrics.alarms.watch import Alarms

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
        self, job: Job, alarms: Alarms, sampler: Sampler | None, *, sample_every: int, keep_checkpoints: int
    ) -> None:
        self.job = job
        self.alarms = alarms
        self.sampler = sampler
        self.sample_every = sample_every
        self.keep_checkpoints = keep_checkpoints
        self.tokens = 0
        """Tokens trained on so far."""
        self.steps = 0
        self.checkpoint: Checkpoint | None = None
        """The last one that verified."""

    def metrics(self, step: int, values: Mapping[str, float], epoch: float | None = None) -> None:
        """One metrics event, and the alarms that follow from it."""
        more = {"cuda_memory_mb": cuda} if (cuda := peak_cuda_memory_mb()) is not None else {}
        units = {key: UNITS[key] for key in values if key in UNITS}
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
        for alarm in self.alarms.observe(step, values):
            self.job.alarm(step, alarm)

    def sample(self, model: Any, step: int) -> None:
        if self.sampler is not None and (values := self.sampler.sample(model, step)):
            self.metrics(step, values)

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.steps = state.max_steps
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

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if self.sample_every and state.global_step % self.sample_every == 0:
            self.sample(more["model"], state.global_step)
        if self.job.stop.asked:
            control.should_save = True
            control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        path = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        try:
            self.checkpoint = seal(path, step=state.global_step, tokens=self.tokens)
        except RlftError as error:
            self.job.log.write(
                "checkpoint", step=state.global_step, path=str(path), verified=False, reason=error.what
            )
            bad = f"the checkpoint of step {state.global_step} cannot be resumed from: {error.what}"
            advice = "Earlier checkpoints stay; a resume takes the last good one"
            self.job.alarm(state.global_step, Alarm("checkpoint bad", bad, advice, severity="critical"))
            return
        self.job.log.write("checkpoint", step=state.global_step, path=str(path), verified=True)
        remove_old(Path(args.output_dir), self.keep_checkpoints)
