"""Label: one pair at a time, blind; one key is a verdict, stored before the next pair is painted."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.binding import BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, Static

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.labels.label_queue import left_side
from rlft_tui.labels.preference import (
    BetterAnswer,
    HistoryEntry,
    LabelOperation,
    Mark,
    MarkKind,
    Preference,
    Progress,
    Quality,
    Recorded,
)
from rlft_tui.labels.queue_item import QueueItem, QueuePage
from rlft_tui.labels.queue_view import QueueChoices, QueueView
from rlft_tui.tui.answer_diff import NO_MARKS, AnswerDiffs
from rlft_tui.tui.answer_pane import AnswerPane
from rlft_tui.tui.label_keys import LABEL_BINDINGS, key_names
from rlft_tui.tui.label_session import LabelSession, Place, last_standing
from rlft_tui.tui.label_text import (
    answer_heading,
    end_text,
    legend,
    prompt_heading,
    prompt_text,
    status_text,
)
from rlft_tui.tui.screens.base import WorkbenchScreen
from rlft_tui.tui.scroll_together import scroll_together
from rlft_tui.tui.server_link import LinkState
from rlft_tui.tui.widgets.text_pane import Pieces, TextPane

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient

STACK_BELOW = 70
"""Columns under which the answers stand one above the other."""
SLOW_SECONDS = 0.4
"""A verdict that takes longer to store says so."""
LOOK_AGAIN_SECONDS = 2.0
"""How often an ended queue is asked for new pairs."""
HISTORY = 50
DIFF_PAUSE = 0.005
"""Seconds between two slices of a word diff."""
OTHER = {"left": "right", "right": "left"}
FOCUS_ORDER: tuple[str | None, ...] = (None, "left", "right")


class LabelScreen(WorkbenchScreen):
    """Blind A/B labelling."""

    KEY = "label"
    DIGITS_SWITCH = False
    CHANGES_KEYS = frozenset({"leader", "confidence", "note", "write", "write_outside", "history", "queue"})
    MIN_SIZE = (36, 12)
    HELP = "Which answer is better? A verdict is stored before the next pair appears."
    BINDINGS: ClassVar[list[BindingType]] = LABEL_BINDINGS
    DEFAULT_CSS = """
    LabelScreen .heading { height: 1; padding: 0 1; background: $surface; color: $text-muted; }
    LabelScreen #prompt { height: 3; padding: 0 1; }
    LabelScreen #answers { height: 1fr; layout: horizontal; }
    LabelScreen #answers > Vertical { width: 1fr; height: 1fr; }
    LabelScreen #right-side { border-left: vkey $panel; }
    LabelScreen AnswerPane { padding: 0 1; }
    LabelScreen #legend { display: none; height: 1; padding: 0 1; background: $surface; }
    LabelScreen.-graded #legend { display: block; }
    LabelScreen.-ended #legend { display: none; }
    LabelScreen #status { height: 1; padding: 0 1; color: $text-muted; }
    LabelScreen.-noting #status { display: none; }
    LabelScreen.-noting #note { display: block; }
    LabelScreen #note { display: none; height: 1; padding: 0 1; border: none; background: $boost; }
    LabelScreen #ended { display: none; height: 1fr; padding: 2 3; }
    LabelScreen.-ended #ended { display: block; }
    LabelScreen.-ended #answers, LabelScreen.-ended #prompt, LabelScreen.-ended .heading { display: none; }
    LabelScreen.-stacked #answers { layout: vertical; }
    LabelScreen.-stacked #right-side { border-left: none; }
    LabelScreen.-left #right-side, LabelScreen.-right #left-side { display: none; }
    LabelScreen.-left #right-side, LabelScreen.-right #right-side { border-left: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.session = LabelSession(self.bench.settings.labeler)
        self.graded = self.bench.settings.strengths
        """Whether a key also says how much better."""
        self._names = key_names(self.bench.keys)
        self._serial = 0
        self._asking = False
        self._trouble = ""
        self._slow: Timer | None = None
        self._again: Timer | None = None
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
        note = Input(id="note", compact=True, placeholder="Why? Enter keeps it, Escape leaves it")
        note.cursor_blink = False
        yield note

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

    # the queue
    def opened(self, **_: Any) -> None:
        self._paint_mode()
        self.session.look_again()
        self._refill()
        self._paint_status()

    def link_changed(self, state: LinkState, reason: str) -> None:
        super().link_changed(state, reason)
        if state == "up" and self.session.current is None:
            self._refill()

    def _refill(self) -> None:
        missing = self.session.missing()
        if self._asking or not missing:
            return
        self._asking = True
        labeler, held, view = self.session.labeler, self.session.held(), self.bench.queue_view

        def received(page: QueuePage) -> None:
            if view == self.bench.queue_view:
                self._received(page)
            else:
                self._asking = False
                self._refill()

        self.call(
            lambda client: client.queue(labeler, limit=missing, exclude=held, view=view),
            received,
            failed=self._not_received,
            group="queue",
        )

    def _not_received(self, error: RlftError) -> None:
        self._asking = False
        if self.session.current is None:
            self._trouble = str(error)
            self._paint_status()

    def _received(self, page: QueuePage) -> None:
        self._asking = False
        self._trouble = ""
        if self.session.receive(page):
            self._show()
        elif self.session.current is None:
            self._show_end()
        self._prefetch()

    def _prefetch(self) -> None:
        left, right = self._pane("left"), self._pane("right")
        for item in self.session.upcoming:
            texts = (item.pair.response_a, item.pair.response_b)[:: -1 if item.left == "b" else 1]
            marks = self._marks(*texts)
            left.prefetch(texts[0], marks=marks[0])
            right.prefetch(texts[1], marks=marks[1])
        self._want_diffs()

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
    def _show(self) -> None:
        """Put the current pair on screen; keys count once it is painted."""
        shown = self.session.current
        if shown is None:
            self._refill()
            if self.session.phase != "loading":
                self._show_end()
            return
        self.remove_class("-ended")
        self._serial += 1
        marks = self._marks(shown.left_text, shown.right_text)
        self._pane("left").put(shown.left_text, self._serial, marks[0])
        self._pane("right").put(shown.right_text, self._serial, marks[1])
        self.query_one("#prompt", TextPane).show(prompt_text(shown.pair, self.has_class("-prompt")))
        self._size_prompt()
        self._set("#prompt-heading", prompt_heading(shown.pair, self._names["label.prompt"]))
        self._paint_headings()
        self._paint_status()

    @on(AnswerPane.Painted)
    def _pane_painted(self, message: AnswerPane.Painted) -> None:
        if message.serial == self._serial and self._note_painted():
            self._refill()
            self._prefetch()

    def _note_painted(self) -> bool:
        """Take note that every answer in view was drawn; a key may overtake the message about it."""
        panes = self._panes()
        if self.session.phase != "painting" or any(pane.painted_serial != self._serial for pane in panes):
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
            self._set("#legend", legend(max(self.size.width - 2, 1), self._names))

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
            self._set("#prompt-heading", heading)

    def _paint_status(self) -> None:
        words = self.bench.queue_view.words()
        self._set("#status", status_text(self.session, self._trouble, self.size.width - 2, words))

    def _show_end(self) -> None:
        self.add_class("-ended")
        self._set("#ended", end_text(self.session, self._names["label.undo"]))
        self._paint_status()
        if self._again is None:
            self._again = self.set_interval(LOOK_AGAIN_SECONDS, self._look_again)

    def _look_again(self) -> None:
        if self.is_current and self.session.phase in ("finished", "empty"):
            self.session.look_again()
            self._refill()

    def _set(self, selector: str, content: Content) -> None:
        part = self.query_one(selector, Static)
        if part.content != content:
            part.update(content)

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
        """Ask how much better from now on, or no longer; kept in rlft.toml."""
        self.graded = not self.graded
        self._paint_mode()
        self.bench.keep_setting("strengths", self.graded)

    def action_set_aside(self, kind: MarkKind) -> None:
        self._note_painted()
        self._store(self.session.set_aside(kind, self.key_time))

    # which pairs
    def action_queue(self) -> None:
        """Ask which pairs come next, and in which order."""
        from rlft_tui.tui.screens.queue_view import QueueViewScreen

        self.session.clock.leave(self.key_time)

        def chosen(view: QueueView | None) -> None:
            if view is None or view == self.bench.queue_view:
                return
            self.bench.queue_view = view
            self.session.change_queue()
            self._trouble = ""
            self._refill()
            self._paint_status()

        def ask(choices: QueueChoices) -> None:
            self.bench.push_screen(QueueViewScreen(self.bench.queue_view, choices), chosen)

        self.call(lambda client: client.queue_choices(), ask, group="queue-choices")

    # history
    def action_history(self) -> None:
        from rlft_tui.tui.screens.history import HistoryScreen

        self.session.clock.leave(self.key_time)
        self.bench.push_screen(HistoryScreen(self.session.labeler, self._taken_back), self._revise)

    def _taken_back(self, operation: Recorded, progress: Progress) -> None:
        self.session.progress = progress
        if isinstance(operation, BetterAnswer):
            self.session.written.pop(operation.example_id, None)
        else:
            self.session.reopened(operation.example_id)
        self._refill()
        self._paint_status()

    def _revise(self, entry: HistoryEntry | None) -> None:
        if entry is None:
            return
        operation = entry.operation
        if isinstance(operation, Mark) and not entry.revoked:
            if self.session.begin_undo():  # a pair set aside is open again once its mark is gone
                self._take_back(operation)
            return

        def found(item: QueueItem) -> None:
            former: Preference | Mark | None = None if isinstance(operation, BetterAnswer) else operation
            if not self.session.revise(item, former, stands=not entry.revoked):
                self.notify("Not now: the last verdict is being stored", severity="warning")
                return
            self._show()
            if isinstance(operation, BetterAnswer):
                self.action_write()

        labeler = self.session.labeler
        self.call(
            partial(_find_pair, labeler, self.bench.queue_view, operation.example_id), found, group="revise"
        )

    # a better answer
    def _begun(self) -> str:
        current = self.session.current
        if current is None:
            return ""
        pair = current.pair.id
        return self.session.unfinished.get(pair, "") or self.session.written.get(pair, "")

    def action_write(self) -> None:
        current = self.session.current
        if current is None:
            return
        from rlft_tui.tui.screens.answer_editor import AnswerEditor

        pair = current.pair.id

        def ended(written: tuple[bool, str] | None) -> None:
            keep, text = written if written is not None else (False, "")
            if keep:
                self._store_answer(pair, text)
            elif text.strip():
                self.session.unfinished[pair] = text
            else:
                self.session.unfinished.pop(pair, None)

        self.session.clock.leave(self.key_time)
        self.bench.push_screen(AnswerEditor(current, self._begun()), ended)

    def action_write_outside(self) -> None:
        current = self.session.current
        if current is None:
            return
        from rlft_tui.tui.outside_editor import edit_outside

        self.session.clock.leave(self.key_time)
        begun = self._begun()
        try:
            text = edit_outside(self.bench, begun, current)
        except RlftError as error:
            self.bench.show_error(error)
            return
        if text.strip() and text != self.session.written.get(current.pair.id, ""):
            self._store_answer(current.pair.id, text)
        else:
            self.notify("Nothing written", markup=False)

    def _store_answer(self, pair: str, text: str) -> None:
        answer = self.session.better_answer(pair, text)

        def stored(progress: Progress) -> None:
            self.session.written[pair] = text
            self.session.unfinished.pop(pair, None)
            self._settle()
            self._paint_status()

        def refused(error: RlftError) -> None:
            self.session.unfinished[pair] = text
            self._settle()
            self.bench.show_error(error)

        self.bench.label_writer.put(answer, stored, refused, self._delayed)

    def _store(self, operation: LabelOperation | None) -> None:
        if operation is None:
            return
        self._slow = self.set_timer(SLOW_SECONDS, self._say_slow)
        self.bench.label_writer.put(operation, self._stored, self._refused, self._delayed)

    def _stored(self, progress: Progress) -> None:
        self._settle()
        self.session.stored(progress)
        self._show()

    def _refused(self, error: RlftError) -> None:
        self._settle()
        self.session.refused(keep=not isinstance(error, NotFoundError))
        self.bench.show_error(error)
        self._show()

    def _delayed(self, error: RlftError) -> None:
        self._trouble = f"not stored yet, trying again: {error.what}"
        self._paint_status()
        self._paint_headings()

    def _say_slow(self) -> None:
        if self.session.pending is not None and not self._trouble:
            self._trouble = "storing…"
            self._paint_status()
            self._paint_headings()

    def _settle(self) -> None:
        self._trouble = ""
        if self._slow is not None:
            self._slow.stop()
            self._slow = None

    # undo
    def action_undo(self) -> None:
        self._note_painted()
        if self.session.begin_undo():
            self._find_last(HISTORY)

    def _find_last(self, limit: int) -> None:
        labeler = self.session.labeler

        def found(history: tuple[HistoryEntry, ...]) -> None:
            target = last_standing(history)
            if target is not None:
                self._take_back(target)
            elif len(history) >= limit:
                self._find_last(limit * 4)
            else:
                self._cannot_undo(RlftError("nothing to take back"))

        self.call(
            lambda client: client.history(labeler, limit=limit), found, failed=self._cannot_undo, group="undo"
        )

    def _take_back(self, target: Preference | Mark) -> None:
        labeler = self.session.labeler

        def stored(progress: Progress) -> None:
            self._settle()

            def back(item: QueueItem) -> None:
                self.session.bring_back(item, target, progress)
                self._show()

            self.call(
                partial(_find_pair, labeler, self.bench.queue_view, target.example_id),
                back,
                failed=self._cannot_undo,
                group="undo",
            )

        revocation = self.session.take_back(target)
        self.bench.label_writer.put(revocation, stored, self._cannot_undo, self._delayed)

    def _cannot_undo(self, error: RlftError) -> None:
        self._settle()
        self.session.pending = None
        self.session.cancel_undo()
        self.notify(str(error), severity="warning", markup=False)
        self._paint_status()

    # note and confidence
    def action_note(self) -> None:
        if self.session.current is None:
            return
        note = self.query_one("#note", Input)
        note.value = self.session.note
        self.add_class("-noting")
        self.app.stylesheet.apply(note)  # at once: what is typed next is the note
        self.set_focus(note)

    @on(Input.Submitted, "#note")
    def _note_written(self, event: Input.Submitted) -> None:
        self.session.note = event.value.strip()
        self._close_note()

    def _close_note(self) -> None:
        self.remove_class("-noting")
        self.set_focus(None)
        self._paint_status()

    def action_confidence(self) -> None:
        if self.session.current is not None:
            keys = {str(value): partial(self._be_confident, value) for value in range(1, 6)}
            self.lead("how sure?  1 a guess … 3 fairly … 5 certain   (esc: leave it)", keys)

    def _be_confident(self, value: int) -> None:
        self.session.confidence = value
        self._paint_status()

    # reading
    def alive(self, at: float) -> None:
        self.session.clock.touch(at)

    def away(self, at: float) -> None:
        self.session.clock.leave(at)

    def action_page(self, pages: int) -> None:
        panes = self._panes()
        scroll_together(panes, pages * max(1, min(pane.size.height for pane in panes) - 1))

    def action_rows(self, rows: int) -> None:
        scroll_together(self._panes(), rows)

    def action_focus_next_pane(self) -> None:
        focused = self.focused.id if self.focused is not None else None
        place = FOCUS_ORDER.index(focused) if focused in FOCUS_ORDER else 0
        target = FOCUS_ORDER[(place + 1) % len(FOCUS_ORDER)]
        self.set_focus(self._pane(target) if target is not None else None)

    def action_zoom(self) -> None:
        after = {"": "-left", "-left": "-right", "-right": ""}
        now = next((name for name in ("-left", "-right") if self.has_class(name)), "")
        self.remove_class("-left", "-right")
        if after[now]:
            self.add_class(after[now])
        self._note_painted()

    def action_prompt(self) -> None:
        """Open the whole prompt, earlier turns included, or close it again."""
        self.toggle_class("-prompt")
        opened = self.has_class("-prompt")
        prompt = self.query_one("#prompt", TextPane)
        if self.session.current is not None:
            prompt.show(prompt_text(self.session.current.pair, opened))
        self._size_prompt()
        self.set_focus(prompt if opened else None)

    def action_release(self) -> None:
        if self.has_class("-noting"):
            self._close_note()
        elif self.has_class("-prompt"):
            self.action_prompt()
        elif self.session.leave_revision():
            self._show()
        else:
            self.set_focus(None)

    def on_descendant_focus(self) -> None:
        self._paint_headings()

    def on_descendant_blur(self) -> None:
        self._paint_headings()


def _find_pair(labeler: str, view: QueueView, pair_id: str, client: WorkspaceClient) -> QueueItem:
    """A pair that is open again stands first in the queue, with its side."""
    for item in client.queue(labeler, limit=1, view=view).items:
        if item.pair.id == pair_id:
            return item
    return QueueItem(client.pair(pair_id), left_side(labeler, pair_id))
