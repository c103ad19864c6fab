"""Program output made harmless: no escape sequence or control character survives."""

from __future__ import annotations

import re

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\x9c|$)"  # OSC, DCS, SOS, PM, APC: titles, links, clipboard
    r"|\x1b[ -/]*[0-~]"  # two-byte escapes
    r"|\x9b[0-?]*[ -/]*[@-~]",
    re.MULTILINE,
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f]")


def plain_text(text: str) -> str:
    """Text safe to print: escapes removed, progress bars at their last state, controls as ^X.

    Line feeds and tabs stay. A carriage return starts its line again, so that of a
    progress bar only what it last showed is left.
    """
    text = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    text = "\n".join(_last_state(line) if "\r" in line else line for line in text.split("\n"))
    return _CONTROLS.sub(_caret, _BIDI.sub("", text))


def plain_lines(text: str) -> list[str]:
    """The lines of ``plain_text`` that have something on them, stripped."""
    return [stripped for line in plain_text(text).split("\n") if (stripped := line.strip())]


def _last_state(line: str) -> str:
    states = [state for state in line.split("\r") if state]
    return states[-1] if states else ""


def _caret(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"^{chr(code ^ 0x40)}" if code < 0x80 else f"\\x{code:02x}"
