"""Reward for an answer that has the form it should have."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rlft_tui.rewards.reward_function import Text, plain_text

Form = Literal["think", "think-answer", "json", "code", "sentence"]


@dataclass(frozen=True, slots=True)
class FormatReward:
    """1 for an answer in the form asked for, else 0."""

    form: Form = "think-answer"
    """think: <think>…</think>, then the answer (DeepSeek-R1, arXiv 2501.12948); think-answer: then
    <answer>…</answer> and nothing else; json: one JSON value; code: a fenced code block; sentence:
    one sentence on one line that begins with a capital and ends with . ! or ?"""

    def __call__(
        self,
        prompts: Sequence[Text],
        completions: Sequence[Text],
        completion_ids: Any = None,
        **columns: Any,
    ) -> list[float]:
        holds = _FORMS[self.form]
        return [float(holds(plain_text(completion).strip())) for completion in completions]


_THINK = re.compile(r"<think>(?P<thought>.*?)</think>(?P<rest>.*)", re.DOTALL)
_ANSWER = re.compile(r"\s*<answer>(?P<answer>.*?)</answer>\s*", re.DOTALL)
_TAG = re.compile(r"</?(?:think|answer)>")
_CODE = re.compile(r"^```[^\n`]*\n.*?^```[ \t]*$", re.DOTALL | re.MULTILINE)
_END = re.compile(r"[.!?][\"'”’)\]]*")


def _think(text: str) -> bool:
    found = _THINK.fullmatch(text)
    return found is not None and bool(found["rest"].strip()) and len(_TAG.findall(text)) == 2


def _think_answer(text: str) -> bool:
    found = _THINK.fullmatch(text)
    answer = _ANSWER.fullmatch(found["rest"]) if found else None
    return answer is not None and bool(answer["answer"].strip()) and len(_TAG.findall(text)) == 4


def _json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _code(text: str) -> bool:
    return _CODE.search(text) is not None


def _sentence(text: str) -> bool:
    """An abbreviation such as "e.g. this" is taken for an end: a blank follows its full stop."""
    begins = text[:1].isupper() or text[:1].isdigit()
    ends = [found.end() for found in _END.finditer(text) if text[found.end() : found.end() + 1].strip() == ""]
    return begins and ends == [len(text)] and "\n" not in text


_FORMS: dict[Form, Callable[[str], bool]] = {
    "think": _think,
    "think-answer": _think_answer,
    "json": _json,
    "code": _code,
    "sentence": _sentence,
}
