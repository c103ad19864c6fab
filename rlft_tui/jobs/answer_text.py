"""The text of an answer as its tokens come: whole characters, token by token, up to a stop text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tokenizers.decoders import DecodeStream


class AnswerText:
    """Turns tokens into text piece by piece; the pieces make up what decoding all at once gives."""

    def __init__(self, tokenizer: Any, stop: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self._core: Any = getattr(tokenizer, "_tokenizer", None)
        self._stream = DecodeStream(skip_special_tokens=True) if self._core is not None else None
        self._tokens: list[int] = []
        self._stop = [text for text in stop if text]
        self.text = ""
        """All that may be shown so far."""
        self._behind = ""
        """Decoded, but perhaps the beginning of a stop text."""
        self.stopped = False
        """A stop text has come: nothing behind it counts."""

    def add(self, token: int) -> str:
        """What this token adds to the text. Empty within a character that takes several tokens."""
        self._tokens.append(token)
        if self._stream is not None:
            piece = self._stream.step(self._core, token) or ""
        else:
            whole = str(self._tokenizer.decode(self._tokens, skip_special_tokens=True)).rstrip("\ufffd")
            piece = whole[len(self.text) + len(self._behind) :]
        self._take(piece)
        return piece

    def end(self) -> str:
        """What the answer ends with beyond what was added, such as bytes that are no character."""
        whole = str(self._tokenizer.decode(self._tokens, skip_special_tokens=True))
        so_far = self.text + self._behind
        rest = whole[len(so_far) :] if not self.stopped and whole.startswith(so_far) else ""
        self._take(rest)
        if not self.stopped:
            self.text += self._behind
        self._behind = ""
        return rest

    def _take(self, piece: str) -> None:
        if self.stopped:
            return
        text = self._behind + piece
        found = [place for stop in self._stop if (place := text.find(stop)) >= 0]
        if found:
            self.stopped = True
            self.text += text[: min(found)]
            self._behind = ""
            return
        held = max((_overlap(text, stop) for stop in self._stop), default=0)
        self.text += text[: len(text) - held]
        self._behind = text[len(text) - held :]


def _overlap(text: str, stop: str) -> int:
    """Characters at the text's end that a stop text may begin with."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)
