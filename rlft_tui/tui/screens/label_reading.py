"""Reading in Label: scrolling, one answer alone, the whole prompt, and the time it takes."""

from __future__ import annotations

from rlft_tui.tui.label_text import prompt_text
from rlft_tui.tui.screens.label_view import LabelView
from rlft_tui.tui.scroll_together import scroll_together
from rlft_tui.tui.widgets.text_pane import TextPane

FOCUS_ORDER: tuple[str | None, ...] = (None, "left", "right")


class LabelReading(LabelView):
    """The keys that change what is in view, and nothing else."""

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

    def on_descendant_focus(self) -> None:
        self._paint_headings()

    def on_descendant_blur(self) -> None:
        self._paint_headings()
