"""One prompt, two models, blind: what is shown, and the preference that comes of it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

from rlft_tui.ids import new_id
from rlft_tui.labels.preference import Choice, Preference, Side
from rlft_tui.models.model import Model
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.prompts.prompt import Message
from rlft_tui.server.answers import GenerateRequest, StreamedText
from rlft_tui.tui.run_text import cut
from rlft_tui.tui.widgets.cells import cell_width
from rlft_tui.tui.widgets.harmless import harmless_line

Verdict = Literal["left", "right", "tie"]
State = Literal["empty", "streaming", "ready", "judged", "cancelled", "failed"]


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
    """One side as streamed so far."""

    text: str = ""
    tokens: int = 0
    tokens_per_second: float | None = None
    done: bool = False


@dataclass(slots=True)
class Comparison:
    """One round. Index 0 is stored as side a, index 1 as side b; ``left`` says which is on the left."""

    models: tuple[str, str]
    blind: bool = True
    temperature: float = 0.7
    max_new_tokens: int = 256
    seed: int = 1
    prompt: str = ""
    context: tuple[Message, ...] = ()
    left: Side = "a"
    state: State = "empty"
    note: str = ""
    """What is loading, or the error's line."""
    answers: tuple[Answer, Answer] = field(default_factory=lambda: (Answer(), Answer()))
    ready_at: float = 0.0
    verdict: Verdict | None = None
    """Set once it is stored."""

    def begin(
        self, prompt: str, context: tuple[Message, ...] = (), *, rng: random.Random | None = None
    ) -> GenerateRequest:
        """Start a round: sides shuffled when blind, base on the left otherwise."""
        self.prompt = prompt
        self.context = context
        self.answers = (Answer(), Answer())
        self.state = "streaming"
        self.note = ""
        coin = rng or random.SystemRandom()
        self.left = coin.choice(("a", "b")) if self.blind else "a"
        return GenerateRequest(
            prompt,
            self.models,
            context=tuple({"role": turn.role, "content": turn.content} for turn in context),
            temperature=self.temperature,
            max_new_tokens=self.max_new_tokens,
            seed=self.seed,
        )

    def take(self, piece: StreamedText, now: float) -> None:
        """One piece of the stream. Names in the worker's words stay hidden while blind."""
        if self.state != "streaming":
            return
        if piece.kind == "error":
            self.state = "failed"
            self.note = piece.text
            return
        if piece.kind == "loading":
            self.note = "loading the models …" if self.hidden else f"loading {piece.text} …"
            return
        answer = self.answers[piece.side]
        self.note = ""
        answer.text += piece.text if piece.kind == "text" else ""
        answer.tokens = max(answer.tokens, piece.tokens)
        answer.tokens_per_second = piece.tokens_per_second or answer.tokens_per_second
        if piece.kind == "done":
            answer.done = True
            if all(each.done for each in self.answers):
                self.state = "ready"
                self.ready_at = now

    def ended(self) -> None:
        """The stream is over; without both answers that is a failure."""
        if self.state == "streaming":
            self.state = "failed"
            self.note = self.note or "the stream ended before both answers were done"

    def cancel(self) -> None:
        if self.state == "streaming":
            self.state = "cancelled"
            self.note = "cancelled; ctrl+r generates again"

    @property
    def hidden(self) -> bool:
        """Whether names must not be shown now."""
        return self.blind and self.state in ("streaming", "ready", "cancelled", "failed")

    def shown(self, place: Literal["left", "right"]) -> int:
        """Index into ``models`` and ``answers`` of what stands there."""
        first = 0 if self.left == "a" else 1
        return first if place == "left" else 1 - first

    def title(self, place: Literal["left", "right"], width: int = 200) -> str:
        """Name, or a number while blind: a slower side would give the adapter away, so no speed either.

        In fewer cells the speed goes first, whole, and then the end of the name.
        """
        index = self.shown(place)
        answer = self.answers[index]
        count = f" · {answer.tokens} tokens" if answer.tokens else ""
        if self.hidden:
            return f"{'Answer 1' if place == 'left' else 'Answer 2'}{count}"
        speed = f" · {answer.tokens_per_second:.1f} tokens/s" if answer.tokens_per_second else ""
        name = ("✓ " if self.verdict == place else "") + harmless_line(self.models[index])
        whole = f"{name}{count}{speed}"
        return whole if cell_width(whole) <= width else cut(name, max(1, width - len(count))) + count

    def tokens_per_second(self) -> float | None:
        """Both sides together."""
        speeds = [a.tokens_per_second for a in self.answers if a.tokens_per_second]
        return sum(speeds) if speeds else None

    def judge(self, verdict: Verdict, labeler: str, now: float) -> tuple[ResponsePair, Preference]:
        """The pair and the ordinary preference to store. Only when both answers are done."""
        if self.state != "ready":
            raise ValueError("nothing to judge")
        choice: Choice = "tie" if verdict == "tie" else "a" if self.shown(verdict) == 0 else "b"
        sampling = {
            "temperature": self.temperature,
            "max_new_tokens": self.max_new_tokens,
            "seed": self.seed,
        }
        pair = ResponsePair(
            id=new_id(),
            prompt=self.prompt,
            response_a=self.answers[0].text,
            response_b=self.answers[1].text,
            model_a=self.models[0],
            model_b=self.models[1],
            source="compare",
            context=self.context,
            settings={"a": sampling, "b": sampling, "blind": self.blind},
            created_at=now,
        )
        preference = Preference(
            id=new_id(),
            example_id=pair.id,
            labeler_id=labeler,
            choice=choice,
            shown_first=self.left,
            time_spent_ms=int(max(now - self.ready_at, 0) * 1000),
            created_at=now,
        )
        return pair, preference
