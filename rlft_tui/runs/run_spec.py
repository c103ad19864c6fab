"""What a run is asked to do: the one typed form behind TOML file, screen and flags."""

from __future__ import annotations

import tomllib
import zlib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from rlft_tui.errors import NotFoundError, RlftError

Precision = Literal["auto", "fp32", "bf16"]


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ModelSource(_Spec):
    """A model as a job loads it; the server fills it in from a registry name."""

    name: str
    """Name in the registry, shown to people."""
    path: str
    """Folder with safetensors weights, or hub id, of the base."""
    adapter: str = ""
    """PEFT adapter folder on top of the base; empty for the base alone."""


class Sampling(_Spec):
    """How text is drawn from a model."""

    temperature: float = Field(default=0.8, ge=0.0, le=5.0)
    """Divides the logits; 0 takes the likeliest token each time."""
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    """Nucleus: smallest set of tokens with this much probability."""
    max_new_tokens: int = Field(default=128, ge=1, le=8192)
    """Tokens at most; an answer that reaches it is cut."""


class Lora(_Spec):
    """Low-rank adapters (Hu et al. 2021)."""

    r: int = Field(default=16, ge=1, le=512)
    """Rank."""
    alpha: int = Field(default=32, ge=1)
    """Scale: the update is multiplied by alpha / r."""
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Dropout on the adapter's input."""


class DpoSpec(_Spec):
    """Direct preference optimisation (Rafailov et al. 2023) with a LoRA policy."""

    id: str
    """Run id; made by the client."""
    method: Literal["dpo"] = "dpo"
    model: ModelSource
    """What is trained; an adapter here is continued as a new adapter."""
    dataset: str
    """Hash of the data set."""
    lora: Lora = Lora()
    beta: float = Field(default=0.1, gt=0.0)
    """Strength of the pull towards the reference (Rafailov et al., eq. 7)."""
    learning_rate: float = Field(default=5e-5, gt=0.0, lt=1.0)
    """Peak learning rate, linear warm-up and decay."""
    max_steps: int = Field(default=40, ge=1)
    """Optimiser steps."""
    batch_size: int = Field(default=4, ge=1)
    """Pairs in one forward pass."""
    gradient_accumulation: int = Field(default=1, ge=1)
    """Forward passes an optimiser step."""
    max_length: int = Field(default=512, ge=16)
    """Tokens of prompt and answer together; longer rows are cut."""
    warmup_fraction: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of the steps over which the learning rate rises."""
    max_grad_norm: float = Field(default=1.0, gt=0.0)
    """Gradient norm above which gradients are scaled down."""
    precision: Precision = "auto"
    """auto takes bf16 where the CPU or GPU has it, else fp32."""
    threads: int = Field(default=0, ge=0)
    """CPU threads; 0 leaves the choice to torch."""
    seed: int = 0
    """Where everything random in the run starts from."""
    checkpoint_every: int = Field(default=20, ge=1)
    """Steps between checkpoints."""
    keep_checkpoints: int = Field(default=2, ge=1)
    """Older ones are removed."""
    sample_every: int = Field(default=10, ge=0)
    """Steps between generations on the fixed prompts; 0 for none."""
    sample_prompts: int = Field(default=4, ge=1, le=64)
    """How many held-out prompts are answered each time."""
    sampling: Sampling = Sampling(temperature=0.7, max_new_tokens=64)
    evaluate: bool = True
    """Measure held-out preference accuracy before and after."""
    output_name: str = ""
    """Name of the result in the registry; empty for the run's own id."""
    stop_seconds: float = Field(default=180.0, gt=0.0)
    """How long a stop may take to save its checkpoint before the job is killed."""


class GenerationPrompt(_Spec):
    """One prompt in the queue of a generate run."""

    id: str
    prompt: str
    context: tuple[dict[str, str], ...] = ()
    category: str = ""


class GenerateSpec(_Spec):
    """Two answers to each prompt, from two models or two sampling settings."""

    id: str
    method: Literal["generate"] = "generate"
    model_a: ModelSource
    """Who writes answer A."""
    model_b: ModelSource
    """Who writes answer B."""
    sampling_a: Sampling = Sampling()
    sampling_b: Sampling = Sampling()
    prompts: str = "prompts.jsonl"
    """File in the run folder, one GenerationPrompt a line."""
    batch_size: int = Field(default=8, ge=1)
    """Prompts answered together."""
    precision: Precision = "auto"
    """auto takes bf16 where the CPU or GPU has it, else fp32."""
    threads: int = Field(default=0, ge=0)
    """CPU threads; 0 leaves the choice to torch."""
    seed: int = Field(default=-1, ge=-1)
    """Each answer's own seed is derived from this, the prompt and the side; -1 makes one from the run's id,
    so that the next run answers anew, and writes it to run.toml."""
    stop_seconds: float = Field(default=180.0, gt=0.0)
    """How long a stop may take to finish its batch before the job is killed."""

    @model_validator(mode="before")
    @classmethod
    def _with_a_seed(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("seed", -1) == -1 and isinstance(values.get("id"), str):
            return {**values, "seed": zlib.crc32(values["id"].encode())}
        return values


RunSpec = Annotated[DpoSpec | GenerateSpec, Field(discriminator="method")]
METHODS: tuple[str, ...] = ("dpo", "generate")
_adapter: TypeAdapter[DpoSpec | GenerateSpec] = TypeAdapter(RunSpec)


def parse_spec(values: object, *, where: str = "run") -> DpoSpec | GenerateSpec:
    """A validated spec; RlftError names the first field that is wrong."""
    try:
        return _adapter.validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        generate = isinstance(values, dict) and values.get("method") == "generate"
        command = "pairs generate" if generate else "train dpo"
        field = ".".join(str(part) for part in first["loc"] if part not in METHODS)
        raise RlftError(
            f"{field or 'spec'}: {first['msg'].lower()}",
            where=where,
            remedy=f"rlft {command} --help lists every setting",
        ) from None


def read_spec(path: Path) -> DpoSpec | GenerateSpec:
    """The spec in a run.toml."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFoundError("no such spec file", where=str(path)) from None
    except UnicodeDecodeError:
        raise RlftError("not valid TOML: it is no UTF-8 text", where=str(path)) from None
    try:
        return parse_spec(tomllib.loads(text), where=str(path))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RlftError(f"not valid TOML: {error}", where=str(path)) from None


def write_spec(spec: DpoSpec | GenerateSpec, path: Path) -> None:
    """Write the spec as TOML, complete with defaults."""
    path.write_bytes(tomli_w.dumps(spec.model_dump(mode="json", exclude_none=True)).encode())


assert set(METHODS) == {get_args(s.model_fields["method"].annotation)[0] for s in (DpoSpec, GenerateSpec)}
