"""The launch form's state: settings taken from the run spec, checked by the run spec."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rlft_tui.ids import new_run_id
from rlft_tui.runs.methods import METHODS, command_of

if TYPE_CHECKING:
    from rlft_tui.runs.spec_fields import SpecField

__all__ = ("METHODS", "PROMPTS", "LaunchForm", "first_fields")

PROMPTS = "prompts"
"""How many prompts a generate run answers: asked for here, but no setting of its spec."""
PROMPT_COUNT = 50
_OF_ONE_RUN = ("output_name",)
"""Settings that another run does not take over."""

_TRAINING = ("model", "dataset", "max_steps", "learning_rate", "batch_size", "max_length", "lora.r")
_REWARDED = ("model", "dataset", "rewards", "max_steps", "learning_rate", "max_new_tokens")
FIRST: dict[str, tuple[str, ...]] = {
    "sft": (*_TRAINING, "quantization", "packing"),
    "reward": (*_TRAINING, "margins"),
    "dpo": (*_TRAINING, "beta", "loss_type"),
    "kto": (*_TRAINING, "beta", "desirable_weight", "undesirable_weight"),
    "grpo": (*_REWARDED, "generations", "beta", "batch_size", "lora.r"),
    "rloo": (*_REWARDED, "generations", "beta", "batch_size", "lora.r"),
    "ppo": (*_REWARDED, "target_kl", "batch_size", "mini_batch_size", "lora.r"),
    "generate": (
        "model_a",
        "model_b",
        PROMPTS,
        "sampling_a.temperature",
        "sampling_b.temperature",
        "sampling_a.max_new_tokens",
        "sampling_b.max_new_tokens",
    ),
}
"""The few that matter, in this order; the others stand under "more"."""


def first_fields(method: str) -> tuple[SpecField, ...]:
    """The settings of a method that matter most."""
    made = {each.name: each for each in fields_of(method)}
    return tuple(made[name] for name in FIRST.get(method, _TRAINING) if name in made)


def fields_of(method: str) -> tuple[SpecField, ...]:
    """Every field of the form, theme after theme."""
    from rlft_tui.runs.run_spec import SPECS
    from rlft_tui.runs.spec_fields import SpecField, spec_fields

    made = spec_fields(SPECS[method])
    if method != "generate":
        return made
    count = SpecField(
        (PROMPTS,), "integer", "How many are answered, from the first on.", PROMPT_COUNT, (), "≥ 1"
    )
    return (count, *made)


@dataclass(slots=True)
class LaunchForm:
    """What was chosen so far for one method, and what the spec says to it."""

    method: str = "dpo"
    preset: str = ""
    clone: dict[str, Any] | None = None
    """The spec of the run that the form begins with; a preset has no say then."""
    typed: dict[str, Any] = field(default_factory=dict)
    """Settings that differ from what the form begins with: as text, or as they stood in a TOML file."""
    known: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Names the workspace has, by setting; one that is not here is not checked against any."""
    _begun: dict[str, Any] | None = None

    @property
    def fields(self) -> tuple[SpecField, ...]:
        return fields_of(self.method)

    @property
    def parent(self) -> str:
        """The run it was cloned from; empty for none."""
        return str(self.clone["id"]) if self.clone is not None else ""

    def field_named(self, name: str) -> SpecField:
        return next(each for each in self.fields if each.name == name)

    def begins_with(self, name: str) -> Any:
        """The value before anything was typed: the cloned run's, the preset's, the method's own."""
        from rlft_tui.runs.spec_fields import get_value

        each = self.field_named(name)
        value = get_value(self._below(), each.path)
        return each.default if value is None else value

    def text(self, name: str) -> str:
        """What the field shows."""
        from rlft_tui.runs.spec_fields import as_text

        return as_text(self.typed[name] if name in self.typed else self.begins_with(name))

    def set(self, name: str, text: str) -> None:
        """Take what was typed; what the form begins with, or nothing at all, leaves that."""
        from rlft_tui.runs.spec_fields import as_text

        if text.strip() == self.text(name):
            return
        if text.strip() in ("", as_text(self.begins_with(name))):
            self.typed.pop(name, None)
        else:
            self.typed[name] = text.strip()

    def begin_with(self, preset: str) -> None:
        """Begin with a preset, or with nothing but the method's defaults; what was typed stays.

        After a clone its model and data set stay too.
        """
        kept = {each.name: self.text(each.name) for each in self.fields if each.kind in ("model", "dataset")}
        self.preset, self.clone, self._begun = preset, None, None
        for name, text in kept.items():
            self.set(name, text)

    def for_method(self, method: str) -> LaunchForm:
        """Another method's form, with what this one was given and the other has too.

        After a clone that is whatever the run had other than its method's defaults: a method's own
        learning rate is no choice of anybody.
        """
        from rlft_tui.runs.spec_fields import as_text

        other = LaunchForm(method, preset=self.preset if method != "generate" else "")
        if self.clone is None:
            return other
        mine = {each.name: each for each in self.fields}
        for each in other.fields:
            same = mine.get(each.name)
            if same is None or same.kind != each.kind or each.name in _OF_ONE_RUN:
                continue
            text = self.text(each.name)
            if text and text != as_text(same.default) and (not each.choices or text in each.choices):
                other.set(each.name, text)
        return other

    def take(self, values: Mapping[str, Any], *, where: str) -> None:
        """Take the settings of a TOML file; what it does not name goes back to what the form begins with.

        RlftError for a file of another method or with what is no setting; a wrong value is taken,
        and told at its field.
        """
        from rlft_tui.runs.launch_values import layered
        from rlft_tui.runs.spec_fields import get_value

        layered(self.method, file=values, file_name=where)
        taken = {}
        for each in self.fields:
            value = self.typed.get(PROMPTS) if each.name == PROMPTS else get_value(values, each.path)
            if each.kind == "model" and isinstance(value, Mapping):  # as a run.toml has it
                value = value.get("name")
            if value is not None and value != self.begins_with(each.name):
                taken[each.name] = value
        self.typed = taken

    def errors(self) -> dict[str, str]:
        """One line for each field that is wrong, in the spec's words; "" for what is wrong with several."""
        from pydantic import ValidationError

        from rlft_tui.runs.run_spec import SPECS

        found: dict[str, str] = {}
        for each in self.fields:
            if each.kind in ("model", "dataset"):
                name = self.text(each.name)
                what = "data set" if each.kind == "dataset" else "model"
                if not name:
                    found[each.name] = "choose one"
                elif name not in self.known.get(each.name, (name,)):
                    found[each.name] = f"no {what} of this name here"
            elif each.name == PROMPTS and not _is_count(self.text(PROMPTS)):
                found[PROMPTS] = "must be a whole number from 1"
        try:
            SPECS[self.method].model_validate(self._whole())
        except ValidationError as error:
            for problem in error.errors():
                found.setdefault(self._field_of(problem["loc"]), _message(str(problem["msg"])))
        return found

    def values(self) -> dict[str, Any]:
        """For ``client.launch``: names for models and data set, and the settings that were chosen."""
        from rlft_tui.runs.run_spec import SPECS
        from rlft_tui.runs.spec_fields import get_value, laid_over, set_value

        chosen = laid_over(self._below(), {"method": self.method, "id": new_run_id(self.method)})
        parsed = SPECS[self.method].model_validate(self._whole()).model_dump(mode="json")
        for each in self.fields:
            if each.kind in ("model", "dataset"):
                set_value(chosen, each.path, self.text(each.name))
            elif each.name in self.typed and each.name != PROMPTS:
                set_value(chosen, each.path, get_value(parsed, each.path))
        return chosen

    def plain(self) -> dict[str, Any]:
        """Everything chosen as it stands in a TOML file, wrong values too."""
        from rlft_tui.runs.spec_fields import laid_over, set_value

        if not self.errors():
            return {name: value for name, value in self.values().items() if name != "id"}
        whole = laid_over(self._below(), {})
        for each in self.fields:
            if each.kind in ("model", "dataset") or (each.name in self.typed and each.name != PROMPTS):
                set_value(whole, each.path, self.typed.get(each.name, self.text(each.name)))
        return whole

    @property
    def prompt_count(self) -> int:
        return int(self.text(PROMPTS))

    def command(self) -> str:
        """The command line that does the same."""
        from rlft_tui.runs.spec_fields import as_text

        words = ["rlft", *command_of(self.method).split()]
        whole = self.clone is not None and self.method == "generate"  # no flag begins with such a run
        if self.clone is not None and not whole:
            words += ["--clone", self.parent]
        elif self.preset:
            words += ["--preset", self.preset]
        for each in self.fields:
            text = self.text(each.name)
            said = each.name in self.typed or each.kind in ("model", "dataset")
            if each.name == PROMPTS:
                words += ["--count", text]
            elif text and (said or (whole and text != as_text(each.default))):
                words += each.words(_plain(each, self.typed.get(each.name, text)))
        return shlex.join(words)

    def _below(self) -> dict[str, Any]:
        """The values that the form begins with; not to be changed."""
        from rlft_tui.runs.launch_values import layered

        if self._begun is None:
            preset = "" if self.clone else self.preset
            self._begun = layered(self.method, preset_name=preset, clone=self.clone)
        return self._begun

    def _whole(self) -> dict[str, Any]:
        """Everything chosen, for validation; names stand in for what the server fills in."""
        from rlft_tui.runs.spec_fields import laid_over, set_value

        whole = laid_over(self._below(), {"id": "new"})
        for each in self.fields:
            text = self.text(each.name)
            if each.kind == "model":
                whole[each.name] = {"name": text, "path": text}
            elif each.kind == "dataset":
                whole[each.name] = text
            elif each.name in self.typed and each.name != PROMPTS:
                set_value(whole, each.path, self.typed[each.name])
        return whole

    def _field_of(self, place: tuple[int | str, ...]) -> str:
        """The field that a validation error belongs to: ``rewards.1`` is about ``rewards``."""
        names = {each.name for each in self.fields}
        for end in range(len(place), 0, -1):
            if (name := ".".join(str(part) for part in place[:end])) in names:
                return name
        return ""


def _plain(each: SpecField, value: Any) -> Any:
    """What was typed, as the value that ``SpecField.words`` puts on the command line."""
    if each.kind == "switch":
        return value in (True, "true")
    if each.kind in ("names", "numbers") and isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _message(text: str) -> str:
    plain = text.removeprefix("Value error, ").replace("Input should be", "must be").split(", unable")[0]
    return plain[:1].lower() + plain[1:]


def _is_count(text: str) -> bool:
    return text.isdecimal() and int(text) > 0
