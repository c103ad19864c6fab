"""The words of the label screen: headings, status line, end of the queue."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content

from rlft_tui.labels.preference import Preference
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.tui.label_session import LabelSession, former_line, progress_line
from rlft_tui.tui.run_text import cut, plain

NOTE_CELLS = 24


def prompt_heading(pair: ResponsePair) -> Content:
    """Category, and how many turns came before."""
    parts = [plain(pair.category)] if pair.category else []
    if pair.context:
        turns = len(pair.context)
        parts.append("p opens 1 earlier turn" if turns == 1 else f"p opens {turns} earlier turns")
    return Content.assemble(("Prompt", "bold"), ("   " + " · ".join(parts) if parts else "", "dim"))


def prompt_text(pair: ResponsePair, whole: bool) -> str:
    """The question; with ``whole`` also the turns before it."""
    if not whole or not pair.context:
        return pair.prompt
    turns = [f"**{turn.role}**\n\n{turn.content}" for turn in pair.context]
    return "\n\n---\n\n".join([*turns, f"**user**\n\n{pair.prompt}"])


def answer_heading(number: str, side: str, session: LabelSession, *, focused: bool) -> Content:
    """The key of a side; a mark when it is being stored, or was chosen before an undo."""
    key = (f" {number} ", "$text-accent bold reverse" if focused else "$text bold on $panel")
    words = "  scrolls alone (tab, esc)" if focused else ""
    pending = session.pending
    shown = session.current
    if shown is not None and isinstance(pending, Preference) and shown.place(pending.choice) in (side, "tie"):
        words = "  ✓ being stored"
    elif shown is not None and isinstance(shown.former, Preference):
        place = shown.place(shown.former.choice)
        if place == side:
            words = "  ✓ chosen before" + words
        elif place == "tie":
            words = "  = tie before" + words
    return Content.assemble(key, words)


def status_text(session: LabelSession, trouble: str, width: int) -> Content:
    """Trouble, or what was taken back, or where one stands; confidence and note when they are set.

    Of the counts as many as fit into ``width`` cells, so that none is cut in the middle.
    """
    own: list[str] = []
    if session.confidence is not None:
        own.append(f"confidence {session.confidence}")
    if session.note:
        own.append(f"note: {cut(plain(session.note), NOTE_CELLS)}")
    mine = (" · ".join(own) + "   ", "$text-accent bold") if own else ""
    if trouble:
        return Content.assemble(mine, (plain(trouble), "$text-warning bold"))
    if session.current is not None and (former := former_line(session.current)):
        start = Content.assemble(mine, (former, "bold"), "   ")
        return start + _as_fits(progress_line(session.progress), width - start.cell_length)
    if session.current is None and session.phase == "loading":
        return Content("looking for the next pair…")
    start = Content.assemble(mine)
    return start + _as_fits(progress_line(session.progress), width - start.cell_length)


def _as_fits(line: str, width: int) -> str:
    """The first parts of a line, as many as fit wholly."""
    while cell_len(line) > width and " · " in line:
        line = line.rpartition(" · ")[0]
    return line if cell_len(line) <= width else ""


def end_text(session: LabelSession) -> Content:
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
        count = _counted(progress.labelled, "verdict") + " stored" if progress is not None else "All stored"
        lines = [
            ("Every pair is labelled.", "bold"),
            f"\n\n{count}. Next:\n\n    ",
            ("g3", "$text-accent bold"),
            " then ",
            ("b", "$text-accent bold"),
            "   freeze them into a data set\n    ",
            ("u", "$text-accent bold"),
            "            take the last one back\n\nNew pairs appear here by themselves.",
        ]
    return Content.assemble(*lines)


def _counted(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"
