"""The last few texts of a pane, and those that are to be rendered before they are asked for."""

from __future__ import annotations

from collections import OrderedDict

from rlft_tui.tui.widgets.palette import Palette
from rlft_tui.tui.widgets.text_document import TextDocument
from rlft_tui.tui.widgets.word_diff import MarkedPiece

KEPT = 6
"""Documents kept: a pane's share of three pairs, and what was shown before them."""

AHEAD = 200_000
"""Characters rendered past the reader; a longer text goes on when the reader comes near."""

_WANTED = 4

Pieces = tuple[MarkedPiece, ...]
Key = tuple[str, bool, Pieces]
"""Text, whether it is Markdown, and how it is marked: what makes a document."""


class KeptDocuments:
    """Documents by what they show, all of the width and colours they were last asked for in."""

    def __init__(self) -> None:
        self.documents: OrderedDict[Key, TextDocument] = OrderedDict()
        """The one used last at the end."""
        self._wanted: list[Key] = []
        """Texts to prefetch, the next first."""

    def document(self, key: Key, width: int, colours: Palette) -> TextDocument:
        """The document kept, or a new one that is not rendered yet."""
        document = self.documents.get(key)
        if document is None:
            text, markdown, marks = key
            document = TextDocument(text, width, colours, markdown=markdown, marks=marks)
        self.keep(key, document)
        return document

    def keep(self, key: Key, document: TextDocument) -> None:
        self.documents[key] = document
        self.documents.move_to_end(key)
        while len(self.documents) > KEPT:
            self.documents.popitem(last=False)

    def clear(self) -> None:
        """Width or colours have changed."""
        self.documents.clear()

    def want(self, key: Key) -> None:
        """Prefetch a text; of many only the latest few."""
        if key not in self.documents and key not in self._wanted:
            self._wanted = [*self._wanted[1 - _WANTED :], key]

    def forget_wanted(self) -> None:
        self._wanted.clear()

    def next_wanted(self, width: int, colours: Palette) -> TextDocument | None:
        """The next document to prefetch that is not rendered far enough."""
        while self._wanted:
            document = self.document(self._wanted[0], width, colours)
            if not document.finished and document.characters_done < AHEAD:
                return document
            self._wanted.pop(0)
        return None
