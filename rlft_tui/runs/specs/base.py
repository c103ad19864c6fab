"""What every run's spec is made of."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Device = Literal["auto", "cpu", "cuda"]
MOST_SEED = 2**32 - 1
"""NumPy takes no larger one."""
MOST_STEPS = 1_000_000_000
MOST_ROWS = 1_000_000
"""In one batch, or batches in one step."""


class Spec(BaseModel):
    """Immutable, complete, and strict about names; the docstring below a field is its help."""

    # A schema is built when the first value is parsed: most commands never need most of them.
    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, defer_build=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _whole_parts(cls, values: Any) -> Any:
        """A part given in part keeps the rest of this spec's default, not of the part's own class."""
        if not isinstance(values, dict):
            return values
        whole = dict(values)
        for name, value in values.items():
            if isinstance(value, int) and not -(2**63) <= value < 2**63:
                raise ValueError(f"{name}: no whole number of 64 bits")
        for name, info in cls.model_fields.items():
            part = values.get(name)
            if isinstance(part, dict) and isinstance(info.default, BaseModel):
                whole[name] = {**info.default.model_dump(), **part}
        return whole


def _listed(value: Any) -> Any:
    """A flag or a form gives a list as one text."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""Several names; one text with commas between them is taken too."""
Numbers = Annotated[tuple[float, ...], BeforeValidator(_listed)]
"""Several numbers; one text with commas between them is taken too."""
Trackers = Annotated[tuple[Literal["tensorboard", "wandb", "trackio"], ...], BeforeValidator(_listed)]
"""Other programs' formats that a run is logged in."""


class ModelSource(Spec):
    """A model as a job loads it; the server fills it in from a registry name."""

    name: str
    """Name in the registry, shown to people."""
    path: str
    """Folder with safetensors weights, or hub id, of the base."""
    adapter: str = ""
    """PEFT adapter folder on top of the base; empty for the base alone."""


class Sampling(Spec):
    """How text is drawn from a model."""

    temperature: float = Field(default=0.8, ge=0.0, le=5.0)
    """Divides the logits; 0 takes the likeliest token each time."""
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    """Nucleus: smallest set of tokens with this much probability."""
    max_new_tokens: int = Field(default=128, ge=1, le=8192)
    """Tokens at most; an answer that reaches it is cut."""


class RunSpec(Spec):
    """What all runs have: an id, a method, and where they compute."""

    id: str
    """Run id; made by the client."""
    method: str
    precision: Precision = "auto"
    """auto takes bf16 where the CPU or GPU has it, else fp32; fp16 needs a GPU."""
    device: Device = "auto"
    """Where it computes: auto takes the GPU where there is one; cuda wants one, cpu leaves it alone."""
    threads: int = Field(default=0, ge=0, le=4096)
    """CPU threads; 0 leaves the choice to torch."""
    seed: int = Field(default=0, ge=0, le=MOST_SEED)
    """Where everything random in the run starts from."""
    stop_seconds: float = Field(default=180.0, gt=0.0)
    """How long a stop may take to finish what it must before the job is killed."""
    auto_resume: int = Field(default=0, ge=0, le=100)
    """How many times the run is resumed by itself after a crash, 30 s, 60 s, 120 s … later; never after a
    stop or a kill that somebody asked for, nor after an error that would only come again."""

    def models(self) -> tuple[ModelSource, ...]:
        """The models it works on, the one to be named first, first."""
        found = (getattr(self, name) for name in model_fields(type(self)))
        return tuple(each for each in found if isinstance(each, ModelSource))

    def needs_training_stack(self) -> bool:
        """Whether torch and transformers have to be installed for it."""
        return True


def model_fields(spec: type[RunSpec]) -> tuple[str, ...]:
    """Names of the settings that hold a model: a client may give a registry name there."""
    return tuple(name for name, info in spec.model_fields.items() if info.annotation is ModelSource)
