"""One prompt, two models, side by side: streamed, judged blind, stored as an ordinary preference."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textual import events, on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input, Select, Static, TextArea

from rlft_tui.errors import RlftError
from rlft_tui.prompts.prompt import Message, Prompt
from rlft_tui.tui import run_text
from rlft_tui.tui.answer_stream import AnswerStream
from rlft_tui.tui.comparison import Comparison, Verdict, suggested
from rlft_tui.tui.screens.base import WorkbenchScreen
from rlft_tui.tui.widgets.harmless import harmless
from rlft_tui.tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient
    from rlft_tui.models.model import Model

FRAME_SECONDS = 1 / 15
SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")
Pair = tuple[str | None, str | None]
"""The names in the two lists; None where nothing is chosen."""


class CompareScreen(WorkbenchScreen):
    """Prompt on top, models and sampling below it, then the two answers."""

    KEY = "compare"
    DIGITS_SWITCH = False
    HELP = "Blind: the sides are shuffled and the names hidden until the verdict."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r", "generate", "generate", id="compare.generate",
                tooltip="Answer the prompt with both models; again: with a new seed"),
        Binding("1", "judge('left')", "left", id="compare.left", tooltip="The left answer is better"),
        Binding("2", "judge('right')", "right", id="compare.right", tooltip="The right answer is better"),
        Binding("3", "judge('tie')", "tie", id="compare.tie", tooltip="Neither answer is better"),
        Binding("escape", "leave", "leave field", id="compare.cancel",
                tooltip="Cancel the stream, or leave the field"),
        Binding("e", "edit", "edit prompt", id="compare.edit", tooltip="Write in the prompt"),
        Binding("p", "pick", "stored prompts", id="compare.pick", tooltip="Pick one of the stored prompts"),
        Binding("b", "blind", "blind", id="compare.blind", tooltip="Hide or show names before generating"),
        Binding("v", "source", "source", show=False, id="compare.source", tooltip="As written; or rendered"),
        Binding("tab", "app.focus_next", "next field", show=False, id="compare.next", tooltip="Next field"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    CompareScreen #prompt { height: 4; border: none; padding: 0 1; background: $surface; }
    CompareScreen .controls { height: 1; }
    CompareScreen .controls Static { width: auto; padding: 0 1; color: $text-muted; }
    CompareScreen .controls Select { width: 1fr; max-width: 40; }
    CompareScreen .controls Input { width: 8; }
    CompareScreen #sides { height: 1fr; margin-top: 1; }
    CompareScreen .side { width: 1fr; }
    CompareScreen #right { margin-left: 1; }
    CompareScreen TextPane { padding: 0 1; }
    CompareScreen .title { height: 1; padding: 0 1; background: $surface; text-style: bold; }
    CompareScreen #said { height: 1; padding: 0 1; text-style: bold; }
    CompareScreen #said.-wrong { color: $text-warning; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.round = Comparison(("", ""))
        self._models: tuple[Model, ...] = ()
        self._wanted: Pair | None = None
        """Models asked for that are not in the lists yet."""
        self._suggested: Pair = (None, None)
        """What was put into the lists unasked."""
        self._stream: AnswerStream | None = None
        self._picked: Prompt | None = None
        self._storing = False

    def body(self) -> Iterable[Widget]:
        prompt = TextArea(
            id="prompt", placeholder="Write a prompt. Or esc, which leaves this field, then p: a stored one"
        )
        prompt.cursor_blink = False
        yield prompt
        with Horizontal(classes="controls"):
            yield Static("models", markup=False)
            yield Select[str]((), compact=True, prompt="base", id="model-0")
            yield Static("and", markup=False)
            yield Select[str]((), compact=True, prompt="tuned", id="model-1")
        with Horizontal(classes="controls"):
            for name, text in (("temperature", "0.7"), ("max-tokens", "256"), ("seed", "1")):
                yield Static(name.replace("-", " "), markup=False)
                box = Input(text, compact=True, id=name, select_on_focus=False)
                box.cursor_blink = False
                yield box
            yield Static("", id="blind", markup=False)
        with Horizontal(id="sides"):
            for side in SIDES:
                with Vertical(id=side, classes="side"):
                    yield Static("", id=f"title-{side}", classes="title", markup=False)
                    yield TextPane(id=f"answer-{side}")
        yield Static("", id="said", markup=False)

    # opening
    def opened(self, models: tuple[str, str] | None = None, prompt: str = "", **_: Any) -> None:
        """``models``: base and tuned to start with; ``prompt``: what to ask them.

        Also called when a dialog in front of this screen closes.
        """
        if prompt:
            self.query_one("#prompt", TextArea).text = harmless(prompt)
        if models is not None:
            self._wanted = models
        self.call(lambda client: client.models(), self._offer, group="models", latest=True)
        self._paint()
        if self.focused is None and self.round.state == "empty":
            self.query_one("#prompt").focus()

    def _offer(self, known: tuple[Model, ...]) -> None:
        """Fill the two lists. What was chosen stays; what was only suggested gives way to a newer model."""
        writing = (each for each in known if each.kind != "reward")
        self._models = tuple(sorted(writing, key=lambda each: -each.created_at))
        begun = bool(self.round.models[0])
        pair = self._values()
        if self._wanted is not None:
            pair, self._wanted, self._suggested = self._wanted, None, (None, None)
        elif pair == (None, None) or (pair == self._suggested and not begun):
            pair = self._suggested = suggested(known, self.bench.settings.default_model) or (None, None)
        options = [(run_text.plain(each.name), each.name) for each in self._models]
        for index in (0, 1):
            box = self.query_one(f"#model-{index}", Select)
            if list(box._options[1:]) != options:
                with self.prevent(Select.Changed):
                    box.set_options(options)
            name = pair[index]
            if any(each.name == name for each in self._models):
                box.value = name
            else:
                box.clear()
        self._paint()

    def _values(self) -> Pair:
        first, second = (self.query_one(f"#model-{index}", Select).value for index in (0, 1))
        return None if first is Select.NULL else str(first), None if second is Select.NULL else str(second)

    def _chosen(self) -> tuple[str, str] | None:
        first, second = self._values()
        return None if first is None or second is None else (first, second)

    # drawing
    def on_resize(self, _: events.Resize) -> None:
        self.call_after_refresh(self._paint)  # the titles say what fits

    def _paint(self) -> None:
        """Titles, the line below and the key bar; the answers are painted as they come."""
        shown = self.round
        for side in SIDES:
            line = self.query_one(f"#title-{side}", Static)
            _say(line, shown.title(side, line.content_size.width) if shown.models[0] else "")
        _say(self.query_one("#blind", Static), "blind" if shown.blind else "names shown")
        line = self.query_one("#said", Static)
        text, wrong = self._said()
        line.set_class(wrong, "-wrong")
        _say(line, text)
        self.refresh_bindings()

    def _said(self) -> tuple[str, bool]:
        shown = self.round
        if self._storing:
            return "storing the verdict …", False
        if shown.state == "streaming":
            speed = shown.tokens_per_second()
            rate = f" · {speed:.0f} tokens/s together" if speed else ""
            begun = any(answer.tokens for answer in shown.answers)
            now = f"streaming{rate}" if begun else "waiting for the inference worker …"
            return f"{shown.note or now} · esc cancels", False
        if shown.state == "ready":
            speed = shown.tokens_per_second()
            rate = f"   {speed:.0f} tokens/s together" if speed else ""
            return f"Which is better?  1 left · 2 right · 3 tie{rate}", False
        if shown.state == "judged":
            return f"Stored: {shown.note} · ctrl+r again with a new seed", False
        if shown.state == "failed":
            return f"✗ {run_text.plain(shown.note)}", True
        if shown.note:
            return run_text.plain(shown.note), shown.state != "cancelled"
        if not self._models:
            return f"No model yet: rlft models pull {self.bench.settings.default_model}", True
        return "ctrl+r answers the prompt with both models", False

    def _refuse(self, line: str) -> None:
        """Say in the line below why nothing was done."""
        if self.round.state not in ("streaming", "ready"):
            self.round.state = "empty"
        self.round.note = line
        self._paint()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "judge":
            return self.round.state == "ready" and not self._storing
        if action == "leave":
            return self.round.state == "streaming" or self._in_field()
        if action == "blind":
            return self.round.state not in ("streaming", "ready")
        return super().check_action(action, parameters)

    # the stream
    def action_generate(self) -> None:
        """Answer the prompt; the same prompt again takes the next seed."""
        if self.round.state == "streaming" or self._storing:
            return
        models = self._chosen()
        prompt = self.query_one("#prompt", TextArea).text.strip()
        if models is None:
            self._refuse("choose two models first")
        elif not prompt:
            self._refuse("write a prompt first")
        elif (settings := self._sampling()) is not None:
            temperature, max_new_tokens, seed = settings
            old = self.round
            again = (old.prompt, old.models, old.seed) == (prompt, models, seed)
            if again and old.state in ("ready", "judged", "cancelled", "failed"):
                seed += 1
                self.query_one("#seed", Input).value = str(seed)
            self.round = Comparison(models, old.blind, temperature, max_new_tokens, seed)
            request = self.round.begin(prompt, self._turns_before(prompt))
            for side in SIDES:
                self.query_one(f"#answer-{side}", TextPane).stream_start()
            self.query_one("#answer-left").focus()
            self._paint()
            self.run_worker(self._show_stream(request), group="stream", exclusive=True)

    def _turns_before(self, prompt: str) -> tuple[Message, ...]:
        """The turns before a picked prompt, as long as it was not rewritten."""
        picked = self._picked
        return picked.context if picked is not None and harmless(picked.prompt).strip() == prompt else ()

    def _sampling(self) -> tuple[float, int, int] | None:
        """The three numbers, checked by the run spec; None after saying what is wrong."""
        from pydantic import ValidationError

        from rlft_tui.runs.run_spec import Sampling

        try:
            seed = int(self.query_one("#seed", Input).value)
        except ValueError:
            self._refuse("seed: must be a whole number")
            return None
        try:
            sampling = Sampling.model_validate(
                {
                    "temperature": self.query_one("#temperature", Input).value,
                    "max_new_tokens": self.query_one("#max-tokens", Input).value,
                }
            )
        except ValidationError as error:
            problem = error.errors()[0]
            name = str(problem["loc"][0]).replace("max_new_tokens", "max tokens")
            self._refuse(f"{name}: {problem['msg'].replace('Input should be', 'must be')}")
            return None
        return sampling.temperature, sampling.max_new_tokens, seed

    async def _show_stream(self, request: Any) -> None:
        """Paint what has arrived, fifteen times a second, until both answers are done."""
        try:
            client = await self.bench.link.client()
        except RlftError as error:
            self._fail(error)
            return
        shown = self.round
        stream = self._stream = AnswerStream(client, request)
        while shown.state == "streaming":
            ended = stream.ended
            self._take(stream)
            if ended:
                if stream.error is not None:
                    self._fail(stream.error)
                shown.ended()
                break
            await asyncio.sleep(FRAME_SECONDS)
        for side in SIDES:
            pane = self.query_one(f"#answer-{side}", TextPane)
            followed = pane.following
            pane.stream_end()
            if followed and shown.state == "ready":
                pane.scroll_start()  # to judge one reads from the start; who scrolled back stays there
        self._paint()

    def _take(self, stream: AnswerStream) -> None:
        pieces = stream.take()
        if not pieces:
            return
        now = time.time()
        for piece in pieces:
            self.round.take(piece, now)
        for side in SIDES:
            index = self.round.shown(side)
            new = "".join(each.text for each in pieces if each.kind == "text" and each.side == index)
            if new:
                self.query_one(f"#answer-{side}", TextPane).append(new)
        self._paint()

    def _fail(self, error: RlftError) -> None:
        self.round.state = "failed"
        self.round.note = str(error)
        self._paint()

    def on_screen_suspend(self) -> None:
        if self not in self.app.screen_stack:  # not for a dialog in front of it
            self._cancel()

    def on_unmount(self) -> None:
        self._cancel()

    def _cancel(self) -> None:
        if self._stream is not None:
            self._stream.cancel()
        self.round.cancel()

    # actions
    def action_leave(self) -> None:
        """Cancel the stream; otherwise leave the field one is in."""
        if self.round.state == "streaming":
            self._cancel()
            self._paint()
        elif self._in_field():
            self.query_one("#answer-left").focus()

    def _in_field(self) -> bool:
        return self.focused is not None and not isinstance(self.focused, TextPane)

    def action_edit(self) -> None:
        self.query_one("#prompt").focus()

    def action_blind(self) -> None:
        self.round.blind = not self.round.blind
        self._paint()

    def action_pick(self) -> None:
        from rlft_tui.tui.screens.prompt_picker import PromptPicker

        def picked(prompt: Prompt | None) -> None:
            if prompt is not None:
                self._picked = prompt
                self.query_one("#prompt", TextArea).text = harmless(prompt.prompt)

        self.app.push_screen(PromptPicker(self.bench.link), picked)

    def action_judge(self, verdict: Verdict) -> None:
        """Store pair and preference, then show the names."""
        if self.round.state != "ready" or self._storing:
            return
        shown = self.round
        pair, preference = shown.judge(verdict, self.bench.settings.labeler, time.time())

        def store(client: WorkspaceClient) -> None:
            client.add_pairs([pair])
            client.add_label(preference)

        self._storing = True
        self._paint()
        self.run_worker(self._store(shown, verdict, store), group="store")

    async def _store(self, shown: Comparison, verdict: Verdict, store: Any) -> None:
        def delayed(error: RlftError) -> None:
            self.query_one("#said", Static).update(run_text.plain(f"not stored yet: {error}"))

        try:
            await self.bench.link.keep(store, delayed)
        except RlftError as error:
            self.bench.show_error(error)
        else:
            shown.state, shown.verdict = "judged", verdict
            shown.note = (
                "no difference"
                if verdict == "tie"
                else f"{verdict} is better, {shown.models[shown.shown(verdict)]}"
            )
        finally:
            self._storing = False
            self._paint()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_generate()


def _say(widget: Static, text: str) -> None:
    """Update only what changes: a line that says the same costs nothing."""
    if str(widget.content) != text:
        widget.update(text)
