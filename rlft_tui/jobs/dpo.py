"""Direct preference optimisation with a LoRA policy: ``python -m rlft_tui.jobs.dpo RUN_DIR``.

Rafailov et al. 2023 by TRL's DPOTrainer. The reference is the same model with the
new adapter switched off (or, when an adapter is continued, a frozen copy of it),
so one base serves both. Everything the run says goes to ``events.jsonl``.

Simplified: one device; every linear layer gets an adapter; the reference is
computed along with each batch, unless rows come up often enough that computing
it once is cheaper.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.jobs.job import Job, run_job, say
from rlft_tui.jobs.preference_rows import read_rows, tokenise
from rlft_tui.runs.specs.dpo import DpoSpec


def train(job: Job, spec: DpoSpec) -> int:
    # -- data: read and checked before anything slow is imported
    rows = read_rows(job.folder.dataset / "train.jsonl")
    heldout_rows = read_rows(job.folder.dataset / "heldout.jsonl", required=False)

    job.stage("starting", detail="loading torch, transformers and TRL")
    os.environ["TQDM_DISABLE"] = "1"
    import torch
    from datasets import Dataset, disable_progress_bars
    from peft import LoraConfig, PeftModel
    from transformers import PrinterCallback, ProgressCallback, set_seed
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer
    from trl.trainer.utils import use_adapter

    from rlft_tui.jobs.checkpoints import ADAPTER, find_last_good, seal
    from rlft_tui.jobs.event_callback import EventCallback
    from rlft_tui.jobs.heldout import HeldOut
    from rlft_tui.jobs.model_loading import (
        check_adapter_folder,
        choose_device,
        choose_dtype,
        device_name,
        load_base,
        set_threads,
    )
    from rlft_tui.jobs.sampler import Sampler
    from rlft_tui.jobs.tokenizer_loading import load_tokenizer
    from rlft_tui.metrics.alarms.watch import Alarms

    disable_progress_bars()
    set_threads(spec.threads)
    set_seed(spec.seed)
    device = choose_device()
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

    # -- model
    job.stage("loading", detail=spec.model.name)
    tokenizer = load_tokenizer(spec.model.path)
    lengths = [len(tokenise(tokenizer, row).prompt) for row in rows]
    if min(lengths) >= spec.max_length:
        raise RlftError(
            f"every prompt fills max_length ({spec.max_length} tokens), so no answer is left to learn from",
            remedy=f"Set max_length above {max(lengths)}",
        )
    model = load_base(spec.model.path, dtype, device)
    lora: LoraConfig | None = LoraConfig(
        r=spec.lora.r,
        lora_alpha=spec.lora.alpha,
        lora_dropout=spec.lora.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    if spec.model.adapter:
        check_adapter_folder(Path(spec.model.adapter))
        model = PeftModel.from_pretrained(model, spec.model.adapter, is_trainable=True)
        lora = None

    # -- trainer
    job.stage("tokenising", detail=f"{len(rows)} rows")
    passes = spec.max_steps * spec.batch_size * spec.gradient_accumulation / len(rows)
    arguments = DPOConfig(
        output_dir=str(job.folder.checkpoints),
        max_steps=spec.max_steps,
        per_device_train_batch_size=spec.batch_size,
        gradient_accumulation_steps=spec.gradient_accumulation,
        learning_rate=spec.learning_rate,
        warmup_steps=round(spec.warmup_fraction * spec.max_steps),
        lr_scheduler_type="linear",
        max_grad_norm=spec.max_grad_norm,
        beta=spec.beta,
        max_length=spec.max_length,
        precompute_ref_log_probs=passes > 3,
        bf16=dtype == torch.bfloat16,
        use_cpu=device == "cpu",
        gradient_checkpointing=False,
        dataloader_pin_memory=device == "cuda",
        seed=spec.seed,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_steps=spec.checkpoint_every,
        save_total_limit=None,
        disable_tqdm=True,
        report_to="none",
    )

    class Trainer(DPOTrainer):
        def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
            """Load the policy only: with a second adapter (the reference) transformers would skip it."""
            policy.load_adapter(resume_from_checkpoint, "default", is_trainable=True)

    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list([row.as_dict() for row in rows]),
        processing_class=tokenizer,
        peft_config=lora,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    policy: Any = trainer.model

    def reference() -> AbstractContextManager[Any]:
        return use_adapter(policy, "ref" if "ref" in policy.peft_config else None)

    # -- what watches the training
    watched = {str(row.prompt): row.prompt for row in heldout_rows or rows}
    sampler = Sampler(
        list(watched.values())[: spec.sample_prompts],
        tokenizer,
        sampling=spec.sampling,
        seed=spec.seed,
        log=job.log,
        reference=reference,
    )
    heldout = HeldOut(
        heldout_rows,
        tokenizer,
        beta=spec.beta,
        max_length=spec.max_length,
        batch_size=2 * spec.batch_size,
        reference=reference,
    )
    events = EventCallback(
        job,
        Alarms(spec, steps=spec.max_steps, folder=job.folder, raised=job.raised_alarms()),
        sampler if spec.sample_every else None,
        sample_every=spec.sample_every,
        keep_checkpoints=spec.keep_checkpoints,
    )
    events.steps = spec.max_steps
    trainer.add_callback(events)
    evaluate = spec.evaluate and bool(heldout.chosen)

    # -- before
    if checkpoint:
        trainer._total_train_tokens = checkpoint.tokens
        events.checkpoint, events.tokens = checkpoint, checkpoint.tokens
    else:
        if evaluate:
            job.stage("evaluating", detail=f"{len(heldout.chosen)} held-out pairs")
            events.metrics(0, heldout.measure(policy, untrained=True))
        events.sample(policy, 0)
    if job.stop.asked:
        return job.stopped(f"still at step {checkpoint.step}" if checkpoint else "nothing was trained yet")

    # -- training
    if checkpoint and checkpoint.step >= spec.max_steps:
        trainer._load_from_checkpoint(str(checkpoint.path))
        step = checkpoint.step
    else:
        trainer.train(resume_from_checkpoint=str(checkpoint.path) if checkpoint else None)
        step = trainer.state.global_step
    if step < spec.max_steps:
        if events.checkpoint is None or events.checkpoint.step != step:
            raise RlftError(f"stopped at step {step}, but its checkpoint could not be verified")
        return job.stopped(f"saved and verified the checkpoint of step {step}")

    # -- after
    if evaluate:
        job.stage("evaluating", detail=f"{len(heldout.chosen)} held-out pairs")
        events.metrics(step, heldout.measure(policy))
    events.sample(policy, step)

    job.stage("saving", detail="adapter")
    partial = job.folder.model.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    policy.save_pretrained(partial, selected_adapters=["default"])
    seal(
        partial,
        step=step,
        tokens=events.tokens,
        required=ADAPTER,
    )
    shutil.rmtree(job.folder.model, ignore_errors=True)
    partial.rename(job.folder.model)
    job.log.write("end", status="finished", model=str(job.folder.model))
    say(f"finished after {step} steps: {job.folder.model}")
    return 0


if __name__ == "__main__":
    raise SystemExit(run_job(sys.argv[1:], DpoSpec, train))
