"""What is asked of a run, before it is one: preset, file, former run and flags laid over each other.

Plain values as they stand in TOML: models and data sets by name, nothing that has its default.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.runs.presets.read_presets import preset
from rlft_tui.runs.run_spec import ALL_SPECS, RunSpec, command_of, parse_spec
from rlft_tui.runs.spec_fields import NO_SETTINGS, get_value, laid_over, set_value, spec_fields
from rlft_tui.runs.specs.base import model_fields
from rlft_tui.runs.specs.rewards import RewardPart

_MADE_AT_LAUNCH = ("id", "prompts")


def layered(
    method: str,
    *,
    preset_name: str = "",
    clone: Mapping[str, Any] | None = None,
    file: Mapping[str, Any] | None = None,
    file_name: str = "",
    flags: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The values of a run of this method; each source goes before those named earlier.

    RlftError when the run cloned or the file is one of another method.
    """
    below = preset(method, preset_name).values if preset_name else {}
    if clone is not None:
        below = laid_over(below, cloned(method, clone))
    if file is not None:
        other = file.get("method", method)
        if other != method:
            raise RlftError(
                f"a spec for {other}, not for {method}",
                where=file_name,
                remedy=f'Name another file, or write method = "{method}"',
            )
        require_settings(method, file, where=file_name)
        below = laid_over(below, file)
    return {"method": method, **laid_over(below, flags or {})}


def cloned(method: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run as the beginning of another: its models by name, its id as the parent."""
    if spec["method"] != method:
        raise RlftError(
            f"a {spec['method']} run, not one of {method}",
            where=str(spec["id"]),
            remedy=f"rlft {command_of(str(spec['method']))} --clone {spec['id']}",
        )
    values = {name: value for name, value in spec.items() if name not in _MADE_AT_LAUNCH}
    for name in model_fields(ALL_SPECS[method]):
        values[name] = spec[name]["name"]
    if "rewards" in spec:
        values["rewards"] = [_by_name(part) for part in spec["rewards"]]
    if "parent" in ALL_SPECS[method].model_fields:
        values["parent"] = spec["id"]
    return values


def _by_name(reward: Any) -> Any:
    """A reward without the model that the server filled in."""
    if not isinstance(reward, Mapping):
        return reward
    part = {key: value for key, value in reward.items() if key != "model"}
    return RewardPart.model_validate(part).model_dump(mode="json")


def complete(method: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with every default written out."""
    whole = dict(values)
    for field in spec_fields(ALL_SPECS[method]):
        if get_value(whole, field.path) is None and field.default is not None:
            whole = laid_over(whole, _at(field.path, field.default))
    return whole


def check_values(values: Mapping[str, Any], *, where: str) -> RunSpec:
    """Validate before anything is started; a model given by name counts as found."""
    method = values.get("method")
    models = model_fields(ALL_SPECS[method]) if isinstance(method, str) and method in ALL_SPECS else ()
    stand_ins = {
        name: {"name": values[name], "path": values[name]}
        for name in models
        if isinstance(values.get(name), str)
    }
    return parse_spec({**values, **stand_ins}, where=where)


def _at(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    set_value(made, path, value)
    return made


def require_settings(method: str, values: Mapping[str, Any], *, where: str) -> None:
    """RlftError for what is no setting of the method, with the nearest one, and for a part that is none."""
    fields = spec_fields(ALL_SPECS[method])
    parts = {field.path[0] for field in fields if len(field.path) > 1}
    known = {field.name for field in fields} | NO_SETTINGS
    for name, value in values.items():
        if name in parts and not isinstance(value, Mapping):
            raise RlftError(f"{name} is not a table", where=where, remedy=f"Write [{name}]")
        for leaf in [f"{name}.{inner}" for inner in value] if name in parts else [name]:
            if leaf not in known:
                near = difflib.get_close_matches(leaf, sorted(known), n=1)
                raise RlftError(
                    f"{leaf} is no setting of {method}",
                    where=where,
                    remedy=f"Did you mean {near[0]}?"
                    if near
                    else f"rlft {command_of(method)} --help lists every setting",
                )
