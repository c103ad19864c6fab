"""What is asked of a provider and what it answers, whatever its protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import field

from rlft_tui.errors import UnavailableError
from rlft_tui.record import Record

Ended = Literal["eos", "length", "stop", "other"]
"""Why an answer ended: by itself, cut at its most tokens, at a stop text, or refused and the like."""


class ChatRequest(Record, frozen=True):
    """A conversation that ends with the user's turn, and how the answer is drawn."""

    messages: Sequence[Mapping[str, str]]
    """Each with role (system, user, assistant) and content."""
    temperature: float | None = None
    """None leaves it to the provider, and so with the others."""
    top_p: float | None = None
    top_k: int = 0
    """0 for all tokens. Not part of OpenAI's protocol; its relatives take it."""
    max_tokens: int = 1024
    seed: int | None = None
    """Not all honour it, Anthropic has none."""
    stop: tuple[str, ...] = ()
    probabilities: bool = False
    """Ask for each token's probability and its five likeliest rivals; not all give them."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Put into the request as it stands, such as response_format."""


class Usage(Record, frozen=True):
    """Tokens as the provider counted them; None where it did not say."""

    prompt_tokens: int | None = None
    answer_tokens: int | None = None


class Token(Record, frozen=True):
    """One token and how likely it was, with the likeliest at its place."""

    text: str
    probability: float
    top: tuple[tuple[str, float], ...] = ()


class ChatAnswer(Record, frozen=True):
    """A whole answer."""

    text: str
    ended: Ended
    usage: Usage
    model: str = ""
    """The model's exact name, as the provider told it."""
    tokens: tuple[Token, ...] = ()


class ChatPiece(Record, frozen=True):
    """The next piece of a streamed answer. The last one has ``ended``; usage may come in any."""

    text: str = ""
    ended: Ended | None = None
    usage: Usage | None = None
    tokens: tuple[Token, ...] = ()


class ProviderError(UnavailableError):
    """A provider did not answer, or not with an answer."""

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        remedy: str = "",
        retryable: bool = False,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.retryable = retryable
        """Whether the same request may well be answered later."""
        self.retry_after = retry_after
        """Seconds the provider asks to wait."""
        self.status = status
        """The HTTP status, where there was one."""
