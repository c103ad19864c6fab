"""A small form: freeze the labels into a data set of one kind."""

from __future__ import annotations

from typing import ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from rlft_tui.datasets.dataset import KINDS, DatasetKind, DatasetSpec
from rlft_tui.datasets.derive import METHOD_KINDS
from rlft_tui.tui.widgets.choice_line import ChoiceLine

_BUILT_FROM: dict[str, str] = {
    "preference": "What most verdicts on a pair say, and written answers over judged ones",
    "sft": "Written answers, else the chosen one, and those of both-good ties",
    "unpaired": "Winners and losers, both-good and both-bad ties, scored answers",
    "scored": "Every scored answer with its score, for a reward model",
    "prompts": "The prompts of the workspace and of its pairs",
}
MOST_HELD_OUT = 90
"""Percent, as in ``rlft data build``."""


class BuildDatasetScreen(ModalScreen[DatasetSpec | None]):
    """Name, kind and held-out share; Enter builds, Escape leaves."""

    DEFAULT_CSS = """
    BuildDatasetScreen { align: center middle; background: $background 60%; }
    BuildDatasetScreen > Vertical {
        width: 60; max-width: 96%; height: auto; background: $surface; border: round $primary; padding: 1 2;
    }
    BuildDatasetScreen Static { height: auto; }
    BuildDatasetScreen Input { margin-bottom: 1; border: none; height: 1; background: $boost; padding: 0 1; }
    BuildDatasetScreen #holds { color: $text-muted; margin-bottom: 1; }
    BuildDatasetScreen #problem { color: $text-warning; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave", id="build.leave", tooltip="Build nothing"),
        Binding("enter", "build", "build", id="build.build", tooltip="Build it"),
    ]

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Build a data set"
            box.border_subtitle = "enter builds · tab next field · esc leaves"
            yield Static("Name (or nothing: its hash names it)", markup=False)
            yield Input(id="name", compact=True)
            yield Static("Percent of the prompts held out for measuring", markup=False)
            yield Input("20", id="share", compact=True)
            yield Static("What its rows are (left and right)", markup=False)
            yield ChoiceLine([(kind, kind) for kind in KINDS], "preference", id="kind")
            yield Static(id="holds", markup=False)
            yield Static(id="problem", markup=False)

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False
        self.set_focus(self.query_one("#name", Input))
        self._tell("preference")

    @on(ChoiceLine.Changed)
    def _chosen(self, event: ChoiceLine.Changed) -> None:
        self._tell(event.value)

    def _tell(self, kind: str) -> None:
        """What the rows of a kind hold, and which methods train on them."""
        methods = ", ".join(method for method, kinds in METHOD_KINDS.items() if kind in kinds)
        self.query_one("#holds", Static).update(f"{_BUILT_FROM[kind]}; for {methods}")

    @on(Input.Submitted)
    def action_build(self) -> None:
        text = self.query_one("#share", Input).value.strip().removesuffix("%").strip()
        try:
            share = float(text)
        except ValueError:
            share = -1.0
        if not 0 <= share <= MOST_HELD_OUT:
            self.query_one("#problem", Static).update(
                f"The held-out share is a number from 0 to {MOST_HELD_OUT}"
            )
            self.query_one("#share", Input).focus()
            return
        name = self.query_one("#name", Input).value.strip()
        kind = cast(DatasetKind, self.query_one("#kind", ChoiceLine).value)
        self.dismiss(DatasetSpec(name=name, heldout_fraction=share / 100, kind=kind))

    def action_leave(self) -> None:
        self.dismiss(None)
