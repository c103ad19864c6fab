"""Reading in Compare: scrolling, one answer alone, the whole prompt, what differs, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from textual.timer import Timer

from rlft_tui.prompts.prompt import Message
from rlft_tui.tui.answer_diff import NO_MARKS
from rlft_tui.tui.label_session import ReadingClock
from rlft_tui.tui.screens.compare_view import CompareView
from rlft_tui.tui.scroll_together import scroll_together
from rlft_tui.tui.token_view import joins, next_surprising, start_of, token_at, token_pieces
from rlft_tui.tui.widgets.kept_documents import Pieces
from rlft_tui.tui.widgets.text_pane import TextPane

DIFF_PAUSE = 0.005
"""Seconds between two slices of a word diff."""


class CompareReading(CompareView):
    """The keys that change what is in view, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ReadingClock()
        self._diffing: Timer | None = None

    def alive(self, at: float) -> None:
        self.clock.touch(at)

    def away(self, at: float) -> None:
        self.clock.leave(at)

    def read_plainly(self) -> None:
        """Other answers come: no answer alone, no difference, no cursor."""
        self._zoomed = self._diff_of = self._board = None
        self._cursors.clear()
        self.remove_class("-tokens")

    def show_answers(self) -> None:
        """The answers that are done, as they are, marked by token or by difference."""
        self._serial += 1
        for place in range(self.count):
            answer = self.round.answer(place)
            self.pane(place).put(answer.text, self._serial, self._marks(place))

    def _marks(self, place: int) -> Pieces:
        if self._diff_of is not None and place in self._diff_of:
            first, second = (self.round.answer(each).text for each in self._diff_of)
            return self._diffs.marks(first, second)[self._diff_of.index(place)]
        tokens = self.round.answer(place).probabilities
        if self.has_class("-tokens") and joins(tokens, self.round.answer(place).text):
            at = self._cursors.get(place, 0) if place == self.token_place() else -1
            return token_pieces(tokens, at)
        return NO_MARKS[0]

    # scrolling
    def action_page(self, pages: int) -> None:
        panes = self.panes()
        scroll_together(panes, pages * max(1, min(pane.size.height for pane in panes) - 1))

    def action_rows(self, rows: int) -> None:
        scroll_together(self.panes(), rows)

    def action_focus_next_pane(self) -> None:
        """The answers one after the other and none of them; in a field the next field."""
        shown = self.places()
        at = next((n for n, place in enumerate(shown) if self.pane(place).has_focus), -1)
        if at < 0 and self.in_field():
            self.focus_next()
            return
        self.set_focus(self.pane(shown[at + 1]) if at + 1 < len(shown) else None)
        if self.has_class("-tokens"):
            self._show_tokens()
        self.paint()

    def action_zoom(self) -> None:
        """The next answer alone; after the last one all of them."""
        self._diff_of = None
        after = 0 if self._zoomed is None else self._zoomed + 1
        self._zoomed = after if after < self.count else None
        self.paint()

    def action_prompt(self) -> None:
        """The whole conversation to read, or the field to write in."""
        self.toggle_class("-prompt")
        self.remove_class("-standing")
        if self.has_class("-prompt"):
            asked = Message("user", self.round.prompt or self.field.text)
            self.query_one("#whole", TextPane).show(conversation_text((*self.turns(), asked)))
            self.set_focus(self.query_one("#whole"))
        else:
            self.set_focus(None)
        self.call_after_refresh(self.paint)

    def in_field(self) -> bool:
        return self.focused is not None and not isinstance(self.focused, TextPane)

    # what differs
    def action_diff(self) -> None:
        """Of two answers at once; of more the two whose numbers are pressed."""
        if self._diff_of is not None:
            self._show_diff(None)
        elif self.count == 2:
            self._show_diff((0, 1))
        else:
            keys = {str(place + 1): partial(self._diff_second, place) for place in range(self.count)}
            self.lead(f"differences of which two?  first: 1–{self.count}   (esc: none)", keys)

    def _diff_second(self, first: int) -> None:
        others = [place for place in range(self.count) if place != first]
        keys = {str(place + 1): partial(self._diff_both, first, place) for place in others}
        self.lead(f"differences of {first + 1} and which?  {' '.join(keys)}   (esc: none)", keys)

    def _diff_both(self, first: int, second: int) -> None:
        self._show_diff((min(first, second), max(first, second)))

    def _show_diff(self, places: tuple[int, int] | None) -> None:
        self._diff_of, self._zoomed = places, None
        self.remove_class("-tokens")
        if places is not None:
            first, second = (self.round.answer(place).text for place in places)
            self._diffs.want([(first, second)])
            if self._diffing is None:
                self._diffing = self.set_interval(DIFF_PAUSE, self._diff_slice)
            elif self._diffs.busy:
                self._diffing.resume()
        self.show_answers()
        self.paint()

    def _diff_slice(self) -> None:
        """A millisecond or so of work; keys and frames come in between."""
        if self._diffs.step() is not None and self._diff_of is not None:
            self.show_answers()
        if not self._diffs.busy and self._diffing is not None:
            self._diffing.pause()

    # token by token
    def action_tokens(self) -> None:
        self._diff_of = None
        self.toggle_class("-tokens")
        self.show_answers()
        self.paint()

    def action_token(self, by: int) -> None:
        place = self.token_place()
        tokens = self.round.answer(place).probabilities
        if tokens:
            self._to_token(place, min(max(0, self._cursor(place) + by), len(tokens) - 1))

    def action_surprise(self, by: int) -> None:
        place = self.token_place()
        tokens = self.round.answer(place).probabilities
        if tokens:
            self._to_token(place, next_surprising(tokens, self._cursor(place), by))

    def _cursor(self, place: int) -> int:
        """Where the cursor is; it begins at what is in view."""
        if place not in self._cursors:
            pane, tokens = self.pane(place), self.round.answer(place).probabilities
            self._cursors[place] = token_at(tokens, pane.first_character) if pane.top else 0
        return self._cursors[place]

    def _to_token(self, place: int, cursor: int) -> None:
        self._cursors[place] = cursor
        self._show_tokens()
        self.pane(place).reveal(start_of(self.round.answer(place).probabilities, cursor))
        self.paint()

    def _show_tokens(self) -> None:
        """The same answers with the cursor elsewhere: whoever scrolled stays where they are."""
        for place in self.places():
            self.pane(place).show(self.round.answer(place).text, marks=self._marks(place), keep_scroll=True)


def conversation_text(turns: Sequence[Message]) -> str:
    """A conversation to be read, each turn under who speaks."""
    return "\n\n---\n\n".join(f"**{turn.role}**\n\n{turn.content}" for turn in turns)
