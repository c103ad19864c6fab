"""The settings of a run spec one by one: what flags, form, presets and reference are made from.

A spec is a pydantic model with parts such as ``lora``; ``spec_fields`` walks it once, so that a
setting is declared in one place and shows up everywhere under the same name.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rlft_tui.record import Record
from rlft_tui.runs.specs.base import ModelSource

Kind = Literal["integer", "number", "text", "choice", "switch", "names", "numbers", "model", "dataset"]

NO_SETTINGS = frozenset({"id", "method", "parent", "prompts"})
"""Made by whoever launches, or filled in by the server."""

OWN = "Method"
"""The theme of what only some methods have, such as ``beta``: every name that stands under no other."""
THEMES: dict[str, tuple[str, ...]] = {
    "Model and data": (
        "model", "model_a", "model_b", "dataset", "max_length", "assistant_only", "packing", "output_name",
        "policy",
    ),
    OWN: ("beta", "loss_type"),
    "KL to the reference": (
        "init_kl_coef", "adaptive_kl", "target_kl", "kl_unit", "kl_horizon", "kl_estimator",
    ),
    "Answers and rewards": (
        "rewards", "reward_seconds", "generations", "max_new_tokens", "temperature", "top_p", "sampling_a",
        "sampling_b", "missing_eos_penalty", "missing_eos", "score_clip", "normalize_scores", "center_scores",
    ),
    "Steps and batches": (
        "max_steps", "epochs", "batch_size", "mini_batch_size", "gradient_accumulation", "ppo_epochs",
        "generation_batch_size", "pass_tokens",
    ),
    "Optimiser": (
        "learning_rate", "value_learning_rate", "optimizer", "scheduler", "warmup_fraction", "weight_decay",
        "max_grad_norm",
    ),
    "Weights and memory": (
        "adaptation", "lora", "quantization", "gradient_checkpointing", "backend", "precision",
        "share_reward_base", "rollouts", "vllm", "vllm_memory", "importance_cap",
    ),
    "Measures and samples": (
        "evaluate", "evaluate_every", "evaluate_suite", "evaluate_items", "evaluate_prompts",
        "sample_every", "sample_prompts", "sampling",
        "answers_every", "round",
    ),
    "Checkpoints": ("checkpoint_every", "keep_checkpoints", "keep_best", "early_stopping", "use_best"),
    "Alarms": ("alarms",),
    "Machine": ("device", "processes", "threads", "seed", "stop_seconds", "auto_resume", "trackers"),
}  # fmt: skip
"""Heading → names of settings or of whole parts, in the order in which people are shown them."""


class SpecField(Record, frozen=True):
    """One setting."""

    path: tuple[str, ...]
    """Where it stands in the spec, such as ("lora", "r")."""
    kind: Kind
    help: str
    default: Any = None
    """A plain value; None for one that must be given, or for nothing."""
    choices: tuple[str, ...] = ()
    bounds: str = ""
    """Such as ``≥ 1, ≤ 512``."""
    theme: str = OWN

    @property
    def name(self) -> str:
        """``lora.r``, as in TOML."""
        return ".".join(self.path)

    @property
    def flag(self) -> str:
        """``--lora-r``; the two sides of a generate run come last: ``--temperature-a``.

        What there may be several of is given one by one: ``--reward a --reward b`` for ``rewards``.
        """
        group, *rest = self.path
        if self.kind in ("names", "numbers"):
            return "--" + "-".join(self.path).replace("_", "-").removesuffix("s")
        if group.startswith("sampling_") and rest:
            return f"--{'-'.join(rest)}-{group.removeprefix('sampling_')}".replace("_", "-")
        return "--" + "-".join(self.path).replace("_", "-")

    def words(self, value: Any) -> list[str]:
        """The value as it is given on the command line."""
        if self.kind == "switch":
            return [self.flag if value else "--no-" + self.flag.removeprefix("--")]
        if self.kind in ("names", "numbers"):
            return [word for each in value for word in (self.flag, as_text(each))]
        return [self.flag, as_text(value)]

    def shown_default(self) -> str:
        """For people; empty where there is nothing to say."""
        if self.kind == "switch":
            return "on" if self.default else "off"
        return "" if self.default is None else as_text(self.default)


def as_text(value: Any) -> str:
    """A plain value as it is typed: 1e-05, true, a list with commas; nothing at all for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, list | tuple):
        return ",".join(as_text(each) for each in value)
    return str(value)


@lru_cache(maxsize=32)
def spec_fields(spec: type[BaseModel]) -> tuple[SpecField, ...]:
    """Every setting of a spec, parts flattened, theme after theme."""
    found = [each for each in _walk(spec, (), {}) if each.path[0] not in NO_SETTINGS]
    return tuple(sorted(found, key=_place))


def get_value(values: Mapping[str, Any], path: Sequence[str]) -> Any:
    """What stands at a path of nested values; None where nothing does."""
    found: Any = values
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def set_value(values: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Put a value at a path, making the parts above it."""
    for name in path[:-1]:
        values = values.setdefault(name, {})
    values[path[-1]] = value


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both together, sharing no part with either; where both say something ``above`` wins, part by part."""
    merged = {
        name: laid_over(value, {}) if isinstance(value, Mapping) else value for name, value in below.items()
    }
    for name, value in above.items():
        under = merged.get(name, {})
        merged[name] = (
            laid_over(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
        )
    return merged


def _place(field: SpecField) -> tuple[int, int]:
    """Theme and place in it; what is named in no theme keeps the spec's order, behind what is."""
    names = THEMES[field.theme]
    place = names.index(field.path[0]) if field.path[0] in names else len(names)
    return list(THEMES).index(field.theme), place


def _walk(spec: type[BaseModel], outer: tuple[str, ...], defaults: Mapping[str, Any]) -> Iterator[SpecField]:
    for name, info in spec.model_fields.items():
        path = (*outer, name)
        default = defaults[name] if name in defaults else _default(info)
        annotation = _without_none(info.annotation)
        if (
            inspect.isclass(annotation)
            and issubclass(annotation, BaseModel)
            and annotation is not ModelSource
        ):
            yield from _walk(annotation, path, _plain(default) or {})
            continue
        kind, choices = ("dataset", ()) if path == ("dataset",) else _kind(annotation)
        yield SpecField(
            path=path,
            kind=kind,
            help=" ".join((info.description or "").split()),
            default=_plain(default),
            choices=choices,
            bounds=_bounds(info),
            theme=_theme(path),
        )


def _default(info: FieldInfo) -> Any:
    return None if info.is_required() else info.get_default(call_default_factory=True, validated_data={})


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [each for each in get_args(annotation) if each is not type(None)]
        return kinds[0] if len(kinds) == 1 else annotation
    return annotation


def _kind(annotation: Any) -> tuple[Kind, tuple[str, ...]]:
    if annotation is ModelSource:
        return "model", ()
    if get_origin(annotation) is Literal:
        return "choice", tuple(str(each) for each in get_args(annotation))
    if get_origin(annotation) in (tuple, list):
        inner = get_args(annotation)[0]
        return "numbers" if inner in (int, float) else "names", _kind(inner)[1]
    plain: dict[Any, Kind] = {bool: "switch", int: "integer", float: "number"}
    return plain.get(annotation, "text"), ()


def _bounds(info: FieldInfo) -> str:
    return ", ".join(
        f"{sign} {getattr(bound, name):g}"
        for bound in info.metadata
        for name, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))
        if getattr(bound, name, None) is not None
    )


def _theme(path: tuple[str, ...]) -> str:
    for theme, names in THEMES.items():
        if path[0] in names:
            return theme
    return OWN
