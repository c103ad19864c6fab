"""Settings of a run that writes a model out for other programs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rlft_tui.models.exports import Form, Quant
from rlft_tui.runs.specs.base import ModelSource, Precision, RunSpec, Spec


class LineageStep(Spec):
    """One model on the way from the base to what is exported."""

    model: str
    """Its name in the registry."""
    base: str = ""
    """What it was trained from; empty for the first one."""
    run: str = ""
    method: str = ""
    dataset: str = ""
    """Hash of the data set."""
    dataset_name: str = ""
    rows: int = Field(default=0, ge=0)
    """Rows it was trained on."""
    settings: dict[str, str] = Field(default_factory=dict)
    """What the run was asked for, as far as it says something about the result."""
    metrics: dict[str, float] = Field(default_factory=dict)
    """Last value of each metric."""


class ExportSpec(RunSpec):
    """A model written out in one format, and the proof that it answers like the original."""

    method: Literal["export"] = "export"
    model: ModelSource
    form: Form
    """safetensors, gguf, onnx, or adapter (the LoRA weights alone)."""
    quant: Quant = ""
    """Of a gguf: f16, q8_0, q5_1, q4_1, q4_0, or q4_k_m where llama-cpp-python is installed."""
    output: str
    """The new folder, absolute."""
    replace: bool = False
    """A folder of that name is replaced once the new one is whole."""
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """What safetensors are written in; auto as the base was stored."""
    shard_gb: float = Field(default=5.0, gt=0.0, le=1000.0)
    """Larger safetensors are cut into files of at most so many GB."""
    precision: Precision = "fp32"
    """What original and export are computed in while they are compared, and the adapter is merged in."""
    prompts: int = Field(default=20, ge=1, le=20)
    """Fixed prompts that original and export answer for the proof."""
    max_new_tokens: int = Field(default=32, ge=1, le=512)
    """Tokens of each answer in the proof."""
    lineage: tuple[LineageStep, ...] = ()
    """From what is exported down to the base; the server fills it in."""
    licence: str = ""
    """Of the base, where it is known."""
