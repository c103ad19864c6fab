"""How Label shows a pair: prompt, two answers, what differs, headings and the status line."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual.containers import Container, Vertical
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from rlft_tui.tui.answer_diff import NO_MARKS, AnswerDiffs
from rlft_tui.tui.answer_pane import AnswerPane
from rlft_tui.tui.begun_answers import BegunAnswers
from rlft_tui.tui.label_keys import key_names
from rlft_tui.tui.label_session import LabelSession, Shown
from rlft_tui.tui.label_text import answer_heading, legend, prompt_heading, prompt_text, status_text
from rlft_tui.tui.screens.walk_screen import WalkScreen
from rlft_tui.tui.widgets.kept_documents import Pieces
from rlft_tui.tui.widgets.note_line import NoteLine
from rlft_tui.tui.widgets.terminal_pace import pace_of
from rlft_tui.tui.widgets.text_pane import TextPane

STACK_BELOW = 70
"""Columns under which the answers stand one above the other."""
DIFF_PAUSE = 0.005
"""Seconds between two slices of a word diff."""
OTHER = {"left": "right", "right": "left"}


class LabelView(WalkScreen):
    """A pair on the screen; what comes from the server is LabelFeed's."""

    session: LabelSession

    DEFAULT_CSS = """
    LabelView .heading { height: 1; padding: 0 1; background: $surface; color: $text-muted; }
    LabelView #prompt { height: 3; padding: 0 1; }
    LabelView #answers { height: 1fr; layout: horizontal; }
    LabelView #answers > Vertical { width: 1fr; height: 1fr; }
    LabelView #right-side { border-left: vkey $panel; }
    LabelView AnswerPane { padding: 0 1; }
    LabelView #legend { display: none; height: 1; padding: 0 1; background: $surface; }
    LabelView.-graded #legend { display: block; }
    LabelView.-ended #legend { display: none; }
    LabelView #status { height: 1; padding: 0 1; color: $text-muted; }
    LabelView.-noting #status { display: none; }
    LabelView.-noting #note { display: block; }
    LabelView #note { display: none; height: 1; padding: 0 1; border: none; background: $boost; }
    LabelView #ended { display: none; height: 1fr; padding: 2 3; }
    LabelView.-ended #ended { display: block; }
    LabelView.-ended #answers, LabelView.-ended #prompt, LabelView.-ended .heading { display: none; }
    LabelView.-stacked #answers { layout: vertical; }
    LabelView.-stacked #right-side { border-left: none; }
    LabelView.-left #right-side, LabelView.-right #left-side { display: none; }
    LabelView.-left #right-side, LabelView.-right #right-side { border-left: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        labeler = self.bench.settings.labeler
        self.session = LabelSession(labeler, begun=BegunAnswers(self.bench.workspace.drafts(labeler)))
        self.graded = self.bench.settings.asks_strength(self.session.labeler)
        """Whether a key also says how much better."""
        self._names = key_names(self.bench.keys)
        self._diffs = AnswerDiffs()
        self._diffing: Timer | None = None

    # layout
    def body(self) -> Iterable[Widget]:
        yield Static(id="prompt-heading", classes="heading", markup=False)
        yield TextPane(id="prompt")
        yield Container(
            Vertical(Static(classes="heading", markup=False), AnswerPane(id="left"), id="left-side"),
            Vertical(Static(classes="heading", markup=False), AnswerPane(id="right"), id="right-side"),
            id="answers",
        )
        yield Static(id="legend", markup=False)
        yield Static(id="ended", markup=False)
        yield Static(id="status", markup=False)
        yield NoteLine()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width < STACK_BELOW, "-stacked")
        self._size_prompt()
        self._paint_status()
        self._paint_legend()

    def _size_prompt(self) -> None:
        """Always the same height for one terminal: nothing moves when the next pair comes.

        Opened it takes what the prompt needs, up to half of the terminal.
        """
        prompt, height = self.query_one("#prompt", TextPane), self.size.height
        rows = max(2, min(4, height // 7))
        if self.has_class("-prompt"):
            rows = max(rows, min(height // 2, prompt.line_count))
        prompt.styles.height = rows

    def _pane(self, side: str) -> AnswerPane:
        return self.query_one(f"#{side}", AnswerPane)

    def _panes(self) -> list[AnswerPane]:
        """The answers in view, both of them unless one has the whole width."""
        hidden = next((side for side in ("left", "right") if self.has_class(f"-{OTHER[side]}")), None)
        return [self._pane(side) for side in ("left", "right") if side != hidden]

    # the word diff
    def action_diff(self) -> None:
        """Show what differs, shared words dimmed and folded; or the answers as they are."""
        self.toggle_class("-diff")
        self._want_diffs()
        self._show_again()

    def _marks(self, left: str, right: str) -> tuple[Pieces, Pieces]:
        return self._diffs.marks(left, right) if self.has_class("-diff") else NO_MARKS

    def _want_diffs(self) -> None:
        if not self.has_class("-diff"):
            return
        shown = self.session.current
        pairs = [(shown.left_text, shown.right_text)] if shown is not None else []
        for item in self.session.upcoming:
            texts = (item.pair.response_a, item.pair.response_b)
            pairs.append(texts[::-1] if item.left == "b" else texts)
        self._diffs.want(pairs)
        if self._diffing is None:
            self._diffing = self.set_interval(DIFF_PAUSE, self._diff_slice)
        elif self._diffs.busy:
            self._diffing.resume()

    def _diff_slice(self) -> None:
        """A millisecond or so of work; keys and frames come in between."""
        ready = self._diffs.step()
        shown = self.session.current
        if ready is not None and shown is not None and ready == (shown.left_text, shown.right_text):
            self._show_again()
        elif ready is not None:
            self._prefetch()
        if not self._diffs.busy and self._diffing is not None:
            self._diffing.pause()

    def _show_again(self) -> None:
        """The same pair, marked or not; what may be pressed does not change."""
        shown = self.session.current
        if shown is not None:
            marks = self._marks(shown.left_text, shown.right_text)
            self._pane("left").put(shown.left_text, self._serial, marks[0])
            self._pane("right").put(shown.right_text, self._serial, marks[1])

    # painting
    def _draw(self, shown: Shown) -> None:
        """The next pair; keys count once its answers are painted."""
        self._serial += 1
        self._show_again()
        self.query_one("#prompt", TextPane).show(prompt_text(shown.pair, self.has_class("-prompt")))
        self._size_prompt()
        self.say("#prompt-heading", prompt_heading(shown.pair, self._names["label.prompt"]))
        self._paint_headings()
        self._paint_status()

    def _prefetch(self) -> None:
        left, right = self._pane("left"), self._pane("right")
        for item in self.session.upcoming:
            texts = (item.pair.response_a, item.pair.response_b)[:: -1 if item.left == "b" else 1]
            marks = self._marks(*texts)
            left.prefetch(texts[0], marks=marks[0])
            right.prefetch(texts[1], marks=marks[1])
        self._want_diffs()

    def _note_painted(self) -> bool:
        """Take note that every answer in view was drawn; a key may overtake the message about it.

        Over a slow link drawn is not seen: what is pressed before the terminal has read the pair is
        about the pair before it.
        """
        panes = self._panes()
        if self.session.phase != "painting" or any(pane.painted_serial != self._serial for pane in panes):
            return False
        if not pace_of(self.app).seen:
            return False
        self.session.painted(max(pane.painted_at for pane in panes))
        return True

    def _paint_headings(self) -> None:
        for side in ("left", "right"):
            number = self._side_keys(side)
            content = answer_heading(number, side, self.session, focused=self._pane(side).has_focus)
            heading = self.query_one(f"#{side}-side > .heading", Static)
            if heading.content != content:
                heading.update(content)

    def _side_keys(self, side: str) -> str:
        if not self.graded:
            return self._names["label.first" if side == "left" else "label.second"]
        steps = (4, 3, 2, 1) if side == "left" else (1, 2, 3, 4)
        return " ".join(self._names[f"label.{side}_{step}"] for step in steps)

    def _paint_legend(self) -> None:
        if self.graded:
            self.say("#legend", legend(max(self.size.width - 2, 1), self._names))

    def _paint_mode(self) -> None:
        self.set_class(self.graded, "-graded")
        self._paint_legend()
        self._paint_headings()
        self.refresh_bindings()

    def keys_changed(self) -> None:
        self._names = key_names(self.bench.keys)
        self._paint_mode()
        if self.session.current is not None:
            heading = prompt_heading(self.session.current.pair, self._names["label.prompt"])
            self.say("#prompt-heading", heading)

    def _paint_status(self) -> None:
        view, width = self.bench.queue_view, self.size.width - 2
        status = status_text(self.session, self._trouble, width, view.words(), repeats=view.repeats)
        self.say("#status", status)
