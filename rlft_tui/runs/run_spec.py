"""What a run is asked to do: the one typed form behind TOML file, screen and flags.

A method is one spec below ``specs/``, its name in ``methods.py`` and its place in the union here.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, get_args

import tomli_w
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.runs.methods import METHODS, OTHER_METHODS, TRAINING_METHODS, command_of
from rlft_tui.runs.specs.base import ModelSource, RunSpec, Sampling, model_fields
from rlft_tui.runs.specs.completions import CompletionsSpec
from rlft_tui.runs.specs.dpo import DpoSpec
from rlft_tui.runs.specs.evaluate import EvaluateSpec
from rlft_tui.runs.specs.export import ExportSpec
from rlft_tui.runs.specs.generate import GenerateSpec, GenerationPrompt
from rlft_tui.runs.specs.grpo import GrpoSpec
from rlft_tui.runs.specs.imported import ImportedSpec
from rlft_tui.runs.specs.judge import JudgeSpec
from rlft_tui.runs.specs.kto import KtoSpec
from rlft_tui.runs.specs.ppo import PpoSpec
from rlft_tui.runs.specs.reward import RewardSpec
from rlft_tui.runs.specs.rloo import RlooSpec
from rlft_tui.runs.specs.sft import SftSpec
from rlft_tui.runs.specs.training import PolicySpec, TrainingSpec

__all__ = (
    "ALL_SPECS",
    "METHODS",
    "OTHER_SPECS",
    "SPECS",
    "TRAINING_METHODS",
    "GenerationPrompt",
    "ModelSource",
    "PolicySpec",
    "RunSpec",
    "Sampling",
    "TrainingSpec",
    "command_of",
    "model_fields",
    "parse_spec",
    "read_spec",
    "write_spec",
)

_AnySpec = SftSpec | RewardSpec | DpoSpec | KtoSpec | PpoSpec | GrpoSpec | RlooSpec | GenerateSpec
_OtherSpec = ExportSpec | JudgeSpec | EvaluateSpec | CompletionsSpec | ImportedSpec
_adapter: TypeAdapter[RunSpec] = TypeAdapter(
    Annotated[_AnySpec | _OtherSpec, Field(discriminator="method")], config=ConfigDict(defer_build=True)
)

SPECS: dict[str, type[RunSpec]] = {spec.model_fields["method"].default: spec for spec in get_args(_AnySpec)}
"""Each method's spec, in the order of the loop."""
OTHER_SPECS: dict[str, type[RunSpec]] = {
    method: spec
    for spec in get_args(_OtherSpec)
    if (method := spec.model_fields["method"].default) in OTHER_METHODS
}
"""Specs of the runs that have a command or screen of their own."""
ALL_SPECS = {**SPECS, **OTHER_SPECS}
assert tuple(SPECS) == METHODS
assert tuple(OTHER_SPECS) == OTHER_METHODS
assert tuple(m for m, spec in SPECS.items() if issubclass(spec, TrainingSpec)) == TRAINING_METHODS


def parse_spec(values: object, *, where: str = "run") -> RunSpec:
    """A validated spec; RlftError names the first field that is wrong."""
    try:
        return _adapter.validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        method = values.get("method") if isinstance(values, dict) else None
        field = ".".join(str(part) for part in first["loc"] if part not in (*METHODS, *OTHER_METHODS))
        known = isinstance(method, str) and method in (*METHODS, *OTHER_METHODS)
        command = command_of(str(method)) if known else "train dpo"
        # What a spec's own checks say is a sentence already; pydantic's begins with a capital.
        own = first["type"] == "value_error"
        said = str(first["ctx"]["error"]).rstrip(".") if own else _in_a_sentence(first["msg"])
        if first["type"] == "finite_number":
            said = "is not a finite number"
        raise RlftError(
            said if own and not field else f"{field or 'spec'}: {said}",
            where=where,
            remedy="" if said.endswith("?") else f"rlft {command} --help lists every setting",
        ) from None


def _in_a_sentence(message: str) -> str:
    """Only the first letter: a pattern or a name in it means what it says."""
    return message[:1].lower() + message[1:]


def read_spec(path: Path) -> RunSpec:
    """The spec in a run.toml."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise NotFoundError("no such spec file", where=str(path)) from None
    except UnicodeDecodeError:
        raise RlftError("not valid TOML: it is no UTF-8 text", where=str(path)) from None
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RlftError(f"not valid TOML: {error}", where=str(path)) from None
    except ValueError:  # Python parses no integer of more than 4300 digits
        raise RlftError("not valid TOML: a number in it is too long", where=str(path)) from None
    return parse_spec(values, where=str(path))


def write_spec(spec: RunSpec, path: Path) -> None:
    """Write the spec as TOML, complete with defaults."""
    path.write_bytes(tomli_w.dumps(spec.model_dump(mode="json", exclude_none=True)).encode())
