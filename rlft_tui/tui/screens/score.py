"""Score: one answer at a time, without its model's name; a digit is a score, stored before the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from rlft_tui.errors import RlftError
from rlft_tui.ids import new_id
from rlft_tui.labels.feedback import Feedback, FeedbackProgress, ScoreItem, ScorePage
from rlft_tui.labels.preference import Revocation
from rlft_tui.tui.answer_pane import AnswerPane
from rlft_tui.tui.key_table import bindings, reading_keys
from rlft_tui.tui.label_text import prompt_heading, prompt_text
from rlft_tui.tui.queue_walk import QueuedPage
from rlft_tui.tui.run_text import plain
from rlft_tui.tui.score_session import KIND_WORDS, ScoreSession, guide_line
from rlft_tui.tui.screens.queue_screen import HISTORY, QueueScreen
from rlft_tui.tui.widgets.note_line import NoteLine
from rlft_tui.tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient

_KEYS = (
    ("u", "undo", "undo", "score.undo", "Take back the last score; again: the one before"),
    ("s", "skip", "skip", "score.skip", "Pass this answer over for now"),
    ("n", "note", "note", "score.note", "Write why; goes with the next score"),
    ("m", "kind", "scale", "score.kind", "How scores are given"),
    ("p", "prompt", "prompt", "score.prompt", "The whole prompt with its earlier turns"),
    ("l", "show_screen('label')", "label", "score.label", "To the Label screen"),
)
_HIDDEN = (
    ("plus", "step(1)", "0.05 more", "score.more", "The next digit counts 0.05 more"),
    ("minus", "step(-1)", "0.05 less", "score.less", "The next digit counts 0.05 less"),
    ("escape", "release", "close", "score.release", "Close the prompt or the note"),
)


class ScoreScreen(QueueScreen[ScoreItem, Feedback, FeedbackProgress]):
    """Scores of single answers."""

    session: ScoreSession

    KEY = "score"
    DIGITS_SWITCH = False
    OF_ONE = frozenset({"skip", "note", "prompt"})
    CHANGES_KEYS = frozenset({"leader", "note", "release"})
    MIN_SIZE = (36, 12)
    HELP = "How good is this answer? A score is stored before the next answer appears."
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(key, f"score('{text}')", f"score {text}", id=f"score.{name}", show=False, tooltip=tip)
            for key, text, name, tip in (
                *((str(n), str(n), f"digit_{n}", f"0.{n}; thumbs: 1, 2; Likert: 1–5") for n in range(10)),
                ("equals_sign", "=", "full", "1.0"),
            )
        ),
        *bindings(_KEYS),
        *bindings(_HIDDEN, show=False),
        *reading_keys("score"),
    ]
    DEFAULT_CSS = """
    ScoreScreen #guide { height: auto; padding: 0 1; background: $surface; }
    ScoreScreen #note { display: none; height: 1; padding: 0 1; border: none; background: $boost; }
    ScoreScreen.-ended #guide { display: none; }
    ScoreScreen.-prompt #prompt { height: 50%; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.session = ScoreSession(self.bench.settings.labeler)

    def body(self) -> Iterable[Widget]:
        yield Static(id="prompt-heading", classes="heading", markup=False)
        yield TextPane(id="prompt")
        yield Static("Answer", classes="heading", markup=False)
        yield AnswerPane(id="answer")
        yield Static(id="ended", markup=False)
        yield Static(id="guide", markup=False)
        yield Static(id="status", markup=False)
        yield NoteLine()

    # the queue
    def next_page(self, limit: int, held: tuple[str, ...]) -> Callable[[WorkspaceClient], ScorePage]:
        labeler = self.session.labeler
        return lambda client: client.next_answers(labeler, limit=limit, exclude=held)

    def put_up(self, item: ScoreItem) -> None:
        self.put_answer(item.response)
        self.query_one("#prompt", TextPane).show(prompt_text(item.pair, self.has_class("-prompt")))
        self.say("#prompt-heading", prompt_heading(item.pair))

    def _received(self, page: QueuedPage[ScoreItem, FeedbackProgress]) -> None:
        super()._received(page)
        for item in self.session.upcoming:
            self.answer.prefetch(item.response)

    def end_text(self) -> Content:
        return _end_text(self.session)

    def _paint_words(self) -> None:
        session = self.session
        self.say(
            "#guide",
            Content.assemble((guide_line(), "$text-accent"), "\n", (KIND_WORDS[session.kind], "$text-muted")),
        )
        warning = session.progress.warning if session.progress is not None else ""
        trouble = self._trouble or warning
        line = Content(session.status())
        if trouble:
            line = Content.assemble((plain(trouble), "$text-warning bold"), f"   {session.status()}")
        self.say("#status", line)

    # scores
    def action_score(self, key: str) -> None:
        self._note_painted()
        one = self.session.score(key, self.key_time)
        if one is not None:
            self.store(partial(_add, one))

    def action_step(self, sign: int) -> None:
        self.session.step(sign)
        self._paint_words()

    def action_kind(self) -> None:
        self.session.next_kind()
        self._paint_words()

    def take_back(self, client: WorkspaceClient) -> tuple[ScoreItem, Feedback, FeedbackProgress]:
        return _take_back(self.session.labeler, client)

    def bring_back(self, item: ScoreItem, former: Feedback, progress: FeedbackProgress) -> None:
        self.session.bring_back(item, former, progress)

    # note, prompt, scrolling
    def action_note(self) -> None:
        if self.session.current is None:
            return
        note = self.query_one("#note", Input)
        note.value = self.session.note
        self.query_one("#status").display = False
        note.display = True
        note.focus()

    @on(Input.Submitted, "#note")
    def _note_written(self, event: Input.Submitted) -> None:
        self.session.note = event.value.strip()
        self._close_note()

    def _close_note(self) -> None:
        self.query_one("#note").display = False
        self.query_one("#status").display = True
        self.set_focus(None)
        self._paint_words()

    def action_prompt(self) -> None:
        self.toggle_class("-prompt")
        if self.session.current is not None:
            text = prompt_text(self.session.current.pair, self.has_class("-prompt"))
            self.query_one("#prompt", TextPane).show(text)

    def action_release(self) -> None:
        if self.query_one("#note").display:
            self._close_note()
        elif self.has_class("-prompt"):
            self.action_prompt()

    def action_show_screen(self, key: str) -> None:
        self.bench.show_screen(key)


def _add(one: Feedback, client: WorkspaceClient) -> FeedbackProgress:
    return client.add_feedback(one)


def _take_back(labeler: str, client: WorkspaceClient) -> tuple[ScoreItem, Feedback, FeedbackProgress]:
    """The labeller's newest standing score on a stored answer, taken back, with its answer."""
    for entry in client.feedback_history(labeler, limit=HISTORY):
        one = entry.feedback
        if entry.revoked or not one.example_id:
            continue
        pair = client.pair(one.example_id)
        item = ScoreItem(pair, "a" if pair.response_a == one.response else "b")
        return item, one, client.undo_feedback(Revocation(new_id(), one.id, labeler))
    raise RlftError("nothing to take back")


def _end_text(session: ScoreSession) -> Content:
    scored = session.progress.scored if session.progress is not None else 0
    first = "Every answer is scored." if scored else "No answers to score yet."
    return Content.assemble(
        (first, "bold"),
        "\n\nAnswers come from stored pairs:\n\n    ",
        ("rlft pairs import pairs.jsonl", "$text-accent bold"),
        "\n\nScores are exported with:\n\n    ",
        ("rlft feedback export scores.jsonl", "$text-accent bold"),
        "\n\nNew answers appear here by themselves.",
    )
