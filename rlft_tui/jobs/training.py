"""The way that every training run goes, whatever its method: read the data, load the model, go on from
the last good checkpoint, measure, train, measure again, save.

The numbers are those of a bare TRL script with the same settings and seed: sampling and measuring
leave torch's random state alone. Everything the run says goes to ``events.jsonl``.

Simplified: one process and one device.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import warnings
from collections.abc import Iterator
from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.jobs.job import Job, run_job, say
from rlft_tui.jobs.method import Method, Reference, S, Setup
from rlft_tui.jobs.method_rows import method_rows
from rlft_tui.runs.specs.training import PolicySpec

MERGED = "merged"
"""Where a run keeps the model that it began with, when base and adapter had to be made one."""


def run_method(method: Method[S], arguments: list[str]) -> int:
    """``python -m rlft_tui.jobs.METHOD RUN_DIR``; the exit code."""
    return run_job(arguments, method.spec, lambda job, spec: train(job, spec, method))


def train(job: Job, spec: S, method: Method[S]) -> int:
    # -- data: read and checked before anything slow is imported
    rows, heldout_rows = method_rows(job.folder.dataset, spec.method)
    method.check(job, spec, rows)

    job.stage("starting", detail="loading torch, transformers and TRL")
    os.environ["TQDM_DISABLE"] = "1"
    quiet_libraries()
    if spec.backend == "unsloth":
        # It rewrites transformers and TRL while they are being imported: it must come first.
        from rlft_tui.jobs import unsloth_backend

        unsloth_backend.load()
    from datasets import disable_progress_bars
    from transformers import PrinterCallback, ProgressCallback, set_seed

    from rlft_tui.jobs.checkpoints import ADAPTER, WHOLE, find_last_good, verify
    from rlft_tui.jobs.evaluation.watch import suite_watch
    from rlft_tui.jobs.event_callback import EventCallback
    from rlft_tui.jobs.model_loading import choose_device, choose_dtype, device_name, set_threads
    from rlft_tui.jobs.sampler import Sampler
    from rlft_tui.jobs.tokenizer_loading import load_tokenizer
    from rlft_tui.jobs.trainable import load_trainable
    from rlft_tui.jobs.training_arguments import training_arguments
    from rlft_tui.metrics.alarms.watch import Alarms

    disable_progress_bars()
    set_threads(spec.threads)
    set_seed(spec.seed)
    device = choose_device(spec.device)
    dtype = choose_dtype(spec.precision, device)
    job.started(spec, spec.max_steps, f"{device_name(device)}, {str(dtype).removeprefix('torch.')}")

    # -- where to go on from
    checkpoint, bad = find_last_good(job.folder.checkpoints)
    for broken in bad:
        job.log.write(
            "checkpoint", step=broken.step, path=str(broken.path), verified=False, reason=broken.reason
        )
        say(f"checkpoint of step {broken.step} skipped: {broken.reason}")
    if checkpoint:
        job.log.write("control", asked="resume", done=f"resuming from step {checkpoint.step}")

    # -- model and trainer
    job.stage("loading", detail=spec.model.name)
    arguments = training_arguments(spec, dtype, device, job.folder.checkpoints)
    tokenizer = load_tokenizer(spec.model.path)
    if spec.backend == "unsloth":
        if method.head != "causal":
            raise RlftError(f"backend unsloth cannot train {spec.method}", remedy="Set backend to plain")
        model, peft_config = unsloth_backend.load_policy(spec, dtype), None
    else:
        model, peft_config = load_trainable(spec, method.head, dtype, device, job.folder.root / MERGED)
    setup = Setup(job, spec, rows, heldout_rows, tokenizer, model, peft_config, device, dtype, arguments)
    job.stage("tokenising", detail=f"{len(rows)} rows")
    trainer = method.trainer(setup)
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    policy: Any = trainer.model
    if hasattr(policy, "peft_config"):
        load_adapter_from_checkpoints(trainer)
    steps = spec.max_steps or planned_steps(trainer, spec.epochs)
    reference = reference_of(trainer)

    # -- what watches the training
    measurer = method.measurer(setup, trainer, reference) if spec.evaluate else None
    if measurer is not None and not measurer.rows:
        measurer = None

    def sampler() -> Sampler:
        assert isinstance(spec, PolicySpec)
        watched = {str(row.prompt): row.prompt for row in heldout_rows or rows}
        return Sampler(
            list(watched.values())[: spec.sample_prompts],
            tokenizer,
            sampling=spec.sampling,
            seed=spec.seed,
            log=job.log,
            reference=reference,
            rewarder=method.rewarder(setup),
        )

    events = EventCallback(
        job,
        spec,
        Alarms(spec, steps=steps, folder=job.folder, raised=job.raised_alarms()),
        steps=steps,
        sampler=sampler if isinstance(spec, PolicySpec) else None,
        measurer=measurer,
        weights=ADAPTER if hasattr(policy, "peft_config") else WHOLE,
        units=method.units,
        suite=suite_watch(job.folder, tokenizer, spec, stopped=lambda: bool(job.stop.asked)),
    )
    trainer.add_callback(events)
    for callback in method.callbacks(setup, trainer):
        trainer.add_callback(callback)

    # -- before
    if checkpoint:
        trainer._total_train_tokens = checkpoint.tokens
        events.resumed(checkpoint)
    else:
        events.measure(policy, 0)
        if not job.stop.asked:
            events.sample(policy, 0)
    if job.stop.asked:
        return job.stopped(f"still at step {checkpoint.step}" if checkpoint else "nothing was trained yet")

    # -- training
    if checkpoint and checkpoint.step >= steps:
        trainer._load_from_checkpoint(str(checkpoint.path))
        step = checkpoint.step
    else:
        trainer.train(resume_from_checkpoint=str(checkpoint.path) if checkpoint else None)
        step = trainer.state.global_step
    if step < steps and not events.ended_early:
        good = events.checkpoint
        if good and good.step < step and job.stop.asked.startswith("alarm"):
            return job.stopped(f"nothing sound is there to save; the checkpoint of step {good.step} stands")
        if good is None or good.step != step:
            raise RlftError(f"stopped at step {step}, but its checkpoint could not be verified")
        return job.stopped(f"saved and verified the checkpoint of step {step}")

    # -- after
    events.measure(policy, step)
    events.sample(policy, step)
    if best := events.best_checkpoint():
        # Resuming is how weights are put back; nothing is trained on them.
        trainer._load_from_checkpoint(str(best))
        step = verify(best).step
        done = f"the result is the checkpoint of step {step}"
        job.log.write("control", asked="use_best", by="job", done=done)
    save_result(setup, policy, step=step, tokens=events.tokens)
    job.log.write("end", status="finished", model=str(job.folder.model))
    say(f"finished after {step} steps: {job.folder.model}")
    return 0


def quiet_libraries() -> None:
    """Keep out of the run's output what libraries say to one another's authors, thousands of times."""
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\.")
    warnings.filterwarnings("ignore", message="MatMul8bitLt")


def planned_steps(trainer: Any, epochs: float) -> int:
    """Optimiser steps of so many passes over the data, as transformers counts them."""
    import torch

    with torch.random.fork_rng(devices=[]):
        batches = len(trainer.get_train_dataloader())
    per_epoch = max(1, math.ceil(batches / trainer.args.gradient_accumulation_steps))
    return math.ceil(epochs * per_epoch)


def reference_of(trainer: Any) -> Reference | None:
    """The model before this run: the policy without its adapter, or the trainer's own frozen copy.

    None for full fine-tuning by a method that keeps no copy.
    """
    policy = trainer.model
    if hasattr(policy, "peft_config"):

        @contextlib.contextmanager
        def without_adapter() -> Iterator[Any]:
            from trl.trainer.utils import use_adapter

            # An adapter that is continued has a frozen copy beside it where the method needs one.
            with use_adapter(policy, "ref" if "ref" in policy.peft_config else None):
                yield policy

        return without_adapter
    frozen = getattr(trainer, "ref_model", None)
    return None if frozen is None else lambda: contextlib.nullcontext(frozen)


def load_adapter_from_checkpoints(trainer: Any) -> None:
    """Have a resume put the saved numbers into the adapter that is there, in the type that it has.

    Transformers would load an adapter anew: not at all where there are two (the reference is
    one), and in float32 where the trainer made it bfloat16.
    """

    def load(path: str, model: Any = None) -> None:
        from peft import set_peft_model_state_dict
        from peft.utils import load_peft_weights

        weights = load_peft_weights(path, device=str(trainer.args.device))
        result: Any = set_peft_model_state_dict(trainer.model, weights, adapter_name="default")
        if result.unexpected_keys:
            raise RlftError(f"the checkpoint does not fit the model: {result.unexpected_keys[0]}", where=path)

    trainer._load_from_checkpoint = load


def save_result(setup: Setup[Any], policy: Any, *, step: int, tokens: int) -> None:
    """``model/``: the adapter, or the whole model with its tokenizer. It is there whole or not at all."""
    from transformers import AutoConfig

    from rlft_tui.jobs.checkpoints import ADAPTER, WHOLE, seal
    from rlft_tui.jobs.policy_weights import write_policy
    from rlft_tui.jobs.tokenizer_loading import copy_tokenizer, has_fallback

    job, path = setup.job, setup.spec.model.path
    adapter = hasattr(policy, "peft_config")
    job.stage("saving", detail="adapter" if adapter else "model")
    partial = job.folder.model.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    if adapter:
        policy.save_pretrained(partial, selected_adapters=["default"])
        if has_fallback(setup.tokenizer):
            copy_tokenizer(path, partial)
    else:
        # As precise as the base was kept, whatever it was trained in.
        stored = getattr(AutoConfig.from_pretrained(path), "dtype", None)
        if stored is not None:
            policy = policy.to(stored)
        policy.save_pretrained(partial)
        copy_tokenizer(path, partial)
    seal(partial, step=step, tokens=tokens, required=ADAPTER if adapter else WHOLE)
    shutil.rmtree(job.folder.model, ignore_errors=True)
    partial.rename(job.folder.model)
    shutil.rmtree(job.folder.root / MERGED, ignore_errors=True)
    if isinstance(setup.spec, PolicySpec) and setup.spec.policy:
        job.stage("saving", detail="policy")
        write_policy(job.folder, setup.spec, policy, step=step, tokens=tokens)
