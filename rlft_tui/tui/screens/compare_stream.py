"""The answers of Compare as they come, and those of the next prompt while one is read."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from msgspec.structs import replace

from rlft_tui.errors import RlftError
from rlft_tui.prompts.prompt import Message, Prompt
from rlft_tui.server.answers import AskedSide, GenerateRequest
from rlft_tui.tui.answer_stream import AnswerStream
from rlft_tui.tui.comparison import Comparison
from rlft_tui.tui.comparison_sides import FEWEST_SIDES, asked_sides
from rlft_tui.tui.screens.compare_reading import CompareReading
from rlft_tui.tui.widgets.harmless import harmless
from rlft_tui.tui.widgets.terminal_pace import pace_of

FRAME_SECONDS = 1 / 15


@dataclass(slots=True)
class Begun:
    """A round, what is to be asked for it, and the stream that fills it once it is asked."""

    shown: Comparison
    request: GenerateRequest | None = None
    """None when the round is complete."""
    stream: AnswerStream | None = None

    def answers(self, sides: tuple[AskedSide, ...], prompt: Prompt) -> bool:
        """Whether this is what would be asked now."""
        asked = (self.shown.sides, self.shown.prompt, self.shown.context)
        same = asked == (sides, prompt.prompt, prompt.context)
        return same and self.shown.state not in ("cancelled", "failed")

    def leave(self) -> None:
        if self.stream is not None:
            self.stream.cancel()


def start(shown: Comparison) -> Begun:
    """A new round, with its places dealt and the request to be sent."""
    return Begun(shown, shown.begin())


class CompareStream(CompareReading):
    """From a prompt to answers on screen."""

    def __init__(self) -> None:
        super().__init__()
        self._begun: Begun | None = None
        """What is up."""
        self._ahead: Begun | None = None
        """The next prompt's answers, which come while the ones on screen are read."""
        self._earlier: tuple[Message, ...] = ()
        """The turns before the prompt in the field."""
        self._given: Prompt | None = None
        """Where the text in the field comes from: as long as it is not rewritten this is what is asked, with
        its own turns. None: what is typed, after ``_earlier``."""

    # what is asked
    def turns(self) -> tuple[Message, ...]:
        return self.round.context if self.round.sides else self._earlier

    def put_prompt(self, prompt: Prompt) -> None:
        """Into the field, with the turns before it."""
        self.field.text = harmless(prompt.prompt)
        self._earlier, self._given = prompt.context, prompt

    def _prompt(self) -> Prompt:
        """What stands in the field, with its turns and the form's system prompt."""
        typed, given = self.field.text.strip(), self._given
        if given is None:
            return Prompt("", typed, self._with_system(self._earlier))
        if harmless(given.prompt).strip() != typed:
            return Prompt("", typed, self._with_system(()))
        return replace(given, context=self._with_system(given.context))

    def _with_system(self, context: tuple[Message, ...]) -> tuple[Message, ...]:
        """The form's system prompt, where there is one, in place of the turns' own."""
        system = self.form.system
        if not system:
            return context
        return (Message("system", system), *(turn for turn in context if turn.role != "system"))

    def asked(self) -> tuple[AskedSide, ...]:
        """The sides of the form. RlftError for what cannot be asked."""
        rows = self.form.rows()
        if len(rows) < FEWEST_SIDES:
            raise RlftError("choose two models first" if self.models_known else "models are still being read")
        return asked_sides(rows)

    # the round
    def generate(self) -> None:
        """Answer the prompt in the field; the same prompt again takes new seeds."""
        prompt, self._trouble = self._prompt(), ""
        try:
            if self.bench.elsewhere:
                raise RlftError("models answer on the workspace's own machine alone")
            sides = self.asked()
            if not prompt.prompt.strip():
                raise RlftError("write a prompt first")
            old = self.round
            again = old.state in ("ready", "judged", "cancelled")
            if again and (old.prompt, old.sides, old.context) == (prompt.prompt, sides, prompt.context):
                self.form.new_seeds()
                sides = self.asked()
        except RlftError as error:
            self.refuse(str(error))
            return
        self.remove_class("-options")
        if self._ahead is not None and self._ahead.answers(sides, prompt):
            begun, self._ahead = self._ahead, None
        else:
            self.drop_ahead()
            begun = start(self._comparison(sides, prompt))
        self.put_up(begun)

    def _comparison(self, sides: tuple[AskedSide, ...], prompt: Prompt) -> Comparison:
        return Comparison(sides, self.round.blind, prompt.prompt, prompt.context, prompt.category)

    def refuse(self, line: str) -> None:
        """Say in the line below why nothing was done."""
        self._trouble = line
        self.paint()

    def put_up(self, begun: Begun) -> None:
        """Show a round from its start: one to be begun, one whose answers come, or one that is complete."""
        if self._begun is not None and self._begun is not begun:
            self._begun.leave()
        self._begun, self.round = begun, begun.shown
        self.read_plainly()
        self.remove_class("-prompt", "-standing")
        self.groups, self.tie_pending, self.seen_at = [], False, 0.0
        self.confidence, self.note, self._trouble, self._remark = None, "", "", ""
        self.set_focus(None)
        self.clock.start(time.monotonic())
        if begun.shown.state in ("ready", "judged"):
            decision = self.decision() if begun.shown.state == "judged" else None
            self.groups = [list(group) for group in decision.groups] if decision is not None else []
            self.paint()
            self.show_answers()
            self._wait_until_seen()
            return
        for place in range(self.count):
            self.pane(place).stream_start()
        self.paint()
        self.run_worker(self._show_stream(begun), group="stream", exclusive=True)

    async def _show_stream(self, begun: Begun) -> None:
        """Paint what may be shown, fifteen times a second, until all answers are done."""
        shown = begun.shown
        try:
            if begun.stream is None and begun.request is not None:
                begun.stream = AnswerStream(await self.bench.link.client(), begun.request)
        except RlftError as error:
            shown.state, shown.note = "failed", str(error)
            self.paint()
            return
        stream, painted = begun.stream, [0] * len(shown.sides)
        while stream is not None and shown is self.round and shown.state == "streaming":
            ended = stream.ended
            pieces = stream.take()
            for piece in pieces:
                shown.take(piece)
            for place in range(len(painted)):
                text = shown.visible(place)
                if len(text) > painted[place]:
                    self.pane(place).append(text[painted[place] :])
                    painted[place] = len(text)
            if pieces:
                self.paint_words()
            if ended:
                if stream.error is not None:
                    shown.state, shown.note = "failed", str(stream.error)
                shown.ended()
                break
            await asyncio.sleep(FRAME_SECONDS)
        if shown is not self.round:
            return
        for place in range(len(painted)):
            pane = self.pane(place)
            followed = pane.following
            pane.stream_end()
            if followed and shown.state == "ready":
                pane.scroll_start()  # to judge one reads from the start; who scrolled back stays there
        if shown.state == "failed":
            begun.leave()
        self.paint()
        if shown.state == "ready":
            self._wait_until_seen()
            await self._look_ahead()

    def _wait_until_seen(self) -> None:
        """Keys count once the terminal has read the answers."""

        def seen() -> None:
            self.seen_at = time.monotonic()
            self.paint()

        def painted() -> None:
            pace = pace_of(self.app)
            pace.frame_sent()
            pace.when_seen(self, seen)

        self.call_after_refresh(painted)

    # the next prompt
    async def _look_ahead(self) -> None:
        """Have the next prompt answered while this one is read."""
        upcoming = self.walk.upcoming if self.walk is not None else None
        if upcoming is None or self._ahead is not None:
            return
        prompt = replace(upcoming, context=self._with_system(upcoming.context))
        shown = self._comparison(self.round.sides, prompt)
        try:
            client = await self.bench.link.client()
        except RlftError:
            return  # asked again, and said, when its turn comes
        begun = self._ahead = start(shown)
        assert begun.request is not None
        begun.stream = AnswerStream(client, begun.request)

    def drop_ahead(self) -> None:
        if self._ahead is not None:
            self._ahead.leave()
            self._ahead = None

    # leaving
    def cancel(self) -> None:
        if self._begun is not None:
            self._begun.leave()
        self.round.cancel()

    def on_screen_suspend(self) -> None:
        if self not in self.app.screen_stack:  # not for a dialog in front of it
            self.cancel()
            self.drop_ahead()

    def on_unmount(self) -> None:
        self.cancel()
        self.drop_ahead()
