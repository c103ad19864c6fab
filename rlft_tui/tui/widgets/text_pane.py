"""The pane for everything that is read: answers, samples, logs, streams.

A Line-API widget that scrolls by itself: no child widgets, no scrollbars (a one-cell
mark at the right edge shows the position), no layout when the text changes. The first
screenful is rendered at once and the rest in short slices between other events; the
last few texts are kept, so that a prefetched one is only painted.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any, ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from rlft_tui.tui.widgets.changed_spans import changed_span
from rlft_tui.tui.widgets.kept_documents import AHEAD, KeptDocuments, Pieces
from rlft_tui.tui.widgets.palette import Palette, palette
from rlft_tui.tui.widgets.partial_updates import crop_updates
from rlft_tui.tui.widgets.plain_lines import plain_lines
from rlft_tui.tui.widgets.styled_lines import Line
from rlft_tui.tui.widgets.terminal_pace import pace_of
from rlft_tui.tui.widgets.text_document import SLICE, TextDocument
from rlft_tui.tui.widgets.widget_palette import palette_of
from rlft_tui.tui.widgets.word_diff import joined

FRAMES = 15
"""Repaints of a stream in a second, at most."""

JUMP = 10
"""Rows that a full pane moves up at once while a stream runs: one repaint instead of ten."""

_PAUSE = 0.005
"""Seconds between two slices, for keys and frames."""

_PATIENCE = 8
"""Slices that give way to waiting messages before one is done regardless."""

_STRIPS = 600
"""Rows of a document kept ready to paint."""


class TextPane(Widget, can_focus=True):
    """Shows one text, as Markdown or as it is; scrolls, and follows a stream."""

    ALLOW_SELECT = False
    _meeting: ClassVar[float] = 0.0
    """When the pane that last asked for it is painted: panes side by side share their frames."""
    DEFAULT_CSS = """
    TextPane { width: 1fr; height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_lines(1)", "Line down", show=False, id="pane.down"),
        Binding("up,k", "scroll_lines(-1)", "Line up", show=False, id="pane.up"),
        Binding("pagedown", "scroll_page(1)", "Page down", show=False, id="pane.page_down"),
        Binding("pageup", "scroll_page(-1)", "Page up", show=False, id="pane.page_up"),
        Binding("home", "scroll_start", "Start", show=False, id="pane.start"),
        Binding("end", "scroll_finish", "End", show=False, id="pane.end"),
    ]

    class EndReached(Message):
        """The last row of a text came into view; posted once a text."""

        def __init__(self, pane: TextPane) -> None:
            super().__init__()
            self.pane = pane

        @property
        def control(self) -> TextPane:
            """The pane, for ``@on(TextPane.EndReached, "#name")``."""
            return self.pane

    def __init__(
        self,
        text: str = "",
        *,
        markdown: bool = True,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._text, self._markdown = text, markdown
        self._palette: Palette = palette("#ffffff", "#000000", True)
        self._document = TextDocument("", 8, self._palette)
        self._source = False
        self._marks: Pieces = ()
        self._kept = KeptDocuments()
        self._strips: dict[int, tuple[Line, Strip]] = {}
        self._top = 0
        self._seek: int | None = None
        """Character to return to once it is rendered again after a resize."""
        self._follow = False
        self._end_told = False
        self._slices: Timer | None = None
        self._yielded = 0
        self._unpainted = False
        """The text shown is still to be painted, and slices wait for that."""
        self._moved = False
        """Scrolled, and not painted there until the terminal has read the frame before."""
        self._pieces: list[str] = []
        self._flush_due: asyncio.TimerHandle | None = None
        self._flushed_at = 0.0

    # What the screens call

    @property
    def text(self) -> str:
        """The text shown, or as much of a stream as has arrived."""
        return self._text + "".join(self._pieces)

    @property
    def top(self) -> int:
        """The first row in view."""
        return self._top

    @property
    def first_character(self) -> int:
        """The character at which the row on top begins, about."""
        return self._document.character_at(self._top)

    @property
    def line_count(self) -> int:
        """Rows of the text, estimated while it isn't wholly rendered."""
        return self._document.estimate

    @property
    def finished(self) -> bool:
        """Whether the text is wholly rendered."""
        return self._document.finished

    @property
    def at_end(self) -> bool:
        """Whether the last row is in view."""
        return self._document.finished and self._top + self.size.height >= len(self._document.lines)

    @property
    def following(self) -> bool:
        """Whether the end of the stream stays in view: until the reader scrolls back."""
        return self._follow

    def show(
        self, text: str, *, markdown: bool = True, keep_scroll: bool = False, marks: Pieces = ()
    ) -> None:
        """Show a text from its start, or where the reader is with ``keep_scroll``.

        With ``marks`` their pieces are shown instead, as a word diff has marked them.
        """
        self._stop_stream()
        self._text, self._markdown, self._marks = joined(text, marks), markdown, marks
        self._end_told = self._end_told and keep_scroll
        self._seek = None
        if not keep_scroll:
            self._top = 0
        if self.size.width:
            self._use(self._shown_document())

    @property
    def source(self) -> bool:
        """Whether texts are shown as they were written: no Markdown, no mathematics."""
        return self._source

    @source.setter
    def source(self, wanted: bool) -> None:
        if wanted != self._source:
            self._source = wanted
            self._kept.forget_wanted()
            if self.size.width:
                self._restyle()

    def prefetch(self, text: str, *, markdown: bool = True, marks: Pieces = ()) -> None:
        """Render a text in idle moments, so that ``show`` will only have to paint it."""
        self._kept.want((joined(text, marks), markdown and not self._source, marks))
        self._wake()

    def stream_start(self, *, markdown: bool = True) -> None:
        """Begin an empty text that grows by ``append``."""
        self._stop_stream()
        self._text, self._markdown, self._marks = "", markdown, ()
        self._top, self._seek, self._end_told, self._follow = 0, None, False, True
        self._use(TextDocument("", self._width, self._palette, markdown=self._as_markdown, stream=True))

    def append(self, piece: str) -> None:
        """More of the stream; painted within a fifteenth of a second."""
        self._pieces.append(piece)
        if self._flush_due is None:
            due = self._flushed_at + 1 / FRAMES
            if abs(due - TextPane._meeting) < 0.5 / FRAMES:
                due = TextPane._meeting
            TextPane._meeting = due
            self._flush_in(max(0.001, due - monotonic()))

    def stream_end(self) -> None:
        """The stream is complete; the text stays and scrolls like any other."""
        if not self._document.stream:
            return
        self._flush()
        self._document.close()
        self._kept.keep((self._text, self._document.markdown, ()), self._document)
        self._wake()
        self._tell_end()

    def scroll_page(self, pages: int) -> None:
        """Scroll by whole pages, one row of each staying in view."""
        self.scroll_lines(pages * max(1, self.size.height - 1))

    def scroll_lines(self, rows: int) -> None:
        """Scroll by rows, downwards when positive."""
        self._follow = False
        self._seek = None
        self._move(self._top + rows)
        if self._document.stream and self.at_end:
            self._follow = True

    def scroll_to_row(self, row: int) -> None:
        """Bring a row to the top of the view."""
        self.scroll_lines(row - self._top)

    def reveal(self, character: int) -> None:
        """Bring the row of a character into view, if it is out of it."""
        row = self._document.line_of(character)
        if not self._top <= row < self._top + self.size.height - 1:
            self.scroll_to_row(row - self.size.height // 3)

    def scroll_start(self) -> None:
        """Go to the first row."""
        self.scroll_lines(-self._top)

    def scroll_finish(self) -> None:
        """Go to the last row, and stay there while more is rendered."""
        self._seek = None
        self._follow = True
        self._move(self._document.estimate)
        self._wake()

    def action_scroll_lines(self, rows: int) -> None:
        """A key."""
        self.scroll_lines(rows)

    def action_scroll_page(self, pages: int) -> None:
        """A key."""
        self.scroll_page(pages)

    def action_scroll_start(self) -> None:
        """A key."""
        self.scroll_start()

    def action_scroll_finish(self) -> None:
        """A key."""
        self.scroll_finish()

    # Events

    def on_mount(self) -> None:
        """The slices' timer rests until there is something to do."""
        crop_updates()
        self._slices = self.set_interval(_PAUSE, self._slice, pause=True)

    def on_unmount(self) -> None:
        """A frame that still waits for its time or for the terminal is dropped."""
        self._forget_flush()
        pace_of(self.app).forget(self)

    def on_resize(self, _: events.Resize) -> None:
        """Render again at the new width, the same text at the top."""
        self._restyle()

    def notify_style_update(self) -> None:
        """The theme or the background may have changed."""
        super().notify_style_update()
        if self.is_mounted and self.size.width and palette_of(self) is not self._palette:
            self._restyle()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        self.scroll_lines(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel."""
        event.stop()
        self.scroll_lines(-3)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The rows in view."""
        lines = plain_lines(self, crop)
        return super().render_lines(crop) if lines is None else lines

    def render_line(self, y: int) -> Strip:
        """Row ``y`` of the view, always as wide as the pane."""
        width = self.size.width
        lines = self._document.lines
        index = self._top + y
        blank = self._palette.style()
        if index < len(lines):
            line = lines[index]
            kept = self._strips.get(index)
            if kept is not None and kept[0] is line:
                strip = kept[1]
            else:
                if len(self._strips) > _STRIPS:
                    self._strips.clear()
                strip = Strip(line, self._document.width)
                self._strips[index] = (line, strip)
        else:
            strip = Strip.blank(width, blank)
        if y == self._mark():
            mark = Segment("▐", self._palette.style("bullet"))
            return Strip([*strip.crop(0, width - 1), mark], width)
        if strip.cell_length != width:
            strip = strip.adjust_cell_length(width, blank)
        return strip

    # How it works

    @property
    def _width(self) -> int:
        return max(8, self.size.width)

    @property
    def _as_markdown(self) -> bool:
        return self._markdown and not self._source

    def _restyle(self) -> None:
        if not self.size.width:
            return
        colours = palette_of(self)
        document = self._document
        shown = (document.width, document.palette, document.markdown) == (
            self._width,
            colours,
            self._as_markdown,
        )
        if shown and (document.stream or document.text == self._text):
            self._wake()
            self._move(self._top)
            return
        self._palette = colours
        self._kept.clear()
        following = document.stream and self._follow
        character = document.character_at(self._top) if self._top and not following else 0
        if document.stream:
            fresh = TextDocument(document.text, self._width, colours, markdown=self._as_markdown, stream=True)
        else:
            fresh = self._shown_document()
        if character:
            fresh.render_to(10**9, min(character + SLICE, 20 * SLICE))
            self._seek = character
            self._top = fresh.line_of(character)
            if fresh.characters_done >= character:
                self._seek = None
        self._use(fresh)
        if fresh.stream and self._flush_due is None:
            # the stream may be silent from here on, and nothing else would reach its end
            self._flush_in(0.001)

    def _shown_document(self) -> TextDocument:
        return self._kept.document((self._text, self._as_markdown, self._marks), self._width, self._palette)

    def _use(self, document: TextDocument) -> None:
        pace_of(self.app).forget(self)
        if document is not self._document:
            self._document = document
            self._strips = {}
        document.render_to(self._top + self.size.height - 1)
        self._top = max(0, min(self._top, len(document.lines) - self.size.height))
        self._paint_moved()
        self._unpainted = True
        self.call_after_refresh(self._painted)
        self._tell_end()

    def _painted(self) -> None:
        self._unpainted = False
        self._wake()

    def _mark(self) -> int:
        """Row of the position mark, or -1 when the whole text is in view."""
        height, total = self.size.height, self._document.estimate
        if total <= height or height < 2:
            return -1
        return round(min(1.0, self._top / (total - height)) * (height - 1))

    def _move(self, top: int) -> None:
        document, height = self._document, self.size.height
        document.render_to(top + height - 1)
        top = max(0, min(top, len(document.lines) - height))
        if top != self._top:
            self._top = top
            # Over a slow link pages that nobody sees any more are never sent: where the reader is
            # when the terminal has read the last frame is what is painted then.
            self._moved = True
            pace_of(self.app).when_ready(self, self._paint_moved)
        self._wake()
        self._tell_end()

    def _paint_moved(self) -> None:
        self._moved = False
        self.refresh()
        pace_of(self.app).frame_sent()

    def _tell_end(self) -> None:
        if not self._end_told and self.at_end and self._text and not self._document.stream:
            self._end_told = True
            self.post_message(self.EndReached(self))

    def _wake(self) -> None:
        if self._slices is not None and not self._unpainted and self._job() is not None:
            self._slices.resume()

    def _job(self) -> TextDocument | None:
        """The document that most needs a slice."""
        document = self._document
        if not document.finished and not document.stream:
            near = document.character_at(self._top) + AHEAD
            if self._follow or self._seek is not None or document.characters_done < near:
                return document
        return self._kept.next_wanted(self._width, self._palette) if self.size.width else None

    def _slice(self) -> None:
        document = None if self._unpainted else self._job()
        if document is None:
            if self._slices is not None:
                self._slices.pause()
            return
        waiting = self.app.message_queue_size + self.screen.message_queue_size + self.message_queue_size
        if waiting and self._yielded < _PATIENCE:
            self._yielded += 1
            return
        self._yielded = 0
        before, mark = self._visible(), self._mark()
        document.advance()
        if document is self._document:
            self._grown(before, mark)

    def _grown(self, before: list[Line], mark: int) -> None:
        """More of the shown text is rendered: follow, seek, or repaint only what changed."""
        document, height = self._document, self.size.height
        if self._seek is not None:
            if document.characters_done < self._seek:
                return
            self._top, self._seek = document.line_of(self._seek), None
            self._top = max(0, min(self._top, len(document.lines) - height))
            self.refresh()
        elif self._follow and len(document.lines) > self._top + height:
            jump = min(JUMP, height // 3) if document.stream else 0
            self._top = len(document.lines) - height + jump
            self.refresh()
        else:
            self._refresh_changed(before, mark)
        self._tell_end()

    def _visible(self) -> list[Line]:
        return self._document.lines[self._top : self._top + self.size.height]

    def _refresh_changed(self, before: list[Line], mark: int) -> None:
        if self._moved:
            return
        after = self._visible()
        width, regions = self.size.width, []
        for row in range(max(len(before), len(after))):
            old = before[row] if row < len(before) else ()
            new = after[row] if row < len(after) else ()
            if old != new and (span := changed_span(old, new, width)) is not None:
                regions.append(Region(span[0], row, span[1] - span[0], 1))
        now = self._mark()
        if now != mark:
            regions += [Region(width - 1, row, 1, 1) for row in (mark, now) if row >= 0]
        if regions:
            self.refresh(*regions)

    def _stop_stream(self) -> None:
        self._follow = False
        self._pieces.clear()
        self._forget_flush()

    def _flush_in(self, seconds: float) -> None:
        # A timer of Textual's is a task each; a stream would make thirty of them a second.
        self._flush_due = asyncio.get_running_loop().call_later(seconds, self.call_next, self._flush)

    def _forget_flush(self) -> None:
        if self._flush_due is not None:
            self._flush_due.cancel()
            self._flush_due = None

    def _flush(self) -> None:
        """Paint what has arrived; a flood is painted over several frames."""
        self._forget_flush()
        document = self._document
        if self._pieces:
            piece = "".join(self._pieces)
            self._pieces.clear()
            self._text += piece
            document.append(piece)
        self._flushed_at = monotonic()
        if not self.size.width:
            return
        before, mark = self._visible(), self._mark()
        document.advance(3 * SLICE)
        self._grown(before, mark)
        if document.stream and not document.finished:
            self._flush_in(1 / FRAMES)

    def get_content_height(self, *_: Any) -> int:
        """As many rows as the text has, for a pane with ``height: auto``."""
        return max(1, self._document.estimate)
