"""rlft compare"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from rlft_tui.cli.command import command, noun
from rlft_tui.cli.session import Session, write
from rlft_tui.errors import RlftError

if TYPE_CHECKING:
    from rlft_tui.server.answers import StreamedText

app = noun("compare")


@dataclass
class Side:
    """One model's answer as it comes in."""

    model: str
    text: str = ""
    printed: int = 0
    """Characters already printed."""
    tokens: int = 0
    tokens_per_second: float | None = None
    done: bool = field(default=False)

    def take_lines(self) -> list[str]:
        """Lines completed since the last call; at the end the rest too."""
        stop = len(self.text) if self.done else self.text.rfind("\n") + 1
        piece = self.text[self.printed : stop]
        self.printed = max(stop, self.printed)
        return piece.splitlines()


@command(
    app,
    'rlft compare "Why is the sky blue?" --models smollm2-135m dpo-1129-1740-abcd',
)
def compare(
    session: Session,
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What both are asked.")],
    models: Annotated[
        tuple[str, str],
        typer.Option("--models", metavar="A B", help="Names from rlft models list."),
    ],
    temperature: Annotated[float, typer.Option("--temperature", min=0.0, max=5.0, metavar="X")] = 0.7,
    top_p: Annotated[float, typer.Option("--top-p", min=0.0, max=1.0, metavar="X")] = 1.0,
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", min=1, max=8192, metavar="N")] = 256,
    seed: Annotated[int, typer.Option("--seed", metavar="N")] = 0,
) -> None:
    """Answer one prompt with two models; the lines of both come as they are written.

    For blind verdicts on such answers use the workbench's Compare screen.
    """
    if not prompt.strip():
        raise RlftError("the prompt is empty", where="rlft compare", remedy="Ask something")
    from rlft_tui.server.answers import GenerateRequest

    request = GenerateRequest(
        prompt=prompt,
        models=models,
        temperature=temperature,
        top_p=top_p,
        max_new_tokens=max_new_tokens,
        seed=seed,
    )
    sides = [Side(name) for name in models]
    with session.connect() as client:
        for piece in client.generate(request):
            _take(session, sides, piece)
    session.show(
        [
            {
                "model": side.model,
                "text": side.text,
                "tokens": side.tokens,
                "tokens_per_second": side.tokens_per_second,
            }
            for side in sides
        ],
        "",
    )


def _take(session: Session, sides: list[Side], piece: StreamedText) -> None:
    side = sides[piece.side]
    if piece.kind == "error":
        raise RlftError(piece.text, where=side.model, remedy="See server.log in the workspace")
    if piece.kind == "loading":
        session.say(f"loading {piece.text or side.model}")
        return
    side.text += piece.text
    side.tokens = piece.tokens or side.tokens
    side.tokens_per_second = piece.tokens_per_second or side.tokens_per_second
    side.done = piece.kind == "done"
    if session.json:
        return
    for line in side.take_lines():
        write(f"{'AB'[piece.side]} │ {line}")
    if side.done:
        speed = f", {side.tokens_per_second:.0f} tokens/s" if side.tokens_per_second else ""
        session.say(f"{'AB'[piece.side]} │ {side.model}: {side.tokens} tokens{speed}")
