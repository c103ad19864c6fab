"""Label: one pair at a time, blind; one key is a verdict, stored before the next pair is painted."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.widgets import Input

from rlft_tui.labels.preference import MarkKind, Quality
from rlft_tui.tui.chrome import KeyBar
from rlft_tui.tui.label_keys import LABEL_BINDINGS
from rlft_tui.tui.label_session import Place
from rlft_tui.tui.screens.label_history import LabelHistory
from rlft_tui.tui.screens.label_reading import LabelReading


class LabelScreen(LabelReading, LabelHistory):
    """Blind A/B labelling."""

    KEY = "label"
    DIGITS_SWITCH = False
    OF_ONE = frozenset(
        {"judge", "grade", "rate", "set_aside", "write", "note", "confidence", "zoom", "diff", "prompt"}
    )
    CHANGES_KEYS = frozenset(
        {"leader", "confidence", "note", "release", "write", "write_outside", "history", "queue"}
    )
    MIN_SIZE = (36, 12)
    HELP = "Which answer is better? A verdict is stored before the next pair appears."
    BINDINGS: ClassVar[list[BindingType]] = LABEL_BINDINGS

    # verdicts
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("judge", "grade"):
            return self.graded == (action == "grade")
        return super().check_action(action, parameters)

    def action_judge(self, place: Place) -> None:
        self._note_painted()
        self._store(self.session.judge(place, self.key_time))

    def action_grade(self, place: Place, strength: int) -> None:
        self._note_painted()
        self._store(self.session.judge(place, self.key_time, strength=strength or None))

    def action_rate(self, quality: Quality) -> None:
        self._note_painted()
        self._store(self.session.judge("tie", self.key_time, quality=quality))

    def action_strengths(self) -> None:
        """Ask how much better from now on, or no longer; kept in rlft.toml, for this labeller."""
        self.graded = not self.graded
        self._paint_mode()
        self.bench.keep_setting("strengths_of", {self.session.labeler: self.graded})

    def action_set_aside(self, kind: MarkKind) -> None:
        self._note_painted()
        self._store(self.session.set_aside(kind, self.key_time))

    # note and confidence
    def action_note(self) -> None:
        if self.session.current is None:
            self._say_too_early()
            return
        note = self.query_one("#note", Input)
        note.value = self.session.note
        self.add_class("-noting")
        self.query_one(KeyBar).hint = "⏎ keep the note   esc leave it as it was"
        self.app.stylesheet.apply(note)  # at once: what is typed next is the note
        self.set_focus(note)

    @on(Input.Submitted, "#note")
    def _note_written(self, event: Input.Submitted) -> None:
        self.session.note = event.value.strip()
        self._close_note()

    def _close_note(self) -> None:
        self.remove_class("-noting")
        self.query_one(KeyBar).hint = ""
        self.set_focus(None)
        self._paint_status()

    def action_confidence(self) -> None:
        if self.session.current is not None:
            keys = {str(value): partial(self._be_confident, value) for value in range(1, 6)}
            self.lead("how sure?  1 a guess … 3 fairly … 5 certain   (esc: leave it)", keys)
        else:
            self._say_too_early()

    def _be_confident(self, value: int) -> None:
        self.session.confidence = value
        self._paint_status()

    # back
    def action_release(self) -> None:
        if self.has_class("-noting"):
            self._close_note()
        elif self.has_class("-prompt"):
            self.action_prompt()
        elif self.session.leave_revision():
            self._show()
        else:
            self.set_focus(None)
