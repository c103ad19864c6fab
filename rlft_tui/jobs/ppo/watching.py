"""What is written down of a PPO run: metrics, samples, measures, checkpoints, alarms."""

from __future__ import annotations

from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.jobs.checkpoints import ADAPTER, WHOLE, Checkpoint, find_best, find_last_good, remove_old
from rlft_tui.jobs.evaluation.watch import suite_watch
from rlft_tui.jobs.event_callback import EventCallback, is_better_high
from rlft_tui.jobs.heldout_reward import HeldOutReward
from rlft_tui.jobs.job import Job, say
from rlft_tui.jobs.method import Rewarded, Setup
from rlft_tui.jobs.online import UNITS
from rlft_tui.jobs.ppo.checkpoint import save_checkpoint
from rlft_tui.jobs.ppo.judging import RewardJudge
from rlft_tui.jobs.ppo.report import metrics, units
from rlft_tui.jobs.ppo.trainer import Trainer, Update
from rlft_tui.jobs.reward_functions import columns_of
from rlft_tui.jobs.sampler import Sampler
from rlft_tui.metrics.alarms.alarm import Alarm
from rlft_tui.metrics.alarms.watch import Alarms
from rlft_tui.runs.run_spec import Sampling
from rlft_tui.runs.run_status import BEST, WORST
from rlft_tui.runs.specs.ppo import PpoSpec


class Watch:
    """Writes to the event log between updates; what it measures leaves the training as it was."""

    def __init__(self, setup: Setup[Any], trainer: Trainer, judge: RewardJudge) -> None:
        self.job: Job = setup.job
        self.spec = setup.spec
        self.trainer = trainer
        self.judge = judge
        self.prompts = [row.prompt[-1]["content"] for row in judge.rows]
        sampling = Sampling(temperature=self.spec.temperature, max_new_tokens=self.spec.max_new_tokens)
        heldout = setup.heldout_rows[: self.spec.evaluate_prompts] if self.spec.evaluate else []
        measurer = HeldOutReward(
            heldout,
            setup.tokenizer,
            judge.rewards,
            sampling=sampling,
            seed=self.spec.seed,
            batch_size=self.spec.generation_batch_size,
        )
        self.events = EventCallback(
            self.job,
            self.spec,
            Alarms(self.spec, steps=trainer.updates, folder=self.job.folder, raised=self.job.raised_alarms()),
            steps=trainer.updates,
            sampler=lambda: self._sampler(setup),
            measurer=measurer if heldout else None,
            weights=ADAPTER if trainer.policy.adapters.layers else WHOLE,
            units={
                **UNITS,
                "samples/kl_per_sequence": "nats/sequence (k1)",
                "samples/kl_per_token": "nats/token (k1)",
            },
            suite=suite_watch(
                self.job.folder, setup.tokenizer, self.spec, stopped=lambda: bool(self.job.stop.asked)
            ),
        )

    def resumed(self, checkpoint: Checkpoint) -> None:
        """Training goes on from this checkpoint."""
        self.events.resumed(checkpoint)
        with self.trainer.policy.precision():
            self.events.measure_owed(self.trainer.policy.model, self.trainer.done)

    def measure(self) -> None:
        """Answer the held-out prompts and have the answers rewarded."""
        with self.trainer.policy.precision():
            self.events.measure(self.trainer.policy.model, self.trainer.done)

    def sample(self) -> None:
        """Answer the fixed prompts."""
        sampler = self.events.sampler
        if sampler is None:
            return
        with self.trainer.policy.precision():
            values = sampler.sample(self.trainer.policy.model, self.trainer.done)
        # The training's own answers give the KL; these are other prompts at another temperature.
        named = {key.replace("kl/", "samples/kl_per_"): value for key, value in values.items()}
        if named:
            self.events.metrics(self.trainer.done, named)

    def updated(self, update: Update) -> None:
        """Log an update, and do what is due after it."""
        step = update.number
        self.events.heed_changes(step - 1)
        spec = self.events.spec
        assert isinstance(spec, PpoSpec)
        self.spec = spec
        self.events.tokens = self.trainer.tokens
        values = metrics(update)
        self.events.units = {**self.events.units, **units(spec, values)}
        epoch = step * spec.batch_size / len(self.judge.rows)
        self.events.metrics(step, values, epoch=epoch)
        if self.events.alarms.hopeless and not self.job.stop.asked:
            good = self.events.checkpoint
            raise RlftError(
                f"the loss has not been finite for {self.events.alarms.nonfinite} updates (now step {step})",
                remedy=f"{f'Resume from step {good.step}' if good else 'Launch again'} with a lower "
                "learning_rate",
            )
        if spec.answers_every and step % spec.answers_every == 0:
            self._best_and_worst(update)
        if spec.sample_every and step % spec.sample_every == 0:
            self.sample()
        due = step % spec.checkpoint_every == 0 or step == self.trainer.updates
        if spec.evaluate_every and step % spec.evaluate_every == 0:
            self.measure()
            due |= self.events.saves_best or self.events.ended_early
        if due:
            self.save()

    def save(self) -> bool:
        """A checkpoint of where training stands, unless there is one; whether it can be resumed from."""
        events, step = self.events, self.trainer.done
        if events.checkpoint is not None and events.checkpoint.step == step:
            return True
        folder = self.job.folder.checkpoints
        try:
            events.checkpoint = save_checkpoint(self.trainer, folder, measure=events.measure_of(step))
        except RlftError as error:
            path = str(folder / f"checkpoint-{step}")
            self.job.log.write("checkpoint", step=step, path=path, verified=False, reason=error.what)
            bad = f"the checkpoint of step {step} cannot be resumed from: {error.what}"
            advice = "Earlier checkpoints stay; a resume takes the last good one"
            self.job.alarm(step, Alarm("checkpoint bad", bad, advice, severity="critical"))
            return False
        self.job.log.write("checkpoint", step=step, path=str(events.checkpoint.path), verified=True)
        keep_best = self.spec.keep_best
        best = find_best(folder, highest=is_better_high(keep_best)) if keep_best else None
        remove_old(folder, self.spec.keep_checkpoints, best=best[0] if best else None)
        return True

    def _best_and_worst(self, update: Update) -> None:
        """The two answers of the update to read first, with reward, its parts, and KL."""
        totals = [one.total for one in update.judgements]
        order = sorted(range(len(totals)), key=lambda place: totals[place] or 0.0)
        for index, of, place in ((BEST, "best", order[-1]), (WORST, "worst", order[0])):
            answer = update.experience.readings.answers[place]
            self.job.log.write(
                "sample",
                step=update.number,
                index=index,
                of=of,
                prompt=self.prompts[answer.place],
                completion=answer.text,
                kl=float(update.experience.kl[place].sum()),
                reward=totals[place],
                rewards=dict(update.judgements[place].parts),
                tokens=len(answer.response) - answer.ended,
            )

    def _sampler(self, setup: Setup[Any]) -> Sampler:
        rows = {str(row.prompt): row for row in setup.heldout_rows or self.judge.rows}
        fixed = list(rows.values())[: self.spec.sample_prompts]

        def reward(prompts: Any, texts: Any, token_ids: Any) -> list[Rewarded]:
            answers = [[{"role": "assistant", "content": text}] for text in texts]
            return self.judge.rewards.reward(prompts, answers, token_ids, columns_of(fixed))

        return Sampler(
            [row.prompt for row in fixed],
            setup.tokenizer,
            sampling=self.spec.sampling,
            seed=self.spec.seed,
            log=self.job.log,
            reference=self.trainer.policy.reference,
            rewarder=reward,
        )


def where_to_go_on(job: Job) -> Checkpoint | None:
    """The newest checkpoint that is whole; those that are not are told."""
    checkpoint, bad = find_last_good(job.folder.checkpoints)
    for broken in bad:
        job.log.write(
            "checkpoint", step=broken.step, path=str(broken.path), verified=False, reason=broken.reason
        )
        say(f"checkpoint of step {broken.step} skipped: {broken.reason}")
    if checkpoint:
        job.log.write("control", asked="resume", done=f"resuming from step {checkpoint.step}")
    return checkpoint
