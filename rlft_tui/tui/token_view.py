"""How likely each token of an answer was, as pieces of text that tell it in shape as well as in colour."""

from __future__ import annotations

from collections.abc import Sequence

from rlft_tui.server.answers import TokenProbability
from rlft_tui.tui.run_text import cut
from rlft_tui.tui.widgets.harmless import harmless_line
from rlft_tui.tui.widgets.word_diff import MarkedPiece

LEVELS = ((0.9, "sure"), (0.5, "likely"), (0.1, "doubtful"), (0.0, "surprising"))
"""Least probability and kind of piece, from the likeliest on."""
LEGEND = "faint ≥ 90 %   plain ≥ 50 %   underlined ≥ 10 %   bold underlined: below"
SURPRISING = 0.1
"""Tokens below this probability are stepped through."""


def level(probability: float) -> str:
    return next(kind for least, kind in LEVELS if probability >= least)


def token_pieces(tokens: Sequence[TokenProbability], cursor: int = -1) -> tuple[MarkedPiece, ...]:
    """The answer token by token; the one under the cursor in reverse.

    A token whose text is empty (a part of a character, the end) is drawn only under the cursor.
    """
    pieces = []
    for place, token in enumerate(tokens):
        here = place == cursor
        text = token.text or ("∎" if here else "")
        if here and not text.strip("\n"):
            text = "⏎" * text.count("\n") + text
        if text:
            pieces.append(MarkedPiece(text, "cursor" if here else level(token.probability)))
    return tuple(pieces)


def start_of(tokens: Sequence[TokenProbability], cursor: int) -> int:
    """The character at which a token begins, in the text as it is shown."""
    return sum(len(token.text) for token in tokens[:cursor])


def token_at(tokens: Sequence[TokenProbability], character: int) -> int:
    """The token that a character belongs to."""
    end = 0
    for place, token in enumerate(tokens):
        end += len(token.text)
        if character < end:
            return place
    return max(0, len(tokens) - 1)


def next_surprising(tokens: Sequence[TokenProbability], cursor: int, by: int) -> int:
    """The next token that way which was unlikely; the cursor where there is none."""
    places = [place for place, token in enumerate(tokens) if token.probability < SURPRISING]
    ahead = [place for place in places if (place > cursor if by > 0 else place < cursor)]
    return (ahead[0] if by > 0 else ahead[-1]) if ahead else cursor


def token_line(tokens: Sequence[TokenProbability], cursor: int, width: int) -> str:
    """Probability of the token under the cursor, its rank, and what else was likely; whole entries only."""
    if not tokens:
        return "this model gives no token probabilities"
    token = tokens[cursor]
    name = quoted(token.text) if token.text else "end" if cursor + 1 == len(tokens) else "part of a character"
    head = f"{cursor + 1}/{len(tokens)} {name} {percent(token.probability)}"
    rivals = [(text, p) for text, p in token.top if text != token.text or not text]
    others = [f"{quoted(text) if text else 'end'} {percent(p)}" for text, p in rivals]
    line = head + ("  instead: " if others else "")
    for number, other in enumerate(others):
        longer = line + (" · " if number else "") + other
        if len(longer) > width:
            break
        line = longer
    return cut(line, width)


def quoted(text: str) -> str:
    """A token between marks that show where its blanks are."""
    return f"‹{harmless_line(text)}›"


def percent(probability: float) -> str:
    return f"{probability:.0%}" if probability >= 0.0995 else f"{probability * 100:.2g}%"


def joins(tokens: Sequence[TokenProbability], text: str) -> bool:
    """Whether the tokens are those of the whole text."""
    return "".join(token.text for token in tokens) == text
