"""The generations of a run: every sample of a step, with reward and KL; diffs; a way to labelling."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static

from rlft_tui.runs.run_status import ACTIVE, BEST, WORST, RunSummary, Sample, SampleHead
from rlft_tui.tui import run_text
from rlft_tui.tui.list_pane import ListPane, ListRow
from rlft_tui.tui.sample_book import SampleBook
from rlft_tui.tui.server_link import ServerLink
from rlft_tui.tui.views.run_view import RunView
from rlft_tui.tui.widgets.text_pane import TextPane
from rlft_tui.tui.widgets.word_diff import diff_words, marked_pieces

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient

NO_SAMPLES = "no samples yet"
GENERATED = "A generating run's answers become pairs when it has finished: label them (2), read them (3)"
WIDE = 110
"""Columns from which the step's samples are listed beside the text."""
Against = Literal["", "before", "first"]


class SamplesView(RunView, can_focus=True):
    """A list of the step's samples, then measures, prompt and completion of the one chosen."""

    DEFAULT_CSS = """
    SamplesView #sample-list { width: 36; display: none; }
    SamplesView.-wide #sample-list { display: block; }
    SamplesView #sample-facts { height: 1; padding: 0 1; color: $text-muted; }
    SamplesView #sample-prompt { height: auto; max-height: 3; padding: 0 1; background: $surface; }
    SamplesView #sample-text, SamplesView #sample-base { padding: 0 1; }
    SamplesView #sample-base { display: none; }
    SamplesView.-diff #sample-base { display: block; }
    SamplesView.-diff #sample-list { display: none; }
    SamplesView #sample-texts { layout: vertical; }
    SamplesView.-wide #sample-texts { layout: horizontal; }
    SamplesView #sample-base { border: none; background: $surface; }
    SamplesView #sample-search { display: none; margin: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "extreme(True)", "best", id="samples.best", tooltip="The step's highest reward"),
        Binding("w", "extreme(False)", "worst", id="samples.worst", tooltip="The step's lowest reward"),
        Binding("d", "diff", "diff", id="samples.diff",
                tooltip="Diff with the same prompt at the step before, then at the first step"),
        Binding("l", "label", "label", id="samples.label",
                tooltip="To labelling, as a blind pair: this sample and the marked or the step before's"),
        Binding("space", "mark", "mark", id="samples.mark", tooltip="Mark this sample for a pair"),
        Binding("slash", "search", "search", id="samples.search", tooltip="Search prompts and completions"),
        Binding("n", "hit(1)", "next hit", show=False, id="samples.next", tooltip="Next sample found"),
        Binding("N", "hit(-1)", "hit before", show=False, id="samples.previous",
                tooltip="Sample found before"),
        Binding("v", "order", "order", show=False, id="samples.order",
                tooltip="Order of the step's samples: by prompt, reward or KL"),
    ]  # fmt: skip

    class TextsWanted(Message):
        """A step is shown whose texts are not there yet, or a search was asked for."""

    class PairWanted(Message):
        """The answers to one prompt at two steps are to be labelled."""

        def __init__(self, index: int, steps: tuple[int, int]) -> None:
            super().__init__()
            self.index = index
            self.steps = steps

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.book = SampleBook()
        self.against: Against = ""
        self._none = NO_SAMPLES
        self._shown: object = None
        self._facts = ""
        self._marked: SampleHead | None = None
        self._wanted_step: int | None = None
        """Where to go once samples are there."""
        self._search = ""
        self._hits: tuple[SampleHead, ...] | None = None
        """What the search found; None before it was asked for."""

    def compose(self) -> ComposeResult:
        yield Static(NO_SAMPLES, id="sample-facts", markup=False)
        with Horizontal():
            yield ListPane(id="sample-list")
            with Vertical():
                yield Static("", id="sample-prompt", markup=False)
                with Horizontal(id="sample-texts"):
                    yield TextPane(id="sample-base")
                    yield TextPane(id="sample-text")
        box = Input(placeholder="search prompts and completions, ⏎", compact=True, id="sample-search")
        box.cursor_blink = False
        yield box

    @property
    def count(self) -> int:
        return sum(len(page) for page in self.book.by_step.values())

    @property
    def place(self) -> str:
        parts = [self.book.place]
        if self._search and self._hits is not None:
            parts.append(f"{run_text.counted(len(self._hits), 'hit')} for {run_text.cut(self._search, 12)}")
        return " · ".join(part for part in parts if part)

    @property
    def base(self) -> int | None:
        """The step that is compared with."""
        if not self.against:
            return None
        return self.book.step_before() if self.against == "before" else self.book.first_step()

    def clear(self) -> None:
        self.book = SampleBook(order=self.book.order)
        self._marked, self._wanted_step, self._search, self._hits = None, None, "", None
        self._paint()

    async def read(self, link: ServerLink, run: RunSummary) -> None:
        book = self.book
        after = book.last_step - 1 if book.by_step else -(2**62)
        self._none = nothing_yet(run)
        news = book.add(await link.call(lambda client: client.sample_heads(run.id, after_step=after)))
        if self._wanted_step is not None and book.by_step:
            book.go_to(self._wanted_step)
            self._wanted_step = None
        for step in (book.step, self.base):
            if step is not None and step in book.by_step and step not in book.texts:
                book.add_texts(step, await link.call(partial(_texts, run.id, step)))
                news = True
        if self._search and self._hits is None:
            words = self._search
            self._hits = await link.call(lambda client: client.sample_heads(run.id, search=words))
            self.action_hit(0)
        if self.book is book and (news or not book.by_step):
            self._paint()

    def go_to(self, step: int) -> None:
        """The last samples at or before a step, such as the one under the curves' cursor."""
        if not self.book.by_step:
            self._wanted_step = step
        elif self.book.go_to(step):
            self._turned()

    def turn(self, by: int) -> None:
        if self.book.turn_step(by):
            self._turned()

    def turn_prompt(self, by: int) -> None:
        if self.book.turn_prompt(by):
            self._turned()

    def focus_inside(self) -> None:
        self.screen.set_focus(self.query_one("#sample-text", TextPane))

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= WIDE, "-wide")
        self._paint()

    # actions
    def action_extreme(self, best: bool) -> None:
        """The step's best or worst sample by reward, or by KL where nothing is rewarded."""
        head = self.book.extreme(best=best)
        if head is None:
            self._warn("No sample of this step has a reward or a KL")
        elif self.book.choose(head.index):
            self._turned()

    def action_diff(self) -> None:
        following: dict[Against, Against] = {"": "before", "before": "first", "first": ""}
        self.against = following[self.against]
        self._turned()

    def action_order(self) -> None:
        self.book.turn_order()
        self._turned()

    def action_mark(self) -> None:
        head = self.book.current
        self._marked = None if head == self._marked else head
        self._paint()

    def action_label(self) -> None:
        """A blind pair of this sample and the marked one, or of the step before's answer."""
        book = self.book
        if book.current is None:
            return
        before = book.step_before()
        if self._marked is not None and self._marked.step != book.step:
            if self._marked.index != book.index:
                self._warn("The marked sample answers another prompt: mark one that answers this one")
                return
            before = self._marked.step
        if before is None:
            self._warn("A pair needs a second answer to this prompt: mark one at another step (space)")
        else:
            self.post_message(self.PairWanted(book.index, (before, book.step)))

    def action_search(self) -> None:
        box = self.query_one("#sample-search", Input)
        box.display = True
        self.screen.set_focus(box)

    @on(Input.Submitted, "#sample-search")
    def _search_asked(self, event: Input.Submitted) -> None:
        event.stop()
        self._search, self._hits = event.value.strip(), None
        event.input.display = False
        self.focus_inside()
        self.post_message(self.TextsWanted())

    def on_key(self, event: events.Key) -> None:
        box = self.query_one("#sample-search", Input)
        if event.key == "escape" and box.has_focus:
            event.stop()
            box.display = False
            self.focus_inside()

    def action_hit(self, by: int) -> None:
        """The next or previous sample that the search has found."""
        if self._hits is None:
            return
        if not self._hits:
            self._warn(f"No sample holds {self._search!r}")
            return
        places = [(head.step, head.index) for head in self._hits]
        here = (self.book.step, self.book.index)
        if by >= 0:
            later = [place for place in places if (place > here if by else place >= here)]
            step, index = later[0] if later else places[0]
        else:
            earlier = [place for place in places if place < here]
            step, index = earlier[-1] if earlier else places[-1]
        self.book.go_to(step, index)
        self._turned()

    @on(ListPane.Moved)
    def _listed(self, event: ListPane.Moved) -> None:
        event.stop()
        if self.book.choose(int(event.key)):
            self._turned()

    def _warn(self, text: str) -> None:
        self.notify(text, severity="warning", timeout=6, markup=False)

    def _turned(self) -> None:
        self._paint()
        self.post_message(self.TextsWanted())

    # drawing
    def _paint(self) -> None:
        head = self.book.current
        facts = self._describe(head)
        if facts != self._facts:
            self._facts = facts
            self.query_one("#sample-facts", Static).update(facts)
        self._list()
        sample = self.book.text
        base = None if self.base is None else self.book.text_at(self.base)
        if head is not None and sample is None:
            return  # the text is on its way; what is shown stays until then
        shown = (sample, base, self.against)
        if shown == self._shown:
            return
        self._shown = shown
        prompt = run_text.plain(sample.prompt) if sample else ""
        self.query_one("#sample-prompt", Static).update(Text(prompt))
        pane, old = self.query_one("#sample-text", TextPane), self.query_one("#sample-base", TextPane)
        diffing = sample is not None and base is not None
        self.set_class(diffing, "-diff")
        if sample is not None and base is not None:
            before, after = diff_words(base.completion, sample.completion)
            old.show(base.completion, marks=marked_pieces(base.completion, before, fold=False))
            pane.show(sample.completion, marks=marked_pieces(sample.completion, after, fold=False))
        else:
            pane.show(sample.completion if sample else "")

    def _list(self) -> None:
        rows = []
        for head in self.book.heads:
            marked = self._marked is not None and (self._marked.step, self._marked.index) == (
                head.step,
                head.index,
            )
            name = {BEST: "best", WORST: "worst"}.get(head.index, head.index + 1)
            line = Text(f" {'◆' if marked else ' '}{name:>5} ", no_wrap=True)
            line.append(f"{run_text.figure(head.reward):>9} {run_text.figure(head.kl):>9} {head.tokens:>6}")
            rows.append(ListRow(str(head.index), line))
        pane = self.query_one(ListPane)
        with self.prevent(ListPane.Moved):
            pane.show(rows, Text(f"  {'#':>5} {'reward':>9} {'KL':>9} {'tokens':>6}"))
            pane.go_to(str(self.book.index))

    def _describe(self, head: SampleHead | None) -> str:
        if head is None:
            return self._none
        parts = []
        if self.base is not None:
            where = "left" if self.has_class("-wide") else "above"
            before, now = self.book.text_at(self.base), self.book.text
            if before is not None and now is not None and before.completion == now.completion:
                parts.append(f"the same text as at step {self.base}")
            else:
                parts.append(f"diff with step {self.base} ({where})")
        if head.reward is not None:
            parts.append(f"reward {run_text.figure(head.reward)}{self._reward_parts()}")
        if head.kl is not None:
            parts.append(f"KL {run_text.figure(head.kl)} nats/sequence")
        if (mean := self.book.mean_kl()) is not None:
            parts.append(f"mean of the step {run_text.figure(mean)}")
        if head.tokens:
            parts.append(run_text.counted(head.tokens, "token"))
        return " · ".join(parts)

    def _reward_parts(self) -> str:
        """What the reward is made of, where it has several parts."""
        rewards = self.book.text.rewards if self.book.text is not None else {}
        if len(rewards) < 2:
            return ""
        parts = (f"{run_text.plain(name)} {run_text.figure(part)}" for name, part in rewards.items())
        return f" ({' + '.join(parts)})"


def nothing_yet(run: RunSummary) -> str:
    """What stands where samples will be: a generating run's answers are pairs, not samples."""
    if run.method == "generate":
        return GENERATED
    return NO_SAMPLES if run.status in ACTIVE else "no samples were logged"


def _texts(run_id: str, step: int, client: WorkspaceClient) -> tuple[Sample, ...]:
    return client.samples_at(run_id, step)
