"""A verdict by keys in a plain terminal: the keys of Label for two answers, numbers in order for more."""

from __future__ import annotations

import sys
from typing import TextIO

from rlft_tui.tui.comparison_verdict import Decision

TWO = "1 left · 2 right · 3 tie · + both good · - both bad"
GRADED = "1–4 left (1 significantly) · 5 tie · 6–9 right (9 significantly) · + both good · - both bad"
MANY = "numbers, best first · = before a tie · ⏎ stores · + all good · - all bad"
REST = "s skip · u undo · q leave"
SKIP, UNDO, LEAVE = "skip", "undo", "leave"
_WORDS = {"s": SKIP, "u": UNDO, "q": LEAVE, "\x03": LEAVE, "\x04": LEAVE, "": LEAVE}


def read_key(stream: TextIO = sys.stdin) -> str:
    """One key without enter; empty at the end of input. ctrl+c comes as a key."""
    import os
    import termios
    import tty

    place = stream.fileno()
    before = termios.tcgetattr(place)
    try:
        tty.setraw(place, termios.TCSADRAIN)
        read = os.read(place, 16)
    finally:
        termios.tcsetattr(place, termios.TCSADRAIN, before)
    return read.decode(errors="replace")[:1]


def forget_keys(stream: TextIO = sys.stdin) -> None:
    """Drop what was typed so far: no key is a verdict on answers that nobody has seen whole."""
    import termios

    termios.tcflush(stream.fileno(), termios.TCIFLUSH)


def question(count: int, graded: bool) -> str:
    """Which keys there are."""
    return f"{MANY if count > 2 else GRADED if graded else TWO} · {REST}"


class KeyVerdict:
    """Keys one after the other until they make a verdict."""

    def __init__(self, count: int, graded: bool) -> None:
        self._count = count
        self._graded = graded and count == 2
        self._groups: list[list[int]] = []
        self._tie = False

    def take(self, key: str) -> Decision | str | None:
        """A verdict, one of SKIP, UNDO and LEAVE, or None while more keys are needed."""
        if key in _WORDS:
            return _WORDS[key]
        every = tuple(range(self._count))
        if key in "+-":
            return Decision((every,), quality="both_good" if key == "+" else "both_bad")
        if self._count == 2:
            return self._of_two(key)
        if key == "=":
            self._tie = bool(self._groups)
        elif key == "\x7f":
            self._groups = self._groups[:-1]
        elif key in "\r\n":
            return self._order()
        elif key.isdecimal() and 0 < int(key) <= self._count:
            self._place(int(key) - 1)
        return None

    def line(self) -> str:
        """The order so far."""
        return " > ".join(" = ".join(str(place + 1) for place in group) for group in self._groups)

    def _of_two(self, key: str) -> Decision | None:
        left, right, tie = ((0,), (1,)), ((1,), (0,)), ((0, 1),)
        if not self._graded:
            groups = {"1": left, "2": right, "3": tie}.get(key)
            return Decision(groups) if groups is not None else None
        if not key.isdecimal() or key == "0":
            return None
        steps = int(key) - 5
        if steps == 0:
            return Decision(tie)
        return Decision(left if steps < 0 else right, strength=abs(steps))

    def _place(self, place: int) -> None:
        if any(place in group for group in self._groups):
            return
        if self._tie:
            self._groups[-1].append(place)
        else:
            self._groups.append([place])
        self._tie = False

    def _order(self) -> Decision | None:
        if not self._groups:
            return None
        placed = {place for group in self._groups for place in group}
        left = tuple(place for place in range(self._count) if place not in placed)
        groups = tuple(tuple(group) for group in self._groups)
        return Decision(groups + ((left,) if left else ()), open_end=len(left) > 1)
