"""The keys of the label screen, and the layouts that ship."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from textual.binding import Binding, BindingType

from rlft_tui.labels.preference import STRENGTHS
from rlft_tui.tui.chrome import key_name
from rlft_tui.tui.key_table import bindings

_PLAIN = (
    ("1", "judge('left')", "left", "label.first", "The left (or upper) answer is better"),
    ("2", "judge('right')", "right", "label.second", "The right (or lower) one is better"),
    ("3", "judge('tie')", "tie", "label.tie", "Neither is better"),
)
"""Key, action, word in the key bar, id in the key map, what it does."""

_BETTER = {step: name if name == "better" else f"{name} better" for step, name in STRENGTHS.items()}
_GRADED = (
    *(
        (str(5 - step), f"grade('left', {step})", words, f"label.left_{step}", f"Left {words}")
        for step, words in reversed(_BETTER.items())
    ),
    ("5", "grade('tie', 0)", "tie", "label.even", "Neither is better"),
    *(
        (str(5 + step), f"grade('right', {step})", words, f"label.right_{step}", f"Right {words}")
        for step, words in _BETTER.items()
    ),
)
"""While strengths are asked for: how far to the left or to the right the better answer stands."""

_SHOWN = (
    ("plus", "rate('both_good')", "both good", "label.good", "A tie: both are good"),
    ("minus", "rate('both_bad')", "both bad", "label.bad", "A tie: both are bad"),
    ("u", "undo", "undo", "label.undo", "Take back the last one; again: the one before"),
    ("s", "set_aside('skip')", "skip", "label.skip", "Set this pair aside"),
    ("w", "write", "write", "label.write", "Write a better answer"),
    ("r", "history", "history", "label.history", "Earlier verdicts: revise, take back, un-skip"),
    ("n", "note", "note", "label.note", "Write why; goes with the next verdict or flag"),
    ("c", "confidence", "confidence", "label.confidence", "Then 1–5: how sure you are"),
    ("f", "set_aside('flag')", "flag", "label.flag", "Flag this pair as broken"),
    ("o", "queue", "queue", "label.queue", "Which pairs come, and in which order"),
    ("m", "strengths", "strengths", "label.strengths", "Ask how much better, or no longer"),
    ("z", "zoom", "wide", "label.zoom", "One answer in full width; again: the other"),
    ("d", "diff", "diff", "label.diff", "What differs, word by word; again: the answers as they are"),
    ("p", "prompt", "prompt", "label.prompt", "The whole prompt with its earlier turns"),
)

_HIDDEN = (
    ("equals_sign", "rate('both_good')", "both good", "label.good", "A tie: both are good"),
    ("e", "write_outside", "$EDITOR", "label.editor", "Write a better answer in $EDITOR"),
    ("v", "source", "source", "label.source", "Markdown and LaTeX as written; again: rendered"),
    ("space,pagedown", "page(1)", "page", "label.page_down", "Both a page down"),
    ("b,pageup", "page(-1)", "page up", "label.page_up", "Both a page up"),
    ("down,j", "rows(1)", "down", "label.down", "Both a line down"),
    ("up,k", "rows(-1)", "up", "label.up", "Both a line up"),
    ("home", "page(-9999)", "start", "label.start", "Both to the start"),
    ("end", "page(9999)", "end", "label.end", "Both to the end"),
    ("tab", "focus_next_pane", "one pane", "label.pane", "Scroll one answer only"),
    ("escape", "release", "both", "label.release", "Back to both answers"),
)

LABEL_BINDINGS: list[BindingType] = [
    *bindings((*_PLAIN, *_SHOWN)),
    *bindings((*_GRADED, *_HIDDEN), show=False),
]

MODES: dict[str, str] = {row[3]: "plain" for row in _PLAIN} | {row[3]: "graded" for row in _GRADED}
"""Actions of which only those of one mode can be done at a time: modes may share keys."""

LAYOUTS: dict[str, dict[str, str]] = {
    "standard": {},
    # q w | e r    the outer and upper keys say more
    # a s | d f
    "left-hand": {
        "label.first": "s",
        "label.second": "d",
        "label.tie": "t",
        "label.left_4": "q",
        "label.left_3": "w",
        "label.left_2": "a",
        "label.left_1": "s",
        "label.even": "t",
        "label.right_1": "d",
        "label.right_2": "f",
        "label.right_3": "e",
        "label.right_4": "r",
        "label.good": "5",
        "label.bad": "b",
        "label.undo": "z",
        "label.skip": "x",
        "label.flag": "4",
        "label.note": "1",
        "label.confidence": "2",
        "label.prompt": "3",
        "label.source": "6",
        "label.zoom": "v",
        "label.page_up": "c,pageup",
        "label.write": "ctrl+w",
        "label.editor": "ctrl+e",
        "label.history": "ctrl+r",
        "label.strengths": "ctrl+t",
        "label.diff": "ctrl+d",
        "label.queue": "ctrl+g",
    },
    # 7 8 | 9 0
    # u i | o p
    "right-hand": {
        "label.first": "i",
        "label.second": "o",
        "label.tie": "k",
        "label.left_4": "7",
        "label.left_3": "8",
        "label.left_2": "u",
        "label.left_1": "i",
        "label.even": "k",
        "label.right_1": "o",
        "label.right_2": "p",
        "label.right_3": "9",
        "label.right_4": "0",
        "label.undo": "backspace,j",
        "label.skip": "l",
        "label.flag": "h",
        "label.confidence": "comma",
        "label.prompt": "full_stop",
        "label.zoom": "m",
        "label.page_up": "y,pageup",
        "label.down": "down",
        "label.up": "up",
        "label.write": "ctrl+n",
        "label.editor": "ctrl+o",
        "label.history": "ctrl+l",
        "label.strengths": "ctrl+k",
        "label.diff": "slash",
        "label.queue": "ctrl+u",
    },
}
"""Shipped key maps, by the ``layout`` setting; ``keymap`` goes before them."""


def in_layout(bindings: list[BindingType], layout: str) -> list[BindingType]:
    """The bindings with the keys of a layout."""
    keys = LAYOUTS[layout]
    return [
        replace(binding, key=keys[binding.id])
        if isinstance(binding, Binding) and binding.id in keys
        else binding
        for binding in bindings
    ]


def whole_keymap(layout: str, keymap: Mapping[str, str]) -> dict[str, str]:
    """What Textual is given: a key that two modes share has to be named for both of them."""
    if layout == "standard" and not any(name.startswith("label.") for name in keymap):
        return dict(keymap)
    return {**_defaults(), **LAYOUTS[layout], **keymap}


def key_names(keymap: Mapping[str, str]) -> dict[str, str]:
    """How the first key of each action is written on screen, by id."""
    first = {name: keys.split(",")[0].strip() for name, keys in {**_defaults(), **keymap}.items()}
    return {name: _MARKS.get(key, key_name(key)) for name, key in first.items()}


_MARKS = {"plus": "+", "minus": "−"}


def _defaults() -> dict[str, str]:
    keys: dict[str, str] = {}
    for binding in LABEL_BINDINGS:
        assert isinstance(binding, Binding)
        assert binding.id is not None
        keys[binding.id] = f"{keys[binding.id]},{binding.key}" if binding.id in keys else binding.key
    return keys
