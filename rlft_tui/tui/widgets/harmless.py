"""Untrusted text made safe to draw: nothing invisible, nothing a terminal would obey.

Answers, prompts, file names and log lines come from anywhere. Whatever a terminal
could take for a command, and whatever a reader could not see, is replaced by
something visible. Joined emoji are drawn as their parts and variation selectors
are left out, because terminals disagree on the width of both and columns must
never shift.
"""

from __future__ import annotations

import re
import unicodedata

TAB = 4
"""Cells between tab stops."""

MOST_MARKS = 6
"""Combining marks kept on one character; more would paint over the neighbouring lines."""

_SUSPECT = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2"
    "\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff"
    "\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff"
    "\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_MARKS = re.compile("(^|[\\s])?([\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f"
                    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+)", re.MULTILINE)  # fmt: skip
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
_JOINERS = "\u200c\u200d"
_FIRST_REGIONAL = 0x1F1E6


def harmless(text: str) -> str:
    """The text with every control, invisible or order-changing character made visible.

    Line feeds stay, CR LF becomes LF, tabs become spaces up to the next tab stop.
    """
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    if text.isascii():
        if text.isprintable() or not _SUSPECT.search(text):
            return text
    elif not _SUSPECT.search(text):
        return _tamed_marks(text)
    if "\t" in text:
        text = "\n".join(_without_tabs(line) if "\t" in line else line for line in text.split("\n"))
    text = _FLAG.sub(lambda found: "⟨" + "".join(map(_letter, found.group())) + "⟩", text)
    return _tamed_marks(_SUSPECT.sub(_visible, text))


def harmless_line(text: str) -> str:
    """The text as one line: line feeds become ⏎ and tabs one space."""
    return harmless(text.replace("\t", " ")).replace("\n", "⏎")


def _without_tabs(line: str) -> str:
    """Tab stops counted in characters: exact where it matters, in indentation and ASCII tables."""
    return line.expandtabs(TAB)


def _letter(regional: str) -> str:
    return chr(ord("A") + ord(regional) - _FIRST_REGIONAL)


def _visible(found: re.Match[str]) -> str:
    character = found.group()
    code = ord(character)
    if code == 0x1B:
        return "␛"
    if code < 0x20:
        return "^" + chr(code + 0x40)
    if code == 0x7F:
        return "^?"
    if code == 0xAD:
        return "‧"
    if 0x1F1E6 <= code <= 0x1F1FF:
        return _letter(character)
    if _widens_or_joins(found.string, found.start(), character, code):
        return ""
    return f"⟨U+{code:04X}⟩"


def _widens_or_joins(text: str, at: int, character: str, code: int) -> bool:
    """Characters that belong to ordinary writing and are left out without a trace."""
    if 0x1F3FB <= code <= 0x1F3FF:
        return at > 0 and ord(text[at - 1]) > 0x2000
    before = text[at - 1] if at else ""
    after = text[at + 1] if at + 1 < len(text) else ""
    if 0xFE00 <= code <= 0xFE0F:
        return bool(before) and not before.isspace() and unicodedata.category(before) not in ("Cf", "Mn")
    return character in _JOINERS and before > "\u0600" and (after > "\u0600" or code == 0x200D)


def _tamed_marks(text: str) -> str:
    """Combining marks that have a character to sit on, and no towers of them."""
    return _MARKS.sub(_tamed, text)


def _tamed(found: re.Match[str]) -> str:
    before, marks = found.group(1), found.group(2)
    seat = "◌" if before is not None else ""
    extra = len(marks) - MOST_MARKS
    rest = f"⟨+{extra} marks⟩" if extra > 0 else ""
    return f"{before or ''}{seat}{marks[:MOST_MARKS]}{rest}"
