"""The keys of the label screen."""

from __future__ import annotations

from textual.binding import Binding, BindingType

_SHOWN = (
    ("1", "judge('left')", "left", "label.first", "The left (or upper) answer is better"),
    ("2", "judge('right')", "right", "label.second", "The right (or lower) one is better"),
    ("3", "judge('tie')", "tie", "label.tie", "Neither is better"),
    ("u", "undo", "undo", "label.undo", "Take back the last one; again: the one before"),
    ("s", "set_aside('skip')", "skip", "label.skip", "Set this pair aside"),
    ("f", "set_aside('flag')", "flag", "label.flag", "Flag this pair as broken"),
    ("n", "note", "note", "label.note", "Write why; goes with the next verdict or flag"),
    ("c", "confidence", "confidence", "label.confidence", "Then 1–5: how sure you are"),
    ("z", "zoom", "wide", "label.zoom", "One answer in full width; again: the other"),
    ("d", "diff", "diff", "label.diff", "What differs, word by word; again: the answers as they are"),
    ("p", "prompt", "prompt", "label.prompt", "The whole prompt with its earlier turns"),
)
"""Key, action, word in the key bar, id in the key map, what it does."""

_READING = (
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
    *(Binding(key, do, word, id=name, tooltip=tip) for key, do, word, name, tip in _SHOWN),
    *(Binding(key, do, word, id=name, tooltip=tip, show=False) for key, do, word, name, tip in _READING),
]
