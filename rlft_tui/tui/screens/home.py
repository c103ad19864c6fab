"""Home: where the loop stands and what to do next."""

from __future__ import annotations

from rlft_tui.tui.screens.base import WorkbenchScreen


class HomeScreen(WorkbenchScreen):
    """Where the loop stands and what to do next."""

    KEY = "home"
