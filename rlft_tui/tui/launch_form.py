"""The launch form's state: fields taken from the run spec, checked by the run spec."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from rlft_tui.ids import new_run_id

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

Kind = Literal["integer", "number", "text", "choice"]
Method = Literal["dpo", "generate"]

FIRST: dict[Method, tuple[str, ...]] = {
    "dpo": ("model", "dataset", "max_steps", "learning_rate", "beta", "batch_size", "lora.r"),
    "generate": (
        "model_a",
        "model_b",
        "prompts",
        "sampling_a.temperature",
        "sampling_b.temperature",
        "sampling_a.max_new_tokens",
        "sampling_b.max_new_tokens",
    ),
}
"""The few that matter, in this order; the others stand under "more"."""

NAMED = frozenset({"model", "model_a", "model_b", "dataset", "prompts"})
"""Taken from the workspace's lists; the server turns them into folders and hashes."""

PROMPTS_HELP = "How many are answered, from the first on."


@dataclass(frozen=True, slots=True)
class FormField:
    """One line of the form."""

    name: str
    """Dotted as in the spec: ``lora.r``."""
    label: str
    help: str
    kind: Kind
    default: str
    choices: tuple[str, ...] = ()
    first: bool = False


@dataclass(slots=True)
class LaunchForm:
    """What was typed so far, and what the spec says to it."""

    method: Method = "dpo"
    typed: dict[str, str] = field(default_factory=dict)
    """Fields that differ from their default, as text."""
    fields: tuple[FormField, ...] = ()
    known: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Names the workspace has, by field; a field that is not here is not checked against any."""

    def __post_init__(self) -> None:
        self.fields = self.fields or form_fields(self.method)

    def field_named(self, name: str) -> FormField:
        return next(each for each in self.fields if each.name == name)

    def text(self, name: str) -> str:
        return self.typed.get(name, self.field_named(name).default)

    def set(self, name: str, text: str) -> None:
        """Take what was typed; the default or nothing at all leaves the default."""
        if text.strip() in ("", self.field_named(name).default):
            self.typed.pop(name, None)
        else:
            self.typed[name] = text.strip()

    def errors(self) -> dict[str, str]:
        """One line for each field that is wrong, in the spec's words."""
        from pydantic import ValidationError

        found: dict[str, str] = {}
        for each in self.fields:
            name = self.text(each.name)
            if each.name in NAMED and not name:
                found[each.name] = "choose one"
            elif each.name in self.known and name not in self.known[each.name]:
                found[each.name] = f"no {each.label} of this name here"
        if self.method == "generate" and not _is_count(self.text("prompts")):
            found["prompts"] = "must be a whole number from 1"
        try:
            _spec_class(self.method).model_validate(self._nested())
        except ValidationError as error:
            for problem in error.errors():
                name = ".".join(str(part) for part in problem["loc"])
                message = str(problem["msg"]).replace("Input should be", "must be")
                found.setdefault(name, message[:1].lower() + message[1:].split(", unable")[0])
        return found

    def values(self) -> dict[str, Any]:
        """For ``client.launch``: names for models and data set, and the settings that were changed."""
        parsed = _spec_class(self.method).model_validate(self._nested()).model_dump(mode="json")
        chosen: dict[str, Any] = {"method": self.method, "id": new_run_id(self.method)}
        for name in self.typed:
            if name in NAMED:
                continue
            group, _, leaf = name.rpartition(".")
            if group:
                # A group is sent whole: half of one would take the class's defaults, not the spec's.
                chosen[group] = parsed[group]
            else:
                chosen[leaf] = parsed[leaf]
        for each in self.fields:
            if each.name in NAMED and each.name != "prompts":
                chosen[each.name] = self.text(each.name)
        return chosen

    def _nested(self) -> dict[str, Any]:
        """Everything typed, for validation: names stand in for what the server fills in."""
        whole: dict[str, Any] = {"method": self.method, "id": "new"}
        for each in self.fields:
            group, _, leaf = each.name.rpartition(".")
            text = self.text(each.name)
            if each.name == "prompts":
                continue
            if each.name in NAMED and each.name != "dataset":
                whole[each.name] = {"name": text, "path": text}
            elif group:
                whole.setdefault(group, {})[leaf] = text
            else:
                whole[each.name] = text
        return whole

    @property
    def prompt_count(self) -> int:
        return int(self.text("prompts"))

    def command(self) -> str:
        """The command line that does the same."""
        from rlft_tui.runs.methods import command_of

        words = ["rlft", *command_of(self.method).split()]
        for each in self.fields:
            text = self.text(each.name)
            if text and (each.name in self.typed or each.name in NAMED):
                words += flag(each.name, text)
        return shlex.join(words)


def flag(name: str, text: str) -> list[str]:
    """``lora.r`` becomes ``--lora-r``, ``sampling_a.top_p`` ``--top-p-a``; a switch has a negative form."""
    group, _, leaf = name.rpartition(".")
    side = group.removeprefix("sampling_") if group.startswith("sampling_") else ""
    word = "count" if name == "prompts" else f"{leaf}-{side}" if side else name
    word = word.replace(".", "-").replace("_", "-")
    if text == "true":
        return [f"--{word}"]
    if text == "false":
        return [f"--no-{word}"]
    return [f"--{word}", text]


def form_fields(method: Method) -> tuple[FormField, ...]:
    """The fields of a method: those that matter first, then the rest in the spec's order."""
    made = {each.name: each for each in _walk(_spec_class(method), FIRST[method])}
    rest = [name for name in made if name not in FIRST[method]]
    return tuple(made[name] for name in (*FIRST[method], *rest))


def _walk(spec: type[BaseModel], first: tuple[str, ...]) -> Iterator[FormField]:
    for name, info in spec.model_fields.items():
        if name in ("id", "method"):
            continue
        if name in NAMED:
            default = "50" if name == "prompts" else ""
            text = PROMPTS_HELP if name == "prompts" else _help(info)
            yield FormField(name, _label(name), text, "text", default, first=name in first)
            continue
        if name == "reward_models":
            continue  # the server fills it in
        group: dict[str, FieldInfo] = getattr(info.annotation, "model_fields", {})
        if group:
            for leaf, inner in group.items():
                full = f"{name}.{leaf}"
                yield _plain_field(full, inner, getattr(info.default, leaf), full in first)
            continue
        yield _plain_field(name, info, info.default, name in first)


def _plain_field(name: str, info: FieldInfo, default: object, first: bool) -> FormField:
    kind: Kind = "number"
    choices: tuple[str, ...] = ()
    if get_origin(info.annotation) is Literal:
        kind, choices = "choice", tuple(str(each) for each in get_args(info.annotation))
    elif info.annotation is bool:
        kind, choices = "choice", ("true", "false")
    elif info.annotation is int:
        kind = "integer"
    elif info.annotation is str or get_origin(info.annotation) is tuple:
        kind = "text"
    return FormField(name, _label(name), _help(info), kind, _text(default), choices, first)


_LABELS = {
    "dataset": "data set",
    "max_steps": "steps",
    "lora.r": "LoRA r",
    "lora.alpha": "LoRA alpha",
    "lora.dropout": "LoRA dropout",
    "batch_size": "batch",
    "model_a": "model A",
    "model_b": "model B",
    "sampling_a.temperature": "temperature A",
    "sampling_b.temperature": "temperature B",
    "sampling_a.max_new_tokens": "max tokens A",
    "sampling_b.max_new_tokens": "max tokens B",
    "sampling_a.top_p": "top p A",
    "sampling_b.top_p": "top p B",
    "sampling.temperature": "sample temp.",
    "sampling.top_p": "sample top p",
    "sampling.max_new_tokens": "sample tokens",
    "gradient_accumulation": "accumulation",
    "warmup_fraction": "warm-up",
    "max_grad_norm": "max grad norm",
    "checkpoint_every": "checkpoint each",
    "keep_checkpoints": "checkpoints",
    "sample_every": "sample each",
}


def _label(name: str) -> str:
    return _LABELS.get(name, name.replace(".", " ").replace("_", " "))


def _help(info: FieldInfo) -> str:
    return " ".join((info.description or "").split())


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_count(text: str) -> bool:
    return text.isdecimal() and int(text) > 0


def _spec_class(method: Method) -> type[BaseModel]:
    from rlft_tui.runs.run_spec import SPECS

    return SPECS[method]
