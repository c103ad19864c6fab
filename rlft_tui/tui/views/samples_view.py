"""The generations of a run, by step and prompt."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from rlft_tui.runs.run_status import RunSummary, Sample
from rlft_tui.tui import run_text
from rlft_tui.tui.sample_book import SampleBook
from rlft_tui.tui.server_link import ServerLink
from rlft_tui.tui.views.run_view import RunView
from rlft_tui.tui.widgets.text_pane import TextPane

NO_SAMPLES = "no samples yet"
GENERATED = "A generating run's answers become pairs when it has finished: label them (2), read them (3)"


class SamplesView(RunView):
    """Measures on top, then the prompt, then the completion."""

    DEFAULT_CSS = """
    SamplesView #sample-facts { height: 1; padding: 0 1; color: $text-muted; }
    SamplesView #sample-prompt { height: auto; max-height: 3; padding: 0 1; background: $surface; }
    SamplesView #sample-text { padding: 0 1; }
    """

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.book = SampleBook()
        self._none = NO_SAMPLES
        self._shown: Sample | None = None
        self._facts = ""

    def compose(self) -> ComposeResult:
        yield Static(NO_SAMPLES, id="sample-facts", markup=False)
        yield Static("", id="sample-prompt", markup=False)
        yield TextPane(id="sample-text")

    @property
    def count(self) -> int:
        return sum(len(page) for page in self.book.by_step.values())

    @property
    def place(self) -> str:
        return self.book.place

    def clear(self) -> None:
        self.book = SampleBook()
        self._paint()

    async def read(self, link: ServerLink, run: RunSummary) -> None:
        after = self.book.last_step - 1 if self.book.by_step else -1
        self.expect(run.method)
        samples = await link.call(lambda client: client.samples(run.id, after_step=after))
        self.take(samples)

    def expect(self, method: str) -> None:
        """What is said while there are none depends on the run's method."""
        self._none = GENERATED if method == "generate" else NO_SAMPLES

    def take(self, samples: Iterable[Sample]) -> None:
        """Add samples; repaint when the one shown changed."""
        if self.book.add(samples) or not self.book.by_step:
            self._paint()

    def go_to(self, step: int) -> None:
        """The last samples at or before a step, such as the one under the curves' cursor."""
        if self.book.go_to(step):
            self._paint()

    def turn(self, by: int) -> None:
        if self.book.turn_step(by):
            self._paint()

    def turn_prompt(self, by: int) -> None:
        if self.book.turn_prompt(by):
            self._paint()

    def focus_inside(self) -> None:
        self.query_one(TextPane).focus()

    def _paint(self) -> None:
        sample = self.book.current
        facts = self._describe(sample)
        if facts != self._facts:
            self._facts = facts
            self.query_one("#sample-facts", Static).update(facts)
        if sample == self._shown:
            return
        self._shown = sample
        prompt = run_text.plain(sample.prompt) if sample else ""
        self.query_one("#sample-prompt", Static).update(Text(prompt))
        self.query_one(TextPane).show(sample.completion if sample else "")

    def _describe(self, sample: Sample | None) -> str:
        if sample is None:
            return self._none
        parts = []
        if sample.kl is not None:
            parts.append(f"KL {run_text.figure(sample.kl)} nats/sequence")
        if (mean := self.book.mean_kl()) is not None:
            parts.append(f"mean of the step {run_text.figure(mean)}")
        if sample.reward is not None:
            parts.append(f"reward {run_text.figure(sample.reward)}")
        if sample.tokens:
            parts.append(f"{sample.tokens} tokens")
        return " · ".join(parts)
