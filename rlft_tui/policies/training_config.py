"""Settings of a policy's training as the service and the Python API name them.

A config is complete: a preset fills in what was not said, then come the defaults of PPO. Every further
setting of a PPO run (``ppo_epochs``, ``max_new_tokens``, ``lora_alpha`` …) is taken by its own name, and
every name in camelCase too.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from rlft_tui.errors import RlftError
from rlft_tui.runs.launch_values import check_values
from rlft_tui.runs.presets.read_presets import preset as read_preset
from rlft_tui.runs.run_spec import SPECS
from rlft_tui.runs.spec_fields import laid_over, set_value, spec_fields
from rlft_tui.runs.specs.base import MOST_ROWS, MOST_STEPS, Device

DEFAULT_MODEL = "smollm2-135m"
_FILLED_IN = frozenset({"id", "method", "model", "dataset", "rewards", "policy", "output_name", "parent"})
"""What the training itself decides."""
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class _Settings(BaseModel):
    """Takes camelCase and further settings by name."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )

    def further(self) -> dict[str, Any]:
        """The settings that have no field here, in snake_case."""
        return {snake(name): _snaked(value) for name, value in (self.model_extra or {}).items()}


class RewardModelConfig(_Settings):
    """How the reward model is trained on the scores before the policy is."""

    num_epochs: float = Field(default=5.0, gt=0.0, le=1000.0)
    """Passes over the scored answers; fewer where it learns them by heart."""
    learning_rate: float = Field(default=2e-4, gt=0.0, lt=1.0)
    """Peak learning rate of its adapter and head."""
    batch_size: int = Field(default=4, ge=1, le=MOST_ROWS)
    """Answers in one optimiser step."""
    lora_r: int = Field(default=16, ge=1, le=512)
    """Rank of its adapter."""
    lora_dropout: float = Field(default=0.05, ge=0.0, lt=1.0)
    """Dropout on its adapter's input; 0.2 where it learns the scores by heart."""


class TrainingConfig(_Settings):
    """What a policy is trained with; the defaults are those of PPO."""

    base_model: str = DEFAULT_MODEL
    """A model's name, its folder, or its id on the hub."""
    preset: str = ""
    """quick, production, low-memory or high-performance: what it sets holds where nothing else is said."""
    use_lora: bool = True
    """Train an adapter; false trains every weight."""
    learning_rate: float = Field(default=1e-5, gt=0.0, lt=1.0)
    """Of the policy, at its highest."""
    max_steps: int = Field(default=50, ge=1, le=MOST_STEPS)
    """Updates: answers are drawn, rewarded and learned from once each."""
    batch_size: int = Field(default=32, ge=1, le=MOST_ROWS)
    """Prompts answered an update."""
    mini_batch_size: int = Field(default=8, ge=1, le=MOST_ROWS)
    """Answers at most in one forward and backward pass."""
    gradient_accumulation_steps: int = Field(default=1, ge=1, le=MOST_ROWS)
    """Passes an optimiser step."""
    lora_r: int = Field(default=16, ge=1, le=512)
    """Rank of the policy's adapter."""
    init_kl_coef: float = Field(default=0.05, ge=0.0)
    """What a nat of KL to the base costs at the beginning."""
    target_kl: float = Field(default=6.0, gt=0.0)
    """KL at which it settles, nats of a whole answer; 3 holds the policy closer."""
    device: Device = "auto"
    """auto takes the GPU where there is one."""
    reward_model_config: RewardModelConfig = RewardModelConfig()

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        given = {snake(str(name)): value for name, value in values.items()}
        if name := given.get("preset"):
            given = _from_preset(str(name)) | given
        return given

    @property
    def model_config_line(self) -> dict[str, Any]:
        """What a dry run says of it."""
        return {
            "base_model": self.base_model,
            "use_lora": self.use_lora,
            "learning_rate": self.learning_rate,
        }


def training_config(given: Mapping[str, Any]) -> TrainingConfig:
    """A checked config; RlftError in one line, with the nearest name for one that is no setting."""
    try:
        config = TrainingConfig.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RlftError(f"{place or 'settings'}: {first['msg'][:1].lower()}{first['msg'][1:]}") from None
    # The models and the data are found later; whether the settings fit together shows now.
    known = {"id": "x", "model": config.base_model, "dataset": "x"}
    for values in (ppo_values(config), reward_values(config)):
        check_values({**values, **known}, where="")
    return config


def ppo_values(config: TrainingConfig) -> dict[str, Any]:
    """The values of the PPO run, without its model, data and reward; RlftError for an unknown setting."""
    values = dict(read_preset("ppo", config.preset).values) if config.preset else {}
    named = {
        "adaptation": "lora" if config.use_lora else "full",
        "learning_rate": config.learning_rate,
        "max_steps": config.max_steps,
        "batch_size": config.batch_size,
        "mini_batch_size": config.mini_batch_size,
        "gradient_accumulation": config.gradient_accumulation_steps,
        "init_kl_coef": config.init_kl_coef,
        "target_kl": config.target_kl,
        "device": config.device,
        # alpha / r, the scale of the update, stays what it is by default.
        "lora": {"r": config.lora_r, "alpha": 2 * config.lora_r},
    }
    return {"method": "ppo", **laid_over(laid_over(values, named), _further("ppo", config.further()))}


def reward_values(config: TrainingConfig) -> dict[str, Any]:
    """The same for the reward model's run."""
    own = config.reward_model_config
    named = {
        "adaptation": "lora" if config.use_lora else "full",
        "device": config.device,
        "max_steps": 0,
        "epochs": own.num_epochs,
        "learning_rate": own.learning_rate,
        "batch_size": own.batch_size,
        "lora": {"r": own.lora_r, "alpha": 2 * own.lora_r, "dropout": own.lora_dropout},
    }
    shared = {
        name: value
        for name, value in _further("ppo", config.further()).items()
        if name in ("seed", "threads", "precision", "max_length", "quantization")
    }
    return {"method": "reward", **laid_over(named | shared, _further("reward", own.further()))}


def snake(name: str) -> str:
    """maxSteps → max_steps."""
    return _WORD.sub("_", name).lower()


def _snaked(value: Any) -> Any:
    return {snake(str(name)): one for name, one in value.items()} if isinstance(value, Mapping) else value


def _further(method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a method by name: a part whole (``sampling``), or one of it (``lora_alpha``)."""
    spec = SPECS[method]
    known = {"_".join(field.path): field.path for field in spec_fields(spec)}
    parts = {name for name in spec.model_fields if name not in _FILLED_IN}
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name in _FILLED_IN or name not in known.keys() | parts:
            possible = sorted((known.keys() | parts) - _FILLED_IN)
            near = difflib.get_close_matches(name, [*possible, *TrainingConfig.model_fields], n=1)
            raise RlftError(
                f"no setting called {name!r}", remedy=f"Did you mean {near[0]}?" if near else "See /docs"
            )
        set_value(values, known.get(name, (name,)), value)
    return values


def _from_preset(name: str) -> dict[str, Any]:
    """A preset's values under the names of this config."""
    values = read_preset("ppo", name).values
    named = {
        own: values[setting]
        for own, setting in (
            ("learning_rate", "learning_rate"),
            ("max_steps", "max_steps"),
            ("batch_size", "batch_size"),
            ("mini_batch_size", "mini_batch_size"),
            ("gradient_accumulation_steps", "gradient_accumulation"),
            ("device", "device"),
        )
        if setting in values
    }
    if "adaptation" in values:
        named["use_lora"] = values["adaptation"] == "lora"
    if r := values.get("lora", {}).get("r"):
        named["lora_r"] = r
        named["reward_model_config"] = {"lora_r": r}
    return named
