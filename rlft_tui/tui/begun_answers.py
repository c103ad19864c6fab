"""Better answers that were begun and not stored: kept in a file, so that a lost connection takes none."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec


class BegunAnswers:
    """One labeller's drafts by pair. Without a file they last as long as the workbench."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._texts: dict[str, str] = {}
        if file is not None:
            with suppress(OSError, msgspec.DecodeError):
                self._texts = msgspec.json.decode(file.read_bytes(), type=dict[str, str])

    def of(self, pair: str) -> str:
        """What was begun for a pair; empty when nothing was."""
        return self._texts.get(pair, "")

    def keep(self, pair: str, text: str) -> None:
        """Remember a text, as far as the disk allows; an empty one is forgotten."""
        if not text.strip():
            text = ""
        if text == self.of(pair):
            return
        self._texts.pop(pair, None)
        if text:
            self._texts[pair] = text
        if self._file is not None:
            # A full disk must not end the writing: the text is on the screen.
            with suppress(OSError, UnicodeEncodeError):  # half a surrogate pair has no UTF-8 form
                self._file.parent.mkdir(parents=True, exist_ok=True)
                partial = self._file.with_name(f".{self._file.name}.partial")
                partial.write_bytes(msgspec.json.encode(self._texts))
                partial.replace(self._file)

    def drop(self, pair: str) -> None:
        """It was stored, or is not wanted."""
        self.keep(pair, "")
