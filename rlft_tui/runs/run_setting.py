"""A setting that may change while a run runs, as people are shown it: quick to import, unlike the specs."""

from __future__ import annotations

from rlft_tui.record import Record


class RunSetting(Record, frozen=True):
    """One setting that may change."""

    name: str
    """As it is typed: ``kl_warning``, ``sample_every``."""
    value: str
    """As it is now."""
    launched: str
    """As the run was launched."""
    kind: str
    help: str
    choices: tuple[str, ...] = ()
    bounds: str = ""
    """Such as ``> 0``."""
