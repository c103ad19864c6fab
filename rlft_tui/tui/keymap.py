"""Remapped keys, checked before they are used."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from textual.binding import Binding, BindingType

from rlft_tui.record import Record


class CheckedKeymap(Record, frozen=True):
    """The overrides that can be used, and one line for each that cannot."""

    usable: dict[str, str]
    problems: tuple[str, ...]


def check_keymap(
    keymap: Mapping[str, str],
    places: Mapping[str, Iterable[BindingType]],
    modes: Mapping[str, str] | None = None,
) -> CheckedKeymap:
    """Check overrides against all the bindings that can be reached at each place (a screen).

    Refused: an id that no place has, an empty key, and a key that another action of a place
    already has. ``modes`` names the mode of an action, where not all can be done at the same time:
    actions of two modes may have the same key.
    """
    modes = modes or {}
    defaults = {place: _defaults(bindings) for place, bindings in places.items()}
    known = sorted({name for names in defaults.values() for name in names})
    usable: dict[str, str] = {}
    problems: list[str] = []
    for name, keys in keymap.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            problems.append(
                f"keymap: unknown action {name!r}" + (f", did you mean {near[0]}?" if near else "")
            )
        elif not all(key.strip() for key in keys.split(",")):
            problems.append(f"keymap: {name} = {keys!r} names no key")
        else:
            usable[name] = keys
    for name, keys in list(usable.items()):
        if (clash := _clash(name, keys, usable, defaults, modes)) is not None:
            problems.append(f"keymap: {name} = {keys!r} is already the key of {clash}; kept as it was")
            del usable[name]
    return CheckedKeymap(usable, tuple(problems))


def _clash(
    name: str,
    keys: str,
    usable: Mapping[str, str],
    defaults: Mapping[str, Mapping[str, frozenset[str]]],
    modes: Mapping[str, str],
) -> str | None:
    wanted = _keys(keys)
    for names in defaults.values():
        if name not in names:
            continue
        for other, standing in names.items():
            taken = _keys(usable[other]) if other in usable else standing
            apart = modes.get(name, "") != modes.get(other, "") and name in modes and other in modes
            if other != name and not apart and wanted & taken:
                return other
    return None


def _defaults(bindings: Iterable[BindingType]) -> dict[str, frozenset[str]]:
    names: dict[str, frozenset[str]] = {}
    for binding in Binding.make_bindings(bindings):
        if binding.id is not None:
            names[binding.id] = names.get(binding.id, frozenset()) | {binding.key}
    return names


def _keys(keys: str) -> frozenset[str]:
    return frozenset(binding.key for binding in Binding.make_bindings([Binding(keys, "none")]))
