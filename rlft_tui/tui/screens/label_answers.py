"""A better answer in the labeller's own words: in a pane of the workbench or in an editor of theirs."""

from __future__ import annotations

from functools import partial

from rlft_tui.errors import RlftError
from rlft_tui.labels.preference import Progress
from rlft_tui.tui.screens.label_feed import LabelFeed


class LabelAnswers(LabelFeed):
    """Writing answers; what was begun and not kept is there again at the next try."""

    def _begun(self) -> str:
        current = self.session.current
        if current is None:
            return ""
        pair = current.pair.id
        return self.session.begun.of(pair) or self.session.written.get(pair, "")

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
            else:
                self.session.begun.keep(pair, text)

        self.session.clock.leave(self.key_time)
        draft = partial(self.session.begun.keep, pair)
        self.bench.push_screen(AnswerEditor(current, self._begun(), draft), ended)

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
            self.session.begun.drop(pair)
            self._settle()
            self._paint_status()

        def refused(error: RlftError) -> None:
            self.session.begun.keep(pair, text)
            self._settle()
            self.bench.show_error(error)

        self.bench.label_writer.put(answer, stored, refused, self._delayed)
