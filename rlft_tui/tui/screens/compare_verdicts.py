"""Verdicts in Compare: the keys of Label for two answers, an order for three or four; and undo."""

from __future__ import annotations

import time
from functools import partial

from textual import on
from textual.widgets import Input

from rlft_tui.errors import RlftError
from rlft_tui.labels.preference import MarkKind, Quality
from rlft_tui.prompts.prompt import Prompt
from rlft_tui.tui.chrome import KeyBar
from rlft_tui.tui.comparison_verdict import Decision, Groups, make_verdict
from rlft_tui.tui.label_session import Place
from rlft_tui.tui.prompt_walk import Judged
from rlft_tui.tui.screens.compare_stream import Begun, CompareStream

PLACES: dict[Place, Groups] = {"left": ((0,), (1,)), "right": ((1,), (0,)), "tie": ((0, 1),)}


class CompareVerdicts(CompareStream):
    """What is decided about the answers on screen, and how it is stored."""

    # two answers
    def action_judge(self, place: Place) -> None:
        self._decide(PLACES[place])

    def action_grade(self, place: Place, strength: int) -> None:
        self._decide(PLACES[place], strength=strength or None)

    def action_rate(self, quality: Quality) -> None:
        """Both, or all of them."""
        self._decide((tuple(range(self.count)),), quality=quality)

    def action_strengths(self) -> None:
        """Ask how much better from now on, or no longer; kept in rlft.toml, for this labeller."""
        self.graded = not self.graded
        self.paint()
        self.bench.keep_setting("strengths_of", {self.bench.settings.labeler: self.graded})

    # three or four
    def action_place(self, place: int) -> None:
        if not self._may_decide() or place not in self._unplaced():
            return
        if self.tie_pending and self.groups:
            self.groups[-1].append(place)
        else:
            self.groups.append([place])
        self.tie_pending, self._remark = False, ""
        self.paint()

    def action_tie_next(self) -> None:
        self.tie_pending = bool(self.groups) and not self.tie_pending
        self.paint()

    def action_one_back(self) -> None:
        self.tie_pending = False
        if self.groups:
            self.groups[-1].pop()
            if not self.groups[-1]:
                self.groups.pop()
        self.paint()

    def action_store(self) -> None:
        """The order as far as it goes; the answers left come after it."""
        left = self._unplaced()
        if not self.groups or (self.tie_pending and left):
            return
        groups = [tuple(group) for group in self.groups] + ([tuple(left)] if left else [])
        self._decide(tuple(groups), open_end=len(left) > 1)

    # storing
    def _may_decide(self) -> bool:
        """Whether a key pressed now is about the answers on screen."""
        behind_form = self.has_class("-low") and self.has_class("-options")
        seen = 0 < self.seen_at <= self.key_time and not behind_form
        return self.round.state == "ready" and not self._storing and seen

    def _decide(
        self,
        groups: Groups,
        *,
        open_end: bool = False,
        strength: int | None = None,
        quality: Quality = "",
    ) -> None:
        """Store pairs and verdict; what comes after waits for that."""
        if not self._may_decide():
            return
        decision = Decision(
            groups,
            open_end,
            strength,
            quality,
            self.confidence,
            self.note,
            self.clock.milliseconds(self.key_time),
        )
        shown = self.round
        try:
            verdict = make_verdict(shown, decision, self.bench.settings.labeler, time.time())
        except RlftError as error:
            self.refuse(str(error))
            return
        judged = Judged(self.walk.at if self.walk is not None else 0, shown, decision, verdict)
        self._storing, self._trouble = True, ""
        self.paint()
        self.bench.label_writer.put_call(
            verdict.store, lambda _: self._stored(judged), self._refused, self._delayed
        )

    def _stored(self, judged: Judged) -> None:
        self._storing, self._trouble = False, ""
        shown = judged.shown
        shown.state = "judged"
        self.tally.rounds.append(judged)
        self.groups = [list(group) for group in judged.decision.groups]
        if self.has_class("-tokens"):  # the line below says what was stored
            self.remove_class("-tokens")
            self.show_answers()
        if self.walk is not None:
            self.go_on()
            return
        shown.names_seen = True
        self.paint()

    def _refused(self, error: RlftError) -> None:
        self._storing = False
        self.bench.show_error(error)
        self.paint()

    def _delayed(self, error: RlftError) -> None:
        self._trouble = f"not stored yet: {error}"
        self.paint()

    def go_on(self) -> None:
        """To the next prompt of the walk: the screen does it."""
        raise NotImplementedError

    # undo
    def action_undo(self) -> None:
        """Take the last verdict back; its answers come up again, the ones on screen wait behind them."""
        if not self.tally.rounds or self._storing:
            return
        judged = self.tally.rounds[-1]
        revocation = judged.verdict.revocation()
        self._storing = True
        self.paint()
        self.bench.label_writer.put_call(
            partial(judged.verdict.take_back, revocation=revocation),
            lambda _: self._taken_back(judged),
            self._refused,
            self._delayed,
        )

    def _taken_back(self, judged: Judged) -> None:
        self._storing, self._trouble = False, ""
        self.tally.rounds.remove(judged)
        judged.shown.state = "ready"
        if judged.shown is not self.round and self._begun is not None:
            follows = self.walk is not None and self.walk.at == judged.at + 1
            if follows and self._begun.shown.state in ("streaming", "ready"):
                self.drop_ahead()
                self._ahead, self._begun = self._begun, None
        if self.walk is not None:
            self.walk.at = judged.at
        shown = judged.shown
        self.put_prompt(Prompt("", shown.prompt, shown.context, shown.category))
        self.put_up(Begun(judged.shown))
        if self.count > 2 and not judged.decision.open_end and len(judged.decision.groups) > 1:
            self.groups = [list(group) for group in judged.decision.groups]
        self.note, self.confidence = judged.decision.note, judged.decision.confidence
        self._remark = f"taken back: {judged.decision.words()}"
        self.paint()

    # note and confidence, as on the label screen
    def action_note(self) -> None:
        note = self.query_one("#note", Input)
        note.value = self.note
        self.add_class("-noting")
        self.query_one(KeyBar).hint = "⏎ keep the note   esc leave it as it was"
        self.app.stylesheet.apply(note)  # at once: what is typed next is the note
        self.set_focus(note)

    @on(Input.Submitted, "#note")
    def _note_written(self, event: Input.Submitted) -> None:
        event.stop()
        self.note = event.value.strip()
        self.close_note()

    def close_note(self) -> None:
        self.remove_class("-noting")
        self.query_one(KeyBar).hint = ""
        self.set_focus(None)
        self.paint()

    def action_confidence(self) -> None:
        keys = {str(value): partial(self._be_confident, value) for value in range(1, 6)}
        self.lead("how sure?  1 a guess … 3 fairly … 5 certain   (esc: leave it)", keys)

    def _be_confident(self, value: int) -> None:
        self.confidence = value
        self.paint()

    def action_set_aside(self, kind: MarkKind) -> None:
        """On without a verdict: nothing is stored of these answers."""
        if self.walk is not None and not self._storing:
            self.go_on()
