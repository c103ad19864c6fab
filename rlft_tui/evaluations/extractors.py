"""What an answer says, taken out of it, and whether that is what was expected."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from rlft_tui.evaluations.suites.tasks import ExtractorName

_MARKED = re.compile(r"####\s*(-?[$€£]?\s?[\d.,]*\d)")
"""How GSM8K's reference answers give the result (Cobbe et al. 2021)."""
_NUMBER = re.compile(r"(?<![\w.])-?[$€£]?\d[\d,]*(?:\.\d+)?(?!\w)|(?<![\w.])-?\.\d+")
_LOOSE = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def extract(text: str, extractor: ExtractorName, pattern: str = "") -> str | None:
    """The value in a form that compares; None when the text holds none."""
    if extractor == "number":
        return number_in(text)
    if extractor == "regex":
        found = list(re.finditer(pattern, text))
        if not found:
            return None
        last = found[-1]
        return plain(last.group(1) if last.re.groups and last.group(1) is not None else last.group(0))
    return plain(text)


def is_right(answer: str | None, expected: Sequence[str | None], extractor: ExtractorName) -> bool:
    """Whether an extracted answer is one of the expected values."""
    if answer is None:
        return False
    if extractor == "contains":
        return any(one and one in answer for one in expected)
    return any(one is not None and answer == one for one in expected)


def plain(text: str) -> str:
    """Letter case, white space and a full stop at the end aside."""
    return " ".join(text.split()).strip().rstrip(".").strip().casefold()


def number_in(text: str) -> str | None:
    """The number behind the last ####, else the last number in the text, in its shortest form.

    Thousands may be set apart by commas, and a currency sign may stand before it.
    """
    marked = _MARKED.findall(text)
    found = marked or _NUMBER.findall(text) or _LOOSE.findall(text)
    if not found:
        return None
    digits = re.sub(r"[$€£,\s]", "", found[-1]).rstrip(".")
    try:
        value = Decimal(digits)
    except InvalidOperation:
        return None
    # Not normalised: that would round to 28 digits.
    shown = f"{value:f}"
    shown = shown.rstrip("0").rstrip(".") if "." in shown else shown
    return "0" if shown in ("-0", "") else shown
