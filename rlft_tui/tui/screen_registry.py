"""Which screens there are, by key; each is imported when it is first shown."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from rlft_tui.record import Record

if TYPE_CHECKING:
    from rlft_tui.tui.screens.base import WorkbenchScreen


class ScreenEntry(Record, frozen=True):
    """One screen: its number key (empty for one reached from another screen), title and class."""

    digit: str
    title: str
    target: str
    """``module:Class``."""


_SCREENS = "rlft_tui.tui.screens."
SCREENS: dict[str, ScreenEntry] = {
    "home": ScreenEntry("1", "Home", _SCREENS + "home:HomeScreen"),
    "label": ScreenEntry("2", "Label", _SCREENS + "label:LabelScreen"),
    "data": ScreenEntry("3", "Data", _SCREENS + "data:DataScreen"),
    "runs": ScreenEntry("4", "Runs", _SCREENS + "runs:RunsScreen"),
    "monitor": ScreenEntry("5", "Monitor", _SCREENS + "monitor:MonitorScreen"),
    "compare": ScreenEntry("6", "Compare", _SCREENS + "compare:CompareScreen"),
    "models": ScreenEntry("7", "Models", _SCREENS + "models:ModelsScreen"),
    "score": ScreenEntry("", "Score", _SCREENS + "score:ScoreScreen"),
    "rank": ScreenEntry("", "Rank", _SCREENS + "rank:RankScreen"),
    "launch": ScreenEntry("", "Launch", _SCREENS + "launch:LaunchScreen"),
    "run_compare": ScreenEntry("", "Compare runs", _SCREENS + "run_compare:RunCompareScreen"),
    "rounds": ScreenEntry("", "Rounds", _SCREENS + "rounds:RoundsScreen"),
    "evaluations": ScreenEntry("", "Evaluations", _SCREENS + "evaluations:EvaluationsScreen"),
    "studies": ScreenEntry("", "Studies", _SCREENS + "studies:StudiesScreen"),
    "statistics": ScreenEntry("", "Statistics", _SCREENS + "statistics:StatisticsScreen"),
}


def screen_class(key: str) -> type[WorkbenchScreen]:
    """The class of a screen, imported now."""
    module, _, name = SCREENS[key].target.partition(":")
    return cast("type[WorkbenchScreen]", getattr(importlib.import_module(module), name))
