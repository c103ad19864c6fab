"""The words of the label screen: headings, status line, end of the queue."""

from __future__ import annotations

from collections.abc import Mapping

from rich.cells import cell_len
from textual.content import Content

from rlft_tui.counted import counted
from rlft_tui.labels.preference import Preference
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.tui.label_session import LabelSession, Shown, former_line, progress_line
from rlft_tui.tui.run_text import cut, plain

NOTE_CELLS = 24
QUEUE_CELLS = 36


def prompt_heading(pair: ResponsePair, key: str = "p") -> Content:
    """Category, and how many turns came before."""
    parts = [plain(pair.category)] if pair.category else []
    if pair.context:
        turns = len(pair.context)
        parts.append(f"{key} opens 1 earlier turn" if turns == 1 else f"{key} opens {turns} earlier turns")
    return Content.assemble(("Prompt", "bold"), ("   " + " · ".join(parts) if parts else "", "dim"))


def prompt_text(pair: ResponsePair, whole: bool) -> str:
    """The question; with ``whole`` also the turns before it."""
    if not whole or not pair.context:
        return pair.prompt
    turns = [f"**{turn.role}**\n\n{turn.content}" for turn in pair.context]
    return "\n\n---\n\n".join([*turns, f"**user**\n\n{pair.prompt}"])


def answer_heading(number: str, side: str, session: LabelSession, *, focused: bool) -> Content:
    """The key of a side; a mark when it is being stored, was chosen before an undo, or ends at the limit."""
    key = (f" {number} ", "$text-accent bold reverse" if focused else "$text bold on $panel")
    words = "  cut off" if session.current is not None and _is_cut(session.current, side) else ""
    words += "  scrolls alone (tab, esc)" if focused else ""
    pending = session.pending
    shown = session.current
    if shown is not None and isinstance(pending, Preference) and shown.place(pending.choice) in (side, "tie"):
        words = "  ✓ being stored" + words
    elif shown is not None and isinstance(shown.former, Preference):
        place = shown.place(shown.former.choice)
        if place == side:
            words = "  ✓ chosen before" + words
        elif place == "tie":
            words = "  = tie before" + words
    return Content.assemble(key, words)


def _is_cut(shown: Shown, side: str) -> bool:
    """Whether the answer on this side ends because it was as long as it might become."""
    how = shown.pair.settings.get("a" if (side == "left") == (shown.left == "a") else "b")
    return isinstance(how, dict) and how.get("cut") is True


def status_text(
    session: LabelSession, trouble: str, width: int, queue: str = "", *, repeats: bool = False
) -> Content:
    """Trouble, or what was taken back, or where one stands; confidence and note when they are set.

    Of the counts as many as fit into ``width`` cells, so that none is cut in the middle. ``repeats``:
    pairs come back hidden and are counted, so that the numbers are above those of the pairs.
    """
    own: list[str] = []
    if session.confidence is not None:
        own.append(f"confidence {session.confidence}")
    if session.current is not None and session.current.pair.id in session.written:
        own.append("better answer written")
    if session.note:
        own.append(f"note: {cut(plain(session.note), NOTE_CELLS)}")
    mine = (" · ".join(own) + "   ", "$text-accent bold") if own else ""
    if trouble:
        return Content.assemble(mine, (plain(trouble), "$text-warning bold"))
    if session.current is not None and (former := former_line(session.current)):
        tail = "esc lets it stand" if session.current.revising else progress_line(session.progress)
        start = Content.assemble(mine, (former, "bold"), "   ")
        return start + _as_fits(tail, width - start.cell_length)
    if session.current is None and session.phase == "loading":
        return Content("looking for the next pair…")
    which = (f"{cut(plain(queue), QUEUE_CELLS)}   ", "$text-accent") if queue else ""
    start = Content.assemble(mine, which)
    counts = progress_line(session.progress) + (" · hidden repeats counted" if repeats else "")
    return start + _as_fits(counts, width - start.cell_length)


def _as_fits(line: str, width: int) -> str:
    """The first parts of a line, as many as fit wholly."""
    while cell_len(line) > width and " · " in line:
        line = line.rpartition(" · ")[0]
    return line if cell_len(line) <= width else ""


LEGENDS = (
    ("significantly better", "better", "slightly better", "negligibly better"),
    ("significantly", "better", "slightly", "negligibly"),
    ("sig.", "better", "slight", "negl."),
    ("", "", "", ""),
)
"""Words for the strengths, strongest first, from roomy to none."""


def legend(width: int, keys: Mapping[str, str]) -> Content:
    """Which key says how much, the left answer's on the left; as many words as fit."""
    left = [keys[f"label.left_{step}"] for step in (4, 3, 2, 1)]
    right = [keys[f"label.right_{step}"] for step in (1, 2, 3, 4)]
    middle = _legend_part([keys["label.even"]], ["tie"])
    for words in LEGENDS:
        first, last = _legend_part(left, list(words)), _legend_part(right, list(reversed(words)))
        sides = max(first.cell_length, last.cell_length)
        if 2 * sides + middle.cell_length + 4 <= width:
            break
    before = max(1, (width - middle.cell_length) // 2 - first.cell_length)
    after = max(1, width - first.cell_length - before - middle.cell_length - last.cell_length)
    return Content.assemble(first, " " * before, middle, " " * after, last)


def _legend_part(keys: list[str], words: list[str]) -> Content:
    parts: list[str | tuple[str, str]] = []
    for key, word in zip(keys, words, strict=True):
        parts += [(key, "$text-accent bold"), f" {word} " if word else " "]
    return Content.assemble(*parts).rstrip()


def end_text(session: LabelSession, undo: str) -> Content:
    """What to do when there is no pair to show."""
    if session.phase == "empty":
        lines: list[str | tuple[str, str]] = [
            ("No pairs to label yet.", "bold"),
            "\n\nImport answer pairs in a shell:\n\n    ",
            ("rlft pairs import pairs.jsonl", "$text-accent bold"),
            "\n\none JSON object a line with prompt, response_a and response_b, or generate them:\n\n    ",
            ("rlft pairs generate", "$text-accent bold"),
            "\n\nThis screen goes on by itself as soon as there are pairs.",
        ]
    else:
        progress = session.progress
        count = counted(progress.labelled, "verdict") + " stored" if progress is not None else "All stored"
        lines = [
            ("Every pair is labelled.", "bold"),
            f"\n\n{count}. Next:\n\n    ",
            ("g3", "$text-accent bold"),
            " then ",
            ("b", "$text-accent bold"),
            "   freeze them into a data set\n    ",
            (undo, "$text-accent bold"),
            f"{'':{max(1, 12 - len(undo))}}take the last one back\n\nNew pairs appear here by themselves.",
        ]
    return Content.assemble(*lines)
