"""One answer of a request while it is being written, and what of it is told next."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from rlft_tui.jobs.answer_text import AnswerText
from rlft_tui.runs.specs.inference import InferenceSide

PIECE_SECONDS = 0.05
"""At most so often is something told of one side."""
Told = tuple[str, dict[str, Any]]
"""A token's text, and its probability with its rivals as they are sent."""


@dataclass(eq=False)
class Side:
    """Filled by an engine, emptied by the worker."""

    request: str
    number: int
    asked: InferenceSide
    began: float
    """Monotonic seconds at which the request arrived."""
    stop: tuple[str, ...] = ()
    probabilities: bool = False
    text: AnswerText = field(init=False)
    """Made by the engine, which knows the tokens."""
    prompt_tokens: int = 0
    tokens: int = 0
    ended: str = ""
    """"eos", "length", "stop", or empty while it is being written."""
    started: float = 0.0
    """Monotonic seconds at which the models were there."""
    first: float | None = None
    """Monotonic seconds of the first token."""
    untold: deque[Told] = field(default_factory=deque)
    """Tokens whose probabilities were not told yet, where they are wanted."""
    sent: int = 0
    """Characters told so far."""
    sent_at: float = 0.0

    def added(self, token: int, held: dict[str, Any] | None = None) -> None:
        """One more token; ends the answer where it completes a stop text."""
        if self.first is None:
            self.first = time.monotonic()
        self.tokens += 1
        piece = self.text.add(token)
        if held is not None:
            self.untold.append((piece, held))
        if self.text.stopped:
            self.ended = "stop"

    def got_text(self, text: str) -> None:
        """One more piece of an engine that tells text and no tokens: each counts as one."""
        if self.first is None:
            self.first = time.monotonic()
        self.tokens += 1
        self.text.text += text

    def end(self, held: dict[str, Any] | None = None) -> None:
        """No token comes any more; ``held`` is of the one that ended it, which says nothing."""
        if self.first is None:
            self.first = time.monotonic()
        rest = self.text.end()
        if rest and self.untold:
            text, last = self.untold.pop()
            self.untold.append((text + rest, last))
        if held is not None:
            self.untold.append(("", held))

    @property
    def rate(self) -> float:
        """Tokens a second so far, reading the prompt included."""
        return self.tokens / max(1e-6, time.monotonic() - self.started)

    def is_due(self) -> bool:
        return bool(self.ended) or time.monotonic() - self.sent_at >= PIECE_SECONDS

    def take(self) -> dict[str, Any] | None:
        """The next piece to tell, as the fields of a reply; None while there is nothing new."""
        text = self.text.text[self.sent :]
        told: list[dict[str, Any]] = []
        if self.probabilities:
            text, told = self._whole_tokens(text)
        if not text and not told:
            return None
        self.sent += len(text)
        self.sent_at = time.monotonic()
        piece = {"text": text, "tokens": self.tokens, "tokens_per_second": self.rate}
        return {**piece, "probabilities": told} if told else piece

    def _whole_tokens(self, text: str) -> tuple[str, list[dict[str, Any]]]:
        """As many tokens as lie within ``text``, which may end amid one that a stop text begins in."""
        told = []
        taken = 0
        while self.untold:
            piece, held = self.untold[0]
            left = len(text) - taken
            if len(piece) > left and not self.ended:
                break
            self.untold.popleft()
            if len(piece) > left and not left:
                continue  # behind the stop text
            told.append({"text": piece[:left], **held})
            taken += min(len(piece), left)
        return text[:taken], told
