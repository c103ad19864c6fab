"""Rank: three to eight answers to one prompt, put in order by their numbers, ties possible."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from rlft_tui.errors import RlftError
from rlft_tui.ids import new_id
from rlft_tui.labels.preference import Revocation
from rlft_tui.labels.ranking import MOST, AnswerSet, Ranking, RankItem, RankPage, RankProgress
from rlft_tui.tui.answer_pane import AnswerPane
from rlft_tui.tui.key_table import bindings, reading_keys
from rlft_tui.tui.rank_session import RankSession
from rlft_tui.tui.run_text import cut, plain
from rlft_tui.tui.screens.queue_screen import HISTORY, QueueScreen
from rlft_tui.tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient

_KEYS = (
    ("equals_sign,t", "tie", "tie with next", "rank.tie", "The next number is as good as the last one"),
    ("enter", "store", "store", "rank.store", "Store the order; the last answer left comes last"),
    ("backspace", "one_back", "take out", "rank.out", "Take the last number out of the order"),
    ("u", "undo", "undo", "rank.undo", "Take back the last ranking, with all verdicts that came from it"),
    ("s", "skip", "skip", "rank.skip", "Pass these answers over for now"),
    ("right,tab", "look(1)", "next answer", "rank.next", "Read the next answer"),
    ("left,shift+tab", "look(-1)", "the one before", "rank.previous", "Read the answer before"),
)


class RankScreen(QueueScreen[RankItem, Ranking, RankProgress]):
    """Orders of several answers."""

    session: RankSession

    KEY = "rank"
    DIGITS_SWITCH = False
    OF_ONE = frozenset({"tie", "store", "one_back", "skip", "look"})
    MIN_SIZE = (40, 14)
    HELP = "Press the numbers of the answers, best first. An order is stored before the next set appears."
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(n), f"place({n})", f"answer {n}", id=f"rank.{n}", show=False, tooltip="Put it next")
            for n in range(1, MOST + 1)
        ),
        *bindings(_KEYS),
        *reading_keys("rank"),
    ]
    DEFAULT_CSS = """
    RankScreen #list { height: auto; padding: 0 1; }
    RankScreen #order { height: 1; padding: 0 1; background: $surface; }
    RankScreen.-ended #list, RankScreen.-ended #order { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.session = RankSession(self.bench.settings.labeler)
        self._number = 1
        """The answer that can be read now."""

    def body(self) -> Iterable[Widget]:
        yield Static("Prompt", classes="heading", markup=False)
        yield TextPane(id="prompt")
        yield Static(id="list", markup=False)
        yield Static(id="reading", classes="heading", markup=False)
        yield AnswerPane(id="answer")
        yield Static(id="ended", markup=False)
        yield Static(id="order", markup=False)
        yield Static(id="status", markup=False)

    # the queue
    def next_page(self, limit: int, held: tuple[str, ...]) -> Callable[[WorkspaceClient], RankPage]:
        labeler = self.session.labeler
        return lambda client: client.next_sets(labeler, limit=limit, exclude=held)

    def put_up(self, item: RankItem) -> None:
        self._number = 1
        self.query_one("#prompt", TextPane).show(_whole_prompt(item.answers))
        self._put_number()

    def _put_number(self) -> None:
        self.put_answer(self.session.text(self._number))
        for number in range(1, self.session.count + 1):
            self.answer.prefetch(self.session.text(number))

    def end_text(self) -> Content:
        return _end_text(self.session)

    def _paint_words(self) -> None:
        session = self.session
        if session.current is not None:
            self.say("#list", self._list())
            self.say(
                "#reading", Content.assemble((f" {self._number} ", "$text bold on $panel"), "  ← → read")
            )
        left = len(session.unplaced())
        hint = "enter stores it" if left <= 1 and session.groups else "press numbers, best first"
        self.say("#order", Content.assemble((session.order_line(), "$text-accent bold"), f"   {hint}"))
        if self._trouble:
            self.say("#status", Content.assemble((plain(self._trouble), "$text-warning bold")))
        else:
            self.say("#status", Content(session.status()))

    def _list(self) -> Content:
        """One line an answer: its number, where it stands so far, and how it begins."""
        session = self.session
        place = {number: rank for rank, group in enumerate(session.groups, 1) for number in group}
        width = max(10, self.size.width - 14)
        rows = []
        for number in range(1, session.count + 1):
            start = " ".join(session.text(number)[: 4 * width].split())
            mark = f"#{place[number]}" if number in place else "  "
            style = "$text-accent bold" if number == self._number else "bold"
            begin = cut(plain(start), width)
            rows.append(Content.assemble((f" {number} ", style), (f" {mark:<3} ", "$text-accent"), begin))
        return Content("\n").join(rows)

    # the order
    def action_place(self, number: int) -> None:
        self._note_painted()
        if self.session.place(number, self.key_time):
            left = self.session.unplaced()
            if left:
                self._look_at(left[0])
            self._paint_words()

    def action_tie(self) -> None:
        self.session.tie()
        self._paint_words()

    def action_one_back(self) -> None:
        if self.session.take_back_one():
            self._paint_words()

    def action_store(self) -> None:
        self._note_painted()
        ranking = self.session.rank(self.key_time)
        if ranking is not None:
            self._paint_words()
            self.store(partial(_add, ranking))

    def take_back(self, client: WorkspaceClient) -> tuple[RankItem, Ranking, RankProgress]:
        return _take_back(self.session.labeler, client)

    def bring_back(self, item: RankItem, former: Ranking, progress: RankProgress) -> None:
        self.session.bring_back(item, former, progress)

    # reading
    def action_look(self, step: int) -> None:
        if self.session.current is not None:
            self._look_at((self._number - 1 + step) % self.session.count + 1)
            self._paint_words()

    def _look_at(self, number: int) -> None:
        self._note_painted()
        self._number = number
        self._put_number()


def _add(ranking: Ranking, client: WorkspaceClient) -> RankProgress:
    return client.add_ranking(ranking)


def _take_back(labeler: str, client: WorkspaceClient) -> tuple[RankItem, Ranking, RankProgress]:
    """The labeller's newest standing ranking, taken back, with its answers as they were shown."""
    for entry in client.ranking_history(labeler, limit=HISTORY):
        one = entry.ranking
        if entry.revoked:
            continue
        progress = client.undo_ranking(Revocation(new_id(), one.id, labeler))
        back = next(
            (
                item
                for item in client.next_sets(labeler, limit=HISTORY).items
                if item.answers.id == one.set_id
            ),
            None,
        )
        if back is None:
            answers = AnswerSet(one.set_id or one.id, one.prompt, one.responses, one.models, one.context)
            back = RankItem(answers, tuple(range(len(one.responses))))
        return back, one, progress
    raise RlftError("nothing to take back")


def _whole_prompt(answers: AnswerSet) -> str:
    if not answers.context:
        return answers.prompt
    turns = [f"**{turn.role}**\n\n{turn.content}" for turn in answers.context]
    return "\n\n---\n\n".join([f"**user**\n\n{answers.prompt}", *turns[::-1]])


def _end_text(session: RankSession) -> Content:
    ranked = session.progress.ranked if session.progress is not None else 0
    first = "Every set of answers is ranked." if ranked else "No answers to rank yet."
    return Content.assemble(
        (first, "bold"),
        "\n\nThree or more stored answers to one prompt appear here by themselves, or import them:\n\n    ",
        ("rlft rankings import answers.jsonl", "$text-accent bold"),
        "\n\none JSON object a line with prompt and responses, a list of 3 to 8 texts.",
    )
