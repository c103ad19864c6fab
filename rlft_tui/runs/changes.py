"""What may change while a run runs: alarm limits, and how often is sampled and measured.

The server writes the settings that are to be other than launched into the run's ``changes.json``, replaced
whole; the job looks at the file between steps. ``run.toml`` stays what was launched.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from typing import Any

from rlft_tui.errors import ConflictError, RlftError
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_setting import RunSetting
from rlft_tui.runs.run_spec import RunSpec, TrainingSpec, parse_spec
from rlft_tui.runs.spec_fields import SpecField, as_text, get_value, set_value, spec_fields

OFTEN = ("sample_every", "evaluate_every", "answers_every")


def changeable(spec: RunSpec) -> tuple[SpecField, ...]:
    """The settings of a run that may change; none for one that does not train."""
    if not isinstance(spec, TrainingSpec):
        return ()
    return tuple(
        field for field in spec_fields(type(spec)) if field.path[0] == "alarms" or field.name in OFTEN
    )


def short_name(field: SpecField) -> str:
    """Without the part it stands in."""
    return field.path[-1]


def read_changes(folder: RunFolder) -> dict[str, Any]:
    """By dotted name; nothing where nothing was changed, or where the file cannot be read."""
    try:
        found = json.loads(folder.changes.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def changed_spec(spec: RunSpec, changes: Mapping[str, Any]) -> RunSpec:
    """The spec with changes laid over it; RlftError names the first that is wrong."""
    values = spec.model_dump(mode="json")
    for name, value in changes.items():
        set_value(values, name.split("."), value)
    return parse_spec(values, where=spec.id)


def settings(folder: RunFolder, spec: RunSpec) -> tuple[RunSetting, ...]:
    """All that may change, as it stands."""
    launched = spec.model_dump(mode="json")
    now = changed_spec(spec, read_changes(folder)).model_dump(mode="json")
    return tuple(
        RunSetting(
            name=short_name(field),
            value=as_text(get_value(now, field.path)),
            launched=as_text(get_value(launched, field.path)),
            kind=field.kind,
            help=field.help,
            choices=field.choices,
            bounds=field.bounds,
        )
        for field in changeable(spec)
    )


def change(folder: RunFolder, spec: RunSpec, asked: Mapping[str, Any]) -> str:
    """Write the changes down for the job; what they are, in words, empty when nothing changes.

    ``asked``: plain values or texts by short or dotted name. RlftError for a setting that may not change,
    or a value that no run can use: nothing is written then.
    """
    known = {name: field for field in changeable(spec) for name in (short_name(field), field.name)}
    if not known:
        raise ConflictError(f"nothing of a {spec.method} run can be changed", where=spec.id)
    before = read_changes(folder)
    after = dict(before)
    for name, value in asked.items():
        if name not in known:
            raise _unknown(spec, name, sorted({short_name(field) for field in known.values()}))
        if name == "evaluate_every" and not getattr(spec, "evaluate", True):
            raise ConflictError("evaluate_every: the run was launched with evaluate off", where=spec.id)
        after[known[name].name] = value
    old, new = changed_spec(spec, before), changed_spec(spec, after)
    said = differences(old, new)
    if said:
        _write(folder, {name: get_value(new.model_dump(mode="json"), name.split(".")) for name in after})
    return said


def differences(old: RunSpec, new: RunSpec) -> str:
    """``kl_warning 10 → 15, sample_every 10 → 20``."""
    a, b = old.model_dump(mode="json"), new.model_dump(mode="json")
    return ", ".join(
        f"{short_name(field)} {as_text(x)} → {as_text(y)}"
        for field in changeable(new)
        if (x := get_value(a, field.path)) != (y := get_value(b, field.path))
    )


def _unknown(spec: RunSpec, name: str, known: list[str]) -> RlftError:
    exists = name in {field.name for field in spec_fields(type(spec))}
    what = f"{name} cannot be changed while a run runs" if exists else f"a run has no setting {name!r}"
    near = difflib.get_close_matches(name, known, n=1)
    remedy = f"Did you mean {near[0]}?" if near and not exists else f"rlft runs set {spec.id} shows what can"
    return RlftError(what, where=spec.id, remedy=remedy)


def _write(folder: RunFolder, changes: dict[str, Any]) -> None:
    partial = folder.changes.with_suffix(".partial")
    try:
        with partial.open("w", encoding="utf-8") as stream:
            json.dump(changes, stream, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(folder.changes)
    except OSError as error:
        raise RlftError(f"the change was not stored: {error.strerror}", where=str(folder.changes)) from None
