"""How an answer is drawn: the flags that chat and compare share, and one answer as it comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rlft_tui.errors import RlftError

if TYPE_CHECKING:
    from rlft_tui.server.answers import AskedSide, StreamedText

Temperature = Annotated[
    float, typer.Option("--temperature", min=0.0, max=5.0, metavar="X", help="0 takes the likeliest token.")
]
TopP = Annotated[
    float,
    typer.Option("--top-p", min=0.0, max=1.0, metavar="X", help="Share of the likeliest tokens drawn from."),
]
MaxNewTokens = Annotated[
    int, typer.Option("--max-new-tokens", min=1, max=8192, metavar="N", help="Where an answer is cut.")
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="The same seed draws the same answer.")]
System = Annotated[
    str, typer.Option("--system", metavar="TEXT", help="System prompt [default: the model's own]")
]


@dataclass
class SoFar:
    """One answer as far as it has come."""

    text: str = ""
    tokens: int = 0
    tokens_per_second: float | None = None
    ended: str = ""
    done: bool = False

    def take(self, piece: StreamedText) -> None:
        self.text += piece.text if piece.kind == "text" else ""
        self.tokens = piece.tokens or self.tokens
        self.tokens_per_second = piece.tokens_per_second or self.tokens_per_second
        if piece.kind == "done":
            self.done, self.ended = True, piece.ended


def answer_record(side: AskedSide, answer: SoFar | Any) -> dict[str, Any]:
    """One answer with what made it, as --json prints it."""
    from rlft_tui.tui.comparison_sides import stored_settings

    return {
        "model": side.model,
        "text": answer.text,
        "tokens": answer.tokens,
        "tokens_per_second": answer.tokens_per_second,
        "ended": answer.ended,
        "settings": stored_settings(side),
    }


def failed(model: str, line: str, *, died: bool = False) -> RlftError:
    """Why there is no answer; ``died``: the worker has, and what it said last stands in its log."""
    # A provider's line begins with its own name.
    named = line.startswith(f"provider {model.partition(':')[0]}: ")
    return RlftError(
        line, where="" if named else model, remedy="Its log is inference.log in the workspace" if died else ""
    )
