"""Reward for the right answer to a question that has one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.rewards.reward_function import Reward, Text, plain_text

_NUMBER = r"[-+−]?\s?[$€£]?\s?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:/[1-9]\d*)?|[-+−]?[$€£]?\.\d+"
_LAST_NUMBER = re.compile(rf"(?<![\w.])(?:{_NUMBER})(?!\w)")
_MARKED = (
    re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE),
    re.compile(r"\\boxed\{([^{}]*)\}"),
    re.compile(r"####[ \t]*(.*)"),
)
_LONGEST_NUMBER = 400


@dataclass(frozen=True, slots=True)
class ExactAnswerReward:
    """1 for the reference answer, 0 for another; a row without a reference is not judged.

    Numbers are compared as numbers: "1,000", "$1000" and "1000.0" are the same. The answer is what
    stands last in <answer>…</answer>, in \\boxed{…} or behind "####" (as in GSM8K, arXiv 2110.14168);
    else the last number in the text, if the reference is a number, or the whole text.
    """

    column: str = "answer"
    """Column of the data set with the reference; of GSM8K's worked solutions what stands behind ####."""

    def __call__(
        self,
        prompts: Sequence[Text],
        completions: Sequence[Text],
        completion_ids: Any = None,
        **columns: Any,
    ) -> list[Reward]:
        references = columns.get(self.column)
        if references is None:
            raise RlftError(
                f"the data set has no column {self.column!r} with the right answers",
                remedy='Name the column: column = "…", or take another reward',
            )
        return [
            None if reference is None else float(is_right(plain_text(completion), plain_reference(reference)))
            for completion, reference in zip(completions, references, strict=True)
        ]


def plain_reference(reference: object) -> str:
    """The reference itself, without the working before it."""
    text = str(reference)
    return marked_answer(text) or text


def is_right(text: str, reference: str) -> bool:
    """Whether a text gives the reference as its answer."""
    wanted = as_number(reference)
    given = marked_answer(text)
    if wanted is None:
        return same_words(given or text, reference)
    if given is not None and (number := as_number(given)) is not None:
        return number == wanted
    found = _LAST_NUMBER.findall(given or text)
    return bool(found) and as_number(found[-1]) == wanted


def marked_answer(text: str) -> str | None:
    """What the text itself marks as its answer, the last one; None when it marks none."""
    for pattern in _MARKED:
        if (found := pattern.findall(text)) and (answer := found[-1].strip()):
            return str(answer)
    return None


def as_number(text: str) -> Fraction | None:
    """The number that a text is, blanks, currency and percent signs aside; None when it is none."""
    plain = text.strip().rstrip(".").replace("−", "-")
    plain = re.sub(r"[\s$€£%]", "", plain)
    if len(plain) > _LONGEST_NUMBER or not re.fullmatch(
        r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:/[1-9]\d*)?", plain
    ):
        return None
    try:
        whole, _, below = plain.replace(",", "").partition("/")
        return Fraction(whole) / (int(below) if below else 1)
    except ValueError:
        return None


def same_words(given: str, reference: str) -> bool:
    """Equal but for case, blanks, and a full stop at the end."""
    first, second = (" ".join(text.split()).rstrip(".").casefold() for text in (given, reference))
    return first == second
