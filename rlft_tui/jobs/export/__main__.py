"""Write a model out and prove it: ``python -m rlft_tui.jobs.export RUN_DIR``.

The original answers first, for its memory is needed again for the merge and for what reads the export back.
Everything is written into a draft folder beside the target, which becomes the target once it is whole: proof,
card and script included. An export that fails its proof is kept, says so in all of them, and the run fails.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

import msgspec

from rlft_tui.errors import ConflictError, RlftError, UnavailableError
from rlft_tui.jobs.job import Job, run_job, say
from rlft_tui.jobs.training import quiet_libraries
from rlft_tui.models.exports import PROOF, Export, draft_of, room_needed, weights_bytes
from rlft_tui.runs.specs.export import ExportSpec

STEPS = 4
STALE_SECONDS = 86400.0
"""Age of a draft that no export can still be writing."""
SCRIPTS = {
    "safetensors": "transformers_script.py",
    "adapter": "adapter_script.py",
    "onnx": "onnx_script.py",
    "gguf": "llama_cpp_script.py",
}


def export(job: Job, spec: ExportSpec) -> int:
    target = Path(spec.output)
    check_target(target, spec)
    job.stage("starting", detail="loading torch and transformers")
    os.environ["TQDM_DISABLE"] = "1"
    quiet_libraries()
    from rlft_tui.jobs.export.original import Original
    from rlft_tui.jobs.export.written import Written
    from rlft_tui.jobs.model_loading import choose_device, device_name, set_threads

    set_threads(spec.threads)
    device = choose_device(spec.device)
    job.started(spec, STEPS, device_name(device))
    draft = draft_of(target, spec.id)
    clear_drafts(target, draft)
    draft.mkdir(parents=True)
    try:
        # -- what the original answers
        step(job, 0, "loading", spec.model.name)
        original = Original(spec, device)
        step(job, 1, "answering", f"{spec.prompts} prompts, the original")
        reference = original.answer()
        if is_stopped(job):
            return job.stopped("nothing was written")

        # -- the files
        step(job, 2, "writing", spec.form + (f" {spec.quant}" if spec.quant else ""))
        written = Written(spec, original, draft)
        original.free()
        if is_stopped(job):
            return job.stopped("nothing was written")

        # -- the proof
        step(job, 3, "proving", f"{spec.prompts} prompts, the export")
        proof = written.prove(reference, device)
        done = finish(spec, draft, Export(
            model=spec.model.name, form=spec.form, quant=spec.quant, path=str(target), bytes=0,
            original_bytes=original.bytes, run_id=spec.id, created_at=time.time(), dtype=written.held_in,
            proof=proof,
        ))  # fmt: skip
        put_in_place(draft, target, replace=spec.replace)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    report(job, done)
    if proof.faults:
        raise RlftError(
            f"the export does not answer like the original: {'; '.join(proof.faults)}",
            where=str(target),
            remedy="It is kept, marked as failed. Take a format with more bits, such as f16 or safetensors",
        )
    job.log.write("end", status="finished", model=str(target))
    say(f"finished: {target}")
    return 0


def is_stopped(job: Job) -> bool:
    """Whether somebody has asked the run to end."""
    return bool(job.stop.asked)


def step(job: Job, number: int, name: str, detail: str) -> None:
    job.stage(name, progress=number / STEPS, detail=detail)
    say(f"{name}: {detail}")


def check_target(target: Path, spec: ExportSpec) -> None:
    """RlftError for a place that is taken, or has too little room."""
    if target.exists() and not spec.replace:
        raise ConflictError(
            "this exists already", where=str(target), remedy="Add --replace, or another --output"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    stored, values = weights_bytes(Path(spec.model.path))
    if spec.form == "adapter":
        stored, values = weights_bytes(Path(spec.model.adapter))
    needed = room_needed(values, stored, spec.form, spec.quant)
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise UnavailableError(
            f"the export takes up to {needed / 1e6:,.0f} MB on its way, and {free / 1e6:,.0f} MB are free",
            where=str(target.parent),
            remedy="Make room, or name another disk with --output",
        )


def clear_drafts(target: Path, own: Path) -> None:
    """Remove what this run, or one that was killed long ago, left half-written."""
    for left in target.parent.glob(f".{target.name}.*.draft"):
        if left == own or time.time() - left.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)


def finish(spec: ExportSpec, draft: Path, export: Export) -> Export:
    """Script, card and proof beside the weights; the size is that of all of them but the proof itself."""
    from msgspec.structs import replace

    from rlft_tui.jobs.export.card import model_card

    shutil.copyfile(Path(__file__).parent / "scripts" / SCRIPTS[spec.form], draft / "generate.py")
    files = tuple(sorted(path.name for path in draft.iterdir()))
    size = sum(path.stat().st_size for path in draft.iterdir())
    done = replace(export, bytes=size, files=(*files, "README.md", PROOF))
    (draft / "README.md").write_text(model_card(spec, done), encoding="utf-8")
    (draft / PROOF).write_text(
        json.dumps(msgspec.to_builtins(done), ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    return done


def put_in_place(draft: Path, target: Path, *, replace: bool) -> None:
    """The draft under its name, whole; what it replaces goes only then."""
    old = target.parent / f".{target.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if replace and target.exists():
        target.rename(old)
    try:
        draft.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def report(job: Job, done: Export) -> None:
    """The proof's figures as metrics, so that lists and the monitor show them."""
    proof = done.proof
    assert proof is not None
    values = {
        "proof/top_token_agreement": proof.top_token_agreement,
        "proof/greedy_agreement": proof.greedy_agreement,
        "proof/max_logit_difference": proof.max_logit_difference,
        "proof/mean_kl": proof.mean_kl,
        "tokens_per_second": proof.tokens_per_second,
        "size": done.bytes / 1e6,
    }
    units = {"tokens_per_second": "tokens/s", "proof/mean_kl": "nats/token", "size": "MB"}
    job.log.metrics(STEPS, values, units, steps=STEPS)


if __name__ == "__main__":
    raise SystemExit(run_job(sys.argv[1:], ExportSpec, export))
