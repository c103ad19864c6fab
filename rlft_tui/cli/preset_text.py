"""Presets as a table."""

from __future__ import annotations

from rlft_tui.cli.session import table
from rlft_tui.runs.presets.read_presets import PRESETS, preset
from rlft_tui.runs.run_spec import SPECS
from rlft_tui.runs.spec_fields import as_text, get_value, spec_fields


def preset_page(method: str) -> str:
    """One row for each setting that a preset of the method sets, one column for each preset."""
    made = [preset(method, name) for name in PRESETS]
    rows = []
    for field in spec_fields(SPECS[method]):
        values = [get_value(each.values, field.path) for each in made]
        if any(value is not None for value in values):
            rows.append((field.name, field.shown_default(), *(as_text(value) for value in values)))
    lines = [table((f"{method}", "default", *PRESETS), rows), ""]
    lines += [f"{each.name:<16}  {each.about}" for each in made]
    return "\n".join(lines)
