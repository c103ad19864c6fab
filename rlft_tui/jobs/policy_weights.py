"""``policy/`` in the run folder: the result as one whole model that plain transformers loads."""

from __future__ import annotations

import shutil
from typing import Any

from rlft_tui.jobs.checkpoints import WHOLE, seal
from rlft_tui.jobs.model_loading import load_base
from rlft_tui.jobs.tokenizer_loading import copy_tokenizer
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.specs.training import PolicySpec


def write_policy(folder: RunFolder, spec: PolicySpec, policy: Any, *, step: int, tokens: int) -> None:
    """Merge the trained adapter into its base; ``policy`` cannot be trained further afterwards.

    It is merged where it lies, in memory that is there already; a quantised base is loaded anew as it
    is stored, for a merge into rounded weights would be another model. A whole model in ``model/``
    needs none of this and is left alone.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoConfig

    if not hasattr(policy, "peft_config"):
        return
    stored = getattr(AutoConfig.from_pretrained(spec.model.path), "dtype", None) or torch.float32
    if spec.quantization != "none" or spec.backend == "unsloth":
        base = load_base(spec.model.path, stored, "cpu")
        policy = PeftModel.from_pretrained(base, str(folder.model))
    merged = policy.merge_and_unload(adapter_names=["default"]).to(stored)
    partial = folder.policy.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    merged.save_pretrained(partial)
    copy_tokenizer(spec.model.path, partial)
    seal(partial, step=step, tokens=tokens, required=WHOLE)
    shutil.rmtree(folder.policy, ignore_errors=True)
    partial.rename(folder.policy)
