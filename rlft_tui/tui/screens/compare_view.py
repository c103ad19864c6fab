"""How Compare looks: prompt, form, two to four answers, and the line that says what is to be done."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from rlft_tui.prompts.prompt import Message
from rlft_tui.server.answers import MOST_SIDES
from rlft_tui.tui import run_text
from rlft_tui.tui.answer_diff import AnswerDiffs
from rlft_tui.tui.answer_pane import AnswerPane
from rlft_tui.tui.chrome import key_name
from rlft_tui.tui.comparison import Comparison, speed_words
from rlft_tui.tui.comparison_sides import settings_line
from rlft_tui.tui.comparison_verdict import Decision
from rlft_tui.tui.label_keys import key_names
from rlft_tui.tui.label_text import legend
from rlft_tui.tui.prompt_walk import PromptWalk, Tally
from rlft_tui.tui.screens.base import WorkbenchScreen
from rlft_tui.tui.screens.compare_form import CompareForm
from rlft_tui.tui.token_view import LEGEND, token_line
from rlft_tui.tui.widgets.cells import cell_width
from rlft_tui.tui.widgets.note_line import NoteLine
from rlft_tui.tui.widgets.prompt_field import PromptField
from rlft_tui.tui.widgets.text_pane import TextPane

ROOMY = 36
"""Columns that an answer needs beside others."""
LOW = 14
"""Rows under which the open form stands in place of the answers, so that the line below stays in view."""
SEPARATOR = " · "
STACK_BELOW = 70
"""Columns under which two answers stand one above the other, as on the label screen."""


class CompareView(WorkbenchScreen):
    """What is on the screen; nothing here asks the server."""

    KEY = "compare"
    DEFAULT_CSS = """
    CompareView .heading { height: 1; padding: 0 1; background: $surface; color: $text-muted; }
    CompareView #prompt { height: 3; border: none; padding: 0 1; background: $background; }
    CompareView #whole { display: none; height: 3; padding: 0 1; }
    CompareView.-prompt #whole { display: block; }
    CompareView.-prompt #prompt { display: none; }
    CompareView #form { display: none; }
    CompareView.-options #form { display: block; }
    CompareView #answers { height: 1fr; layout: grid; grid-size: 2; grid-gutter: 0 1; }
    CompareView.-low.-options #answers, CompareView.-low CompareForm .heads { display: none; }
    CompareView #answers > Vertical { height: 1fr; }
    CompareView AnswerPane { padding: 0 1; }
    CompareView #legend { display: none; height: 1; padding: 0 1; background: $surface; }
    CompareView.-legend #legend { display: block; }
    CompareView #said { height: 1; padding: 0 1; }
    CompareView.-noting #said { display: none; }
    CompareView #note { display: none; height: 1; padding: 0 1; border: none; background: $boost; }
    CompareView.-noting #note { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.round = Comparison()
        """What is up."""
        self.models_known = False
        """Whether it was read which models there are."""
        self.walk: PromptWalk | None = None
        self.tally = Tally()
        self.graded = self.bench.settings.asks_strength(self.bench.settings.labeler)
        """Whether a key also says how much better, of two answers."""
        self.groups: list[list[int]] = []
        """Places put in order so far, best first, of three or four answers."""
        self.tie_pending = False
        """Whether the next place joins the last group."""
        self.confidence: int | None = None
        self.note = ""
        self._names = key_names(self.bench.keys)
        self.seen_at = 0.0
        """When the terminal had read the answers (time.monotonic), 0 before: later keys are about them."""
        self._storing = False
        self._trouble = ""
        self._remark = ""
        """Stands before the question, such as what was taken back."""
        self._board: tuple[str, str] | None = None
        """Heading and text in place of the answers: the conversation so far, or how the models stand."""
        self._laid_out: object = None
        self._zoomed: int | None = None
        """The place that has the whole width."""
        self._cursors: dict[int, int] = {}
        """The token under the cursor of each place."""
        self._diffs = AnswerDiffs()
        self._diff_of: tuple[int, int] | None = None
        """The two places whose differences are shown."""
        self._serial = 0

    # layout
    def body(self) -> Iterable[Widget]:
        yield Static(id="heading", classes="heading", markup=False)
        field = PromptField(
            id="prompt",
            placeholder="Write a prompt, ⏎ has it answered. Or esc, then f: stored prompts, a file",
        )
        field.cursor_blink = False
        yield field
        yield TextPane(id="whole")
        yield CompareForm(id="form")
        with Container(id="answers"):
            for place in range(MOST_SIDES):
                with Vertical(id=f"place-{place}"):
                    yield Static(classes="heading", id=f"title-{place}", markup=False)
                    yield AnswerPane(id=f"answer-{place}")
        yield Static(id="legend", markup=False)
        yield Static(id="said", markup=False)
        yield NoteLine()

    @property
    def form(self) -> CompareForm:
        return self.query_one(CompareForm)

    @property
    def field(self) -> PromptField:
        return self.query_one(PromptField)

    def pane(self, place: int) -> AnswerPane:
        return self.query_one(f"#answer-{place}", AnswerPane)

    @property
    def count(self) -> int:
        """Answers there are, or will be."""
        return len(self.round.sides) or max(2, self.form.count)

    def places(self) -> list[int]:
        """Places in view."""
        if self._board is not None:
            return [0]
        if self._zoomed is not None:
            return [self._zoomed]
        return list(self._diff_of) if self._diff_of is not None else list(range(self.count))

    def panes(self) -> list[AnswerPane]:
        return [self.pane(place) for place in self.places()]

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.height < LOW, "-low")
        self.call_after_refresh(self.paint)  # the titles say what fits

    def _lay_out(self) -> None:
        """Two side by side from 70 columns on; three or four in one row where each has room, else in two."""
        shown, whole = self.places(), self.query_one("#whole", TextPane)
        rows = max(2, min(4, self.size.height // 7))
        if self.has_class("-low") and self.has_class("-options"):
            rows = 1
        if self.has_class("-prompt"):
            rows = max(rows, min(self.size.height // 2, whole.line_count))
        if self._laid_out == (shown, self.size, rows):
            return
        self._laid_out = (shown, self.size, rows)
        whole.styles.height = self.field.styles.height = rows
        width, number = self.size.width, len(shown)
        columns = 1
        if number > 1 and width >= STACK_BELOW:
            columns = number if number == 2 or width >= (ROOMY + 1) * number else 2
        self.query_one("#answers").styles.grid_size_columns = columns
        for place in range(MOST_SIDES):
            column = self.query_one(f"#place-{place}")
            column.display = place in shown
            alone = number % columns == 1 and columns > 1 and place == shown[-1]
            column.styles.column_span = columns if alone else 1
        self.call_after_refresh(self.paint_words)  # the titles say what fits into the new columns

    # painting
    def keys_changed(self) -> None:
        self._names = key_names(self.bench.keys)
        self.paint()

    def paint(self) -> None:
        """Everything but the answers, which are painted as they come."""
        self._lay_out()
        self._put("#heading", self._heading())
        self.paint_words()
        tokens = self.has_class("-tokens")
        grading = self.graded and self.count == 2 and self.round.state == "ready"
        self.set_class(tokens or grading, "-legend")
        if tokens:
            self._put("#legend", Content.styled(LEGEND, "dim"))
        elif grading:
            self._put("#legend", legend(max(self.size.width - 2, 1), self._names))
        self.refresh_bindings()

    def paint_words(self) -> None:
        """What changes with every frame of a stream: the titles, and the line below."""
        for place in self.places():
            self._put(f"#title-{place}", self._title(place))
        # behind a dialog its keys are not to be pressed, so they are not named
        self._put("#said", self._said() if self.is_active else Content(""))

    def _put(self, selector: str, content: Content) -> None:
        """Update only what changes: a line that says the same costs nothing."""
        part = self.query_one(selector, Static)
        if part.content != content:
            part.update(content)

    def _heading(self) -> Content:
        """Which prompt of how many, which turn, how it is drawn; as many as fit."""
        if self.has_class("-standing"):
            back = f"   since the screen was opened · {self._key('label.release', 'escape')} back"
            return Content.assemble(("Standing", "bold"), (back, "dim"))
        turns = sum(turn.role == "user" for turn in self.turns())
        parts = [self.walk.line()] if self.walk is not None else []
        parts += [f"turn {turns + 1} ({self._names['label.prompt']} shows all)"] if turns else []
        parts += ["blind" if self.round.blind else "names shown"]
        parts += [settings_line(self.round.sides)] if self.round.sides else []
        return Content.assemble(("Prompt", "bold"), ("   " + fits(parts, self.size.width - 11), "dim"))

    def _title(self, place: int) -> Content:
        focused = self.pane(place).has_focus
        if self._board is not None:
            return Content.styled(self._board[0], "bold")
        number = self._key_of(place)
        mark = (f" {number} ", "$text-accent bold reverse" if focused else "$text bold on $panel")
        ranks = (f" #{n}" for n, group in enumerate(self.groups, 1) if place in group)
        rank = next(ranks, "") if self.count > 2 else ""
        if not self.round.sides:
            return Content.assemble(mark)
        column = self.query_one(f"#title-{place}").size.width or self.size.width // 2
        room = column - len(number) - len(rank) - 5
        chosen = bool(self.groups) and place in self.groups[0] and self.round.state == "judged"
        words = self.round.title(place, room, chosen=chosen)
        return Content.assemble(mark, (rank, "$text-accent bold"), " ", words)

    def _key_of(self, place: int) -> str:
        """The keys that say this answer is better."""
        if self.count > 2:
            return str(place + 1)
        side = ("left", "right")[place]
        if not self.graded:
            return self._names[f"label.{'first' if side == 'left' else 'second'}"]
        steps = (4, 3, 2, 1) if side == "left" else (1, 2, 3, 4)
        return " ".join(self._names[f"label.{side}_{step}"] for step in steps)

    def _said(self) -> Content:
        """What is going on and what can be done about it."""
        own = [self._remark] if self._remark else []
        if self.confidence is not None:
            own.append(f"confidence {self.confidence}")
        if self.note:
            own.append(f"note: {run_text.cut(run_text.plain(self.note), 24)}")
        mine = (" · ".join(own) + "   ", "$text-accent bold") if own else ""
        if self._trouble:
            return Content.assemble(mine, (run_text.plain(self._trouble), "$text-warning bold"))
        if self.has_class("-tokens") and self.round.state in ("ready", "judged"):
            place = self.token_place()
            tokens = self.round.answer(place).probabilities
            cursor = min(self._cursors.get(place, 0), max(0, len(tokens) - 1))
            return Content.styled(token_line(tokens, cursor, self.size.width - 2), "bold")
        text, style = self._state_words()
        room = self.size.width - 2 - cell_width(mine[0] if mine else "")
        return Content.assemble(mine, (fits(text.split(SEPARATOR), room), style))

    def _state_words(self) -> tuple[str, str]:
        shown, again = self.round, self._key("compare.generate", "ctrl+r")
        if self._storing:
            return "storing the verdict …", ""
        if shown.state == "streaming":
            speed = shown.tokens_per_second()
            rate = f" · {speed_words(speed)} together" if speed else ""
            begun = any(answer.tokens for answer in shown.answers)
            now = f"streaming{rate}" if begun else "waiting for the inference worker …"
            return f"{run_text.plain(shown.note) or now} · esc cancels", ""
        if shown.state == "ready":
            return (self._question() if self.seen_at else "…"), "bold"
        if shown.state == "judged":
            more = f"{again} again, new seed"
            return f"{self._stored_words(self.size.width - 5 - cell_width(more))} · {more} · t next turn", ""
        if shown.state == "failed":
            line = run_text.cut(run_text.plain(shown.note), max(20, self.size.width - 24))
            return f"✗ {line} · {again} asks again", "$text-warning bold"
        if shown.state == "cancelled":
            return f"cancelled: answers that were cut off are not judged; {again} generates again", ""
        if self.walk is not None and self.walk.current is None:
            count = len(self.walk.prompts)
            all_of_them = "The one prompt is" if count == 1 else f"All {count:,} prompts are"
            return f"{all_of_them} through · u takes the last verdict back", ""
        if not self.models_known:
            return "reading models …", ""
        if not any(self.form.chosen):
            model = run_text.plain(self.bench.settings.default_model)
            return f"No model yet: rlft models pull {model}", "$text-warning bold"
        return f"⏎ or {again} has the prompt answered by all models", ""

    def decision(self) -> Decision | None:
        """What was stored of the answers that are up."""
        found = (judged for judged in reversed(self.tally.rounds) if judged.shown is self.round)
        return next((judged.decision for judged in found), None)

    def _stored_words(self, width: int) -> str:
        """What was stored, and of whom where names are shown."""
        decision = self.decision()
        line = f"Stored: {decision.words()}" if decision is not None else "Stored"
        if decision is None or decision.winner is None or self.round.hidden:
            return run_text.cut(line, width)
        return run_text.cut(
            f"{line}, {self.round.name(decision.winner, width - cell_width(line) - 2)}", width
        )

    def _question(self) -> str:
        name = self._names
        if self.round.all_the_same:
            again = self._key("compare.generate", "ctrl+r")
            return f"The answers are the same, word for word · {again} with a new seed"
        if self.count > 2:
            line = " > ".join(" = ".join(str(place + 1) for place in group) for group in self.groups)
            if not line:
                return "Which is best?  numbers, best first · = tie · ⏎ stores"
            more = f" {'=' if self.tie_pending else '>'} …" if self._unplaced() else ""
            left = f"   ⏎ stores it{', the rest after them' if len(self._unplaced()) > 1 else ''}"
            return f"{line}{more}{left}"
        if self.graded:
            return f"Which is better, and how much?  {name['label.even']} tie"
        keys = f"{name['label.first']} left · {name['label.second']} right · {name['label.tie']} tie"
        start = "Which is better?  " if not self._remark else ""
        return f"{start}{keys} · {name['label.good']} both good · {name['label.bad']} both bad"

    def _unplaced(self) -> list[int]:
        placed = {place for group in self.groups for place in group}
        return [place for place in range(self.count) if place not in placed]

    def _key(self, name: str, usual: str) -> str:
        return key_name(self.bench.keys.get(name, usual).split(",")[0])

    def turns(self) -> tuple[Message, ...]:
        """The turns before the prompt, of what is up or will be asked next."""
        return self.round.context

    def token_place(self) -> int:
        """The place whose tokens the cursor is in."""
        shown = self.places()
        return next((place for place in shown if self.pane(place).has_focus), shown[0])


def fits(parts: list[str], width: int) -> str:
    """The first part, and of the others as many as fit wholly into so many cells."""
    line = parts[0] if parts else ""
    for part in parts[1:]:
        if cell_width(line + SEPARATOR + part) > width:
            break
        line += SEPARATOR + part
    return run_text.cut(line, width)
