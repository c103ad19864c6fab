"""Texts that answers may hold, good and bad."""

from __future__ import annotations

import unicodedata

from hypothesis import strategies as st
from rich.segment import Segment

EVERYTHING = r"""# Title one

Some *em* and **strong `code`** ~~gone~~ [link](http://x.y) <http://auto.link> ![alt](a.png) <b>html</b>
second line  
hard break, maths $a_1 * b_2$ costs $5 and $6 and \(x_1*y*z\).

\[
a_1
= b * c
\]

## Lists

1. one
2. two
   - nested 你好
   - [ ] open task
   - [x] done task

7. seven

8. eight

   more of eight

> quote **b**
> > nested
>
> - item

```python
def f(x: int) -> str:
    return "x" * x  # a comment that is so long that it has to be folded somewhere, wherever that is
```

    indented code

| a | right | centre |
|---|--:|:-:|
| 1 | 2 | 3 |
| a long cell with many words in it that has to be wrapped because it does not fit | x | 你好世界 |

---

[ref]: http://somewhere
end of it
"""

SCRIPTS = [
    "abc def",
    "  ",
    "\n",
    "\n\n",
    "你好，世界。",
    "ｗｉｄｅ",
    "👩\u200d👩\u200d👧",
    "❤\ufe0f",
    "🇩🇪",
    "👍🏽",
    "e\u0301",
]
SCRIPTS += ["مرحبا", "می\u200cخواهم", "नमस्ते", "\u200b", "\u202e", "\x1b[31m", "\x07", "\t", "\r", "\ud800"]
SCRIPTS += ["\u0301" * 9, "a" * 70]
MARKS = [
    "# ",
    "- ",
    "12. ",
    "> ",
    "```\n",
    "~~~py\n",
    "    ",
    "| a | b |\n|--|:-:|\n| ",
    " | ",
    "**",
    "*",
    "_",
]
MARKS += ["`", "~~", "[x](y)", "![", "](", "---\n", "$x_1$", "\\[", "\\", "<br>", "- [ ] ", "\n\n"]
MARKS += ["&#x202e;", "&#8203;", "&#x1b;[31m", "&NewLine;", "&Tab;", "&zwj;", "&shy;", "&amp;", "&#13;"]

documents = st.lists(
    st.one_of(st.sampled_from(SCRIPTS), st.sampled_from(MARKS), st.text(max_size=12)), max_size=40
).map("".join)


def harmful(text: str) -> str:
    """The characters of a drawn text that a terminal would obey, or that nobody could see."""
    return "".join(
        character
        for character in text
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") or character in "\ufe0f\ufe0e"
    )


def row_text(row: tuple[Segment, ...] | list[Segment]) -> str:
    """The characters of one row."""
    return "".join(segment.text for segment in row)
