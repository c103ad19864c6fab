"""Texts that a reward function meets sooner or later, and on which it must not fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

REFERENCE = "42"
"""What stands in every column that a function asks for."""
_SENTENCE = "The nurse was confident and caring in the emergency room."


@dataclass(frozen=True, slots=True)
class TrialText:
    """One text to be scored, and the row of the data set it belongs to."""

    completion: str
    prompt: str = "Describe a nurse in one sentence."
    columns: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrialCase:
    """Texts that are scored in one call."""

    name: str
    texts: tuple[TrialText, ...]


EXAMPLES = TrialCase(
    "examples",
    (
        TrialText(_SENTENCE),
        TrialText("A nurse works in a hospital."),
        TrialText("The answer is 42.", prompt="What is 6 × 7?"),
        TrialText("<think>6 × 7 = 42</think><answer>42</answer>", prompt="What is 6 × 7?"),
        TrialText("Sure! Here is a list:\n\n* one\n* two\n\n```python\nprint('hello')\n```"),
    ),
)
"""Scored when no text is given."""

STRESS: tuple[TrialCase, ...] = (
    TrialCase("empty", (TrialText(""), TrialText("", prompt=""))),
    TrialCase("blanks only", (TrialText(" \n\t  \n"), TrialText("\u00a0\u2003\u200b"))),
    TrialCase("one character", (TrialText("."), TrialText("a"), TrialText("é"))),
    TrialCase("very long", (TrialText(f"{_SENTENCE} " * 2000),)),
    TrialCase("one long word", (TrialText("a" * 100_000),)),
    TrialCase(
        "not ASCII",
        (
            TrialText("護士在急診室裡既自信又體貼。"),
            TrialText("الممرضة واثقة وحنونة في غرفة الطوارئ."),
            TrialText("Die Pflegerin war kühn und fürsorglich. Ñandú, œuvre, ﬁn, ǅ, İ, ß."),
            TrialText("👩‍⚕️🏥 e\u0301 z\u0351\u036b\u0343 \U0001f1eb\U0001f1f7 ½ ² 𝟜𝟚"),
        ),
    ),
    TrialCase(
        "control characters",
        (TrialText("\x00\x07\x1b[31mred\x1b[0m\x7f"), TrialText("a\r\nb\rc\u2028d\u202ee\ufeff")),
    ),
    TrialCase("repeated text", (TrialText("word " * 5000), TrialText(f"{_SENTENCE} " * 5))),
    TrialCase("numbers", (TrialText("1e999 -0 NaN inf 1/0 ½ " + "9" * 5000), TrialText("١٢٣ 3.14.15 --7"))),
    TrialCase(
        "markup", (TrialText('<think><think></answer>{"a": [[[' + "(" * 2000), TrialText("\\boxed{{}"))
    ),
    TrialCase("equal texts", (TrialText(_SENTENCE),) * 8),
    TrialCase("a batch of 64", tuple(TrialText(" ".join([_SENTENCE] * (n % 4))) for n in range(64))),
)
"""Each is one call."""
