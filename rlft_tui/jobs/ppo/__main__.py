"""Proximal policy optimisation: ``python -m rlft_tui.jobs.ppo RUN_DIR``.

Schulman et al. 2017 as Stiennon et al. 2020 use it on language models, in modules of one idea each;
``trainer.py`` shows the order. This one ties it to the run folder: data, where to go on from, what
watches the training, checkpoints, the result.

With several processes the first writes and decides; see ranks.py.
"""

from __future__ import annotations

import math
import os
import sys
from contextlib import ExitStack
from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.jobs.job import Job, run_job, say
from rlft_tui.jobs.method import Setup
from rlft_tui.jobs.method_rows import method_rows
from rlft_tui.jobs.ppo.processes import joined
from rlft_tui.jobs.ppo.ranks import Ranks
from rlft_tui.jobs.reward_functions import try_rewards
from rlft_tui.jobs.training import MERGED, quiet_libraries, save_result
from rlft_tui.runs.specs.ppo import PpoSpec


def train(job: Job, spec: PpoSpec) -> int:
    with joined(spec.processes, job.folder.root) as ranks, ExitStack() as held:
        return _train(job, spec, ranks, held)


def _train(job: Job, spec: PpoSpec, ranks: Ranks, held: ExitStack) -> int:
    # -- data: read and checked before anything slow is imported
    rows, heldout_rows = method_rows(job.folder.dataset, spec.method)
    if spec.rollouts == "vllm":
        from rlft_tui.jobs.vllm_server import vllm_program

        vllm_program()
    if ranks.first:
        try_rewards(spec.rewards, job.folder.rewards, rows, spec.reward_seconds)

    job.stage("starting", detail="loading torch and transformers")
    os.environ["TQDM_DISABLE"] = "1"
    quiet_libraries()
    from transformers import set_seed

    from rlft_tui.jobs.checkpoints import verify
    from rlft_tui.jobs.decoding import prompt_ids
    from rlft_tui.jobs.model_loading import choose_device, choose_dtype, device_name, set_threads
    from rlft_tui.jobs.online import fitting
    from rlft_tui.jobs.ppo.building import build_policy
    from rlft_tui.jobs.ppo.checkpoint import load_checkpoint
    from rlft_tui.jobs.ppo.judging import RewardJudge
    from rlft_tui.jobs.ppo.shared_reward import reward_loader
    from rlft_tui.jobs.ppo.trainer import Trainer
    from rlft_tui.jobs.ppo.vllm_rollout import rollouts
    from rlft_tui.jobs.ppo.watching import Watch, where_to_go_on
    from rlft_tui.jobs.tokenizer_loading import load_tokenizer

    set_threads(spec.threads)
    set_seed(spec.seed)
    device = choose_device(spec.device)
    ranks.join(cpu=device == "cpu")
    dtype = choose_dtype(spec.precision, device)
    updates = spec.max_steps or math.ceil(spec.epochs * len(rows) / spec.batch_size)
    job.started(spec, updates, f"{device_name(device)}, {str(dtype).removeprefix('torch.')}")
    checkpoint = ranks.agree(where_to_go_on(job) if ranks.first else None)

    # -- policy, reference and critic; rewards
    job.stage("loading", detail=spec.model.name)
    tokenizer = load_tokenizer(spec.model.path)
    policy = build_policy(spec, tokenizer.pad_token_id, dtype, device, job.folder.root / MERGED)
    setup: Setup[Any] = Setup(job, spec, rows, heldout_rows, tokenizer, policy.model, None, device, dtype, {})
    job.stage("tokenising", detail=f"{len(rows)} prompts")
    rows = fitting(setup)
    judge = RewardJudge(setup, rows, reward_loader(setup, policy)) if ranks.first else None
    prompts = [prompt_ids(tokenizer, row.prompt) for row in rows]
    rollout = held.enter_context(rollouts(setup, policy, longest=max(map(len, prompts))))
    trainer = Trainer(policy, rollout, judge, prompts, spec, updates, ranks)
    if checkpoint:
        load_checkpoint(trainer, checkpoint)
    if judge is None:
        # The others: the same updates, for as long as the first one says.
        while ranks.agree(False):
            trainer.update()
        return 0
    watch = Watch(setup, trainer, judge)

    # -- before
    if checkpoint:
        watch.resumed(checkpoint)
    else:
        watch.measure()
        watch.sample()

    # -- training
    while ranks.agree(trainer.done < updates and not job.stop.asked and not watch.events.ended_early):
        job.stage("training", progress=trainer.done / updates)
        judge.rewards.step = trainer.done + 1
        update = trainer.update(stopped=lambda: bool(job.stop.asked))
        if update is not None:
            watch.updated(update)
            # Free before the next one is made.
            del update
    if trainer.done < updates and not watch.events.ended_early:
        if not trainer.done:
            return job.stopped("nothing was trained yet")
        if not watch.save():
            raise RlftError(f"stopped at step {trainer.done}, but its checkpoint could not be verified")
        return job.stopped(f"saved and verified the checkpoint of step {trainer.done}")

    # -- after
    watch.measure()
    watch.sample()
    if (best := watch.events.best_checkpoint()) is not None:
        load_checkpoint(trainer, verify(best))
        done = f"the result is the checkpoint of step {trainer.done}"
        job.log.write("control", asked="use_best", by="job", done=done)
    save_result(setup, policy.model, step=trainer.done, tokens=trainer.tokens)
    job.log.write("end", status="finished", model=str(job.folder.model))
    say(f"finished after {trainer.done} updates: {job.folder.model}")
    return 0


if __name__ == "__main__":
    raise SystemExit(run_job(sys.argv[1:], PpoSpec, train))
