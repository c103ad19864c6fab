"""Unsloth in place of transformers and PEFT's own code: less time and memory a step, on a GPU.

It rewrites transformers, PEFT and TRL while they are being imported, so it must be imported before
them and only in the job's own process. Whether it works is found out by trying, in a process of its
own: it raises at import without a GPU, and one of its dependencies can break a torch without CUDA.
Its GGUF export is never called: it installs packages on the machine.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from rlft_tui.errors import RlftError, UnavailableError
from rlft_tui.runs.specs.training import TrainingSpec

_PROBE = """\
import sys
try:
    import torch
    if not torch.cuda.is_available():
        sys.exit("there is no GPU")
    import unsloth
    import trl.trainer.sft_trainer
except BaseException as error:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    sys.exit(lines[0] if isinstance(error, SystemExit) else f"{type(error).__name__}: {lines[0]}")
"""
_PROBE_SECONDS = 180.0
_REMEDY = "Set backend to plain"


def probe() -> str:
    """Why Unsloth cannot be used here, in one line; empty when it can."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it was still being imported after {_PROBE_SECONDS:.0f} s"
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]


def load() -> None:
    """Import it, before transformers; UnavailableError offers the plain backend where it cannot work."""
    if "transformers" in sys.modules:
        raise RuntimeError("unsloth must be imported before transformers")
    if reason := probe():
        raise UnavailableError(f"backend unsloth cannot be used here: {reason}", remedy=_REMEDY)
    import unsloth  # type: ignore[import-not-found, unused-ignore]  # noqa: F401 - for what it does


def load_policy(spec: TrainingSpec, dtype: Any) -> Any:
    """A model with its adapter, or with every weight to be trained, on the GPU."""
    from unsloth import FastLanguageModel  # type: ignore[import-not-found, unused-ignore]

    full = spec.adaptation == "full"
    try:
        model, _ = FastLanguageModel.from_pretrained(
            model_name=spec.model.adapter or spec.model.path,
            max_seq_length=spec.max_length,
            dtype=dtype,
            load_in_4bit=spec.quantization == "nf4",
            load_in_8bit=spec.quantization == "int8",
            full_finetuning=full,
            use_gradient_checkpointing="unsloth" if spec.gradient_checkpointing else False,
        )
    except (OSError, ValueError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RlftError(f"unsloth cannot load the model: {reason}", remedy=_REMEDY) from error
    if full or spec.model.adapter:
        return model
    lora = spec.lora
    if lora.kind == "dora":
        raise RlftError("backend unsloth knows no dora", remedy="Set lora.kind to lora or rslora")
    from rlft_tui.jobs.trainable import linear_layers

    targets = [name.strip() for name in lora.targets.split(",")]
    return FastLanguageModel.get_peft_model(
        model,
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        use_rslora=lora.kind == "rslora",
        target_modules=linear_layers(model) if lora.targets.strip() == "auto" else targets,
        use_gradient_checkpointing="unsloth" if spec.gradient_checkpointing else False,
        random_state=spec.seed,
    )
