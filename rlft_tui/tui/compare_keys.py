"""The keys of the Compare screen: those of Label and Rank where they mean the same, and its own."""

from __future__ import annotations

from dataclasses import replace

from textual.binding import Binding, BindingType

from rlft_tui.server.answers import MOST_SIDES
from rlft_tui.tui.label_keys import LABEL_BINDINGS, MODES

_GENERATE = Binding(
    "ctrl+r", "generate", "answer", id="compare.generate",
    tooltip="Have the prompt answered; again: with a new seed; after a failure: once more",
)  # fmt: skip

_FROM_LABEL = {
    "label.first": "", "label.second": "", "label.tie": "",
    "label.good": "", "label.bad": "",
    "label.undo": "Take back the last verdict; its answers come back",
    "label.skip": "To the next prompt without a verdict",
    "label.note": "Write why; goes with the verdict",
    "label.confidence": "",
    "label.strengths": "",
    "label.zoom": "One answer in full width; again: the next",
    "label.diff": "What differs between two answers, word by word; again: the answers as they are",
    "label.prompt": "The whole prompt with its earlier turns; again: the field to write in",
    "label.source": "", "label.page_down": "", "label.page_up": "", "label.down": "", "label.up": "",
    "label.start": "", "label.end": "",
    "label.pane": "Scroll one answer only; in a field: the next field",
    "label.release": "Cancel the answers; leave a field, a view or one answer",
    **{name: "" for name, mode in MODES.items() if mode == "graded"},
}  # fmt: skip
"""Ids of label keys that work here, with what they do where that is not quite the same."""

_SAID = frozenset({"label.first", "label.second", "label.tie", "label.good", "label.bad"})
"""The line above the key bar names these while they can be pressed: the bar has room for others."""

_RANK = (
    *((str(n), f"place({n - 1})", f"answer {n}", f"rank.{n}", "Put it next in the order, best first")
      for n in range(1, MOST_SIDES + 1)),
    ("equals_sign", "tie_next", "tie with next", "rank.tie",
     "The next number is as good as the last one"),
    ("enter", "store", "store", "rank.store",
     "Store the order; answers without a number come after the others, in no order"),
    ("backspace", "one_back", "take out", "rank.out", "Take the last number out of the order"),
)  # fmt: skip
"""Keys while three or four answers are judged."""

_FIRST = (
    ("o", "options", "models", "compare.options", "Models, sampling, system prompt: show or hide the form"),
    ("f", "pick", "prompts", "compare.pick",
     "A stored prompt, all that a search finds, or a file of prompts"),
    ("t", "turn", "next turn", "compare.turn", "The conversation goes on with the better answer"),
    ("i", "tokens", "tokens", "compare.tokens",
     "How likely each token was, and what else could have stood there"),
)  # fmt: skip
"""What Compare has more than Label, first in the key bar."""

_OWN = (
    ("e", "edit", "edit prompt", "compare.edit", "Write in the prompt"),
    ("r", "restart", "new conversation", "compare.restart", "Forget the turns so far"),
    ("x", "blind", "blind", "compare.blind", "Hide or show names; before answers are asked for"),
    ("left_square_bracket", "prompt_before", "prompt before", "compare.back", "Back to the prompt before"),
    ("W", "standing", "standing", "compare.standing", "How the models stand since the screen was opened"),
)  # fmt: skip

_TOKENS = (
    ("right,l", "token(1)", "next token", "compare.token", "The token after"),
    ("left,h", "token(-1)", "token before", "compare.token_before", "The token before"),
    ("full_stop", "surprise(1)", "unlikely", "compare.unlikely", "The next token below 10 %"),
    ("comma", "surprise(-1)", "unlikely before", "compare.unlikely_before", "The one before"),
)  # fmt: skip
"""Keys of the token view."""


def _own(rows: tuple[tuple[str, str, str, str, str], ...], *, show: bool = True) -> list[BindingType]:
    return [
        Binding(key, do, word, id=name, tooltip=tip, show=show, key_display=key if key.isupper() else None)
        for key, do, word, name, tip in rows
    ]


def _from_label() -> list[Binding]:
    return [
        replace(
            binding,
            tooltip=_FROM_LABEL[binding.id] or binding.tooltip,
            show=binding.show and binding.id not in _SAID,
        )
        for binding in LABEL_BINDINGS
        if isinstance(binding, Binding) and binding.id in _FROM_LABEL
    ]


COMPARE_BINDINGS: list[BindingType] = [
    _GENERATE,
    *_own(_TOKENS),
    *_own(_RANK, show=False),
    *_own(_FIRST),
    *sorted(_from_label(), key=lambda binding: binding.id not in ("label.diff", "label.undo")),
    *_own(_OWN),
]

COMPARE_MODES: dict[str, str] = {
    **{row[3]: "order" for row in _RANK},
    **{row[3]: "tokens" for row in _TOKENS},
    **dict.fromkeys(("label.good", "label.confidence", "label.prompt"), "two"),
}
"""Actions that share a key with others of which only one can be done at a time."""

COMPARE_LAYOUTS: dict[str, dict[str, str]] = {
    "standard": {},
    "left-hand": {
        "compare.edit": "ctrl+e",
        "compare.pick": "ctrl+f",
        "compare.turn": "ctrl+n",
        "compare.blind": "ctrl+x",
        "compare.restart": "ctrl+g",
    },
    "right-hand": {
        "compare.options": "a",
        "compare.tokens": "w",
        "compare.token": "right",
        "compare.token_before": "left",
        "compare.unlikely": "greater_than_sign",
        "compare.unlikely_before": "less_than_sign",
    },
}
"""Where a layout of the label screen needs the key of an action of this one."""
