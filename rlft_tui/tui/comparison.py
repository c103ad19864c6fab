"""One prompt, two to four answers, blind: what may be shown of them, and when."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

from rlft_tui.models.model import Model
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.prompts.prompt import Message
from rlft_tui.server.answers import AskedSide, GenerateRequest, StreamedText, TokenProbability
from rlft_tui.tui.comparison_sides import side_settings
from rlft_tui.tui.run_text import counted, cut
from rlft_tui.tui.widgets.cells import cell_width
from rlft_tui.tui.widgets.harmless import harmless_line

State = Literal["empty", "streaming", "ready", "judged", "cancelled", "failed"]


FEWEST_CELLS = 4
"""Of a model's name, where what tells it from its twin needs the room."""


def suggested(models: tuple[Model, ...], default: str = "") -> tuple[str, str] | None:
    """Base and its newest adapter; without an adapter the default base twice; None without a model."""
    names = {model.name for model in models}
    adapters = sorted((m for m in models if m.kind == "adapter"), key=lambda m: m.created_at)
    for model in reversed(adapters):
        if model.base in names:
            return model.base, model.name
    bases = [model.name for model in models if model.kind == "base"]
    if not bases:
        return None
    base = default if default in bases else bases[-1]
    return base, base


@dataclass(slots=True)
class Answer:
    """One side as it has arrived so far."""

    text: str = ""
    tokens: int = 0
    tokens_per_second: float | None = None
    probabilities: list[TokenProbability] = field(default_factory=list)
    """One a token, where the model gives them; their texts joined are the text."""
    ended: str = ""
    """eos, length or stop."""
    done: bool = False


@dataclass(slots=True)
class Comparison:
    """One round. A side is an index into ``sides``, as stored; a place is where it stands on screen."""

    sides: tuple[AskedSide, ...] = ()
    """With every setting filled in."""
    blind: bool = True
    prompt: str = ""
    context: tuple[Message, ...] = ()
    """System prompt and earlier turns."""
    category: str = ""
    order: tuple[int, ...] = ()
    """The side that stands at each place."""
    state: State = "empty"
    note: str = ""
    """What is loading, or the error's line."""
    answers: tuple[Answer, ...] = ()
    names_seen: bool = False
    """Whether it was shown at any time which model wrote which answer."""
    pairs: dict[tuple[int, int], ResponsePair] = field(default_factory=dict)
    """Pairs that a verdict was about, by sides: judged again after an undo, they are the same ones."""

    def begin(self, *, rng: random.Random | None = None) -> GenerateRequest:
        """Start: places shuffled when blind, in the order of the sides otherwise."""
        self.answers = tuple(Answer() for _ in self.sides)
        self.state, self.note = "streaming", ""
        places = list(range(len(self.sides)))
        if self.blind:
            (rng or random.SystemRandom()).shuffle(places)
        self.order = tuple(places)
        self.names_seen = not self.blind
        self.pairs = {}
        return GenerateRequest(
            self.prompt,
            sides=self.sides,
            context=tuple({"role": turn.role, "content": turn.content} for turn in self.context),
            probabilities=True,
        )

    # the stream
    def take(self, piece: StreamedText) -> None:
        """One piece of the stream. Names in the worker's words stay hidden while blind."""
        if self.state != "streaming":
            return
        if piece.kind == "error":
            self.state, self.note = "failed", piece.text
            return
        if piece.kind == "loading":
            self.note = "loading the models …" if self.hidden else f"loading {piece.text} …"
            return
        answer = self.answers[piece.side]
        self.note = ""
        answer.text += piece.text
        answer.probabilities += piece.probabilities
        answer.tokens = max(answer.tokens, piece.tokens)
        answer.tokens_per_second = piece.tokens_per_second or answer.tokens_per_second
        if piece.kind == "done":
            answer.done, answer.ended = True, piece.ended
            if all(each.done for each in self.answers):
                self.state = "ready"

    def ended(self) -> None:
        """The stream is over; without every answer that is a failure."""
        if self.state == "streaming":
            self.state = "failed"
            self.note = self.note or "the stream ended before every answer was done"

    def cancel(self) -> None:
        if self.state == "streaming":
            self.state, self.note = "cancelled", ""

    # what may be shown
    @property
    def hidden(self) -> bool:
        """Whether names must not be shown now."""
        return self.blind and not self.names_seen

    def answer(self, place: int) -> Answer:
        return self.answers[self.order[place]]

    def visible(self, place: int) -> str:
        """As much of an answer as may be shown by now.

        Blind, all grow alike: no further than the slowest of those still being written. Else the
        faster model, or the one that begins first, would be known by it.
        """
        text = self.answer(place).text
        if not self.hidden or self.state == "ready":
            return text
        return text[: min((len(each.text) for each in self.answers if not each.done), default=len(text))]

    def name(self, place: int, width: int | None = None) -> str:
        """The model, and its settings where those tell it from another side of the same model.

        In fewer cells the end of the model's name goes, not what tells the sides apart.
        """
        side = self.order[place]
        model, own = harmless_line(self.sides[side].model), side_settings(self.sides)[side]
        if width is None or cell_width(model + own) <= width:
            return model + own
        return cut(cut(model, max(FEWEST_CELLS, width - cell_width(own))) + own, max(1, width))

    def title(self, place: int, width: int = 200, *, chosen: bool = False) -> str:
        """Name or number, and the length. Blind: neither tokens nor speed, which would give it away.

        In fewer cells the speed goes first, whole, and then the end of the model's name. The length goes
        where it would leave no room for the settings that tell two sides apart.
        """
        answer = self.answer(place)
        cut_short = " · cut" if answer.ended == "length" and self.state in ("ready", "judged") else ""
        mark = "✓ " if chosen else ""
        if self.hidden:
            words = len(answer.text.split()) if self.state == "ready" else 0
            return f"{mark}Answer {place + 1}" + (f" · {counted(words, 'word')}{cut_short}" if words else "")
        count = (f" · {counted(answer.tokens, 'token')}" if answer.tokens else "") + cut_short
        speed = f" · {answer.tokens_per_second:.1f} tokens/s" if answer.tokens_per_second else ""
        whole = f"{mark}{self.name(place)}{count}{speed}"
        if cell_width(whole) <= width:
            return whole
        own = side_settings(self.sides)[self.order[place]]
        least = cell_width(mark + own) + FEWEST_CELLS if own else 0
        tail = next((each for each in (count, cut_short) if least + cell_width(each) <= width), "")
        return mark + self.name(place, width - cell_width(mark + tail)) + tail

    def tokens_per_second(self) -> float | None:
        """All sides together."""
        speeds = [answer.tokens_per_second for answer in self.answers if answer.tokens_per_second]
        return sum(speeds) if speeds else None

    @property
    def all_the_same(self) -> bool:
        """Whether the answers do not differ in a single character."""
        return len({answer.text for answer in self.answers}) == 1


def speed_words(tokens_per_second: float) -> str:
    """``12 tokens/s``; below ten with a decimal."""
    return f"{tokens_per_second:.{0 if tokens_per_second >= 9.95 else 1}f} tokens/s"
