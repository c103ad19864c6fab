"""What the rank screen knows: which answers are up, in which order the reader has put them so far."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from rlft_tui.ids import new_id
from rlft_tui.labels.ranking import Ranking, RankItem, RankPage, RankProgress

Phase = Literal["loading", "painting", "judging", "storing", "undoing", "finished"]
AHEAD = 2


class RankSession:
    """One labeller's way through the sets. No Textual, so that each rule is tested by itself.

    Answers are called by their number on screen, from 1.
    """

    def __init__(
        self,
        labeler: str,
        *,
        now: Callable[[], float] = time.time,
        make_id: Callable[[], str] = new_id,
    ) -> None:
        self.labeler = labeler
        self.phase: Phase = "loading"
        self.current: RankItem | None = None
        self.upcoming: list[RankItem] = []
        self.progress: RankProgress | None = None
        self.groups: list[list[int]] = []
        """Numbers placed so far, best first; equals in one group."""
        self.tie_next = False
        """Whether the next number joins the last group."""
        self.was_undone = False
        self.pending: Ranking | None = None
        self._now, self._make_id = now, make_id
        self._painted_at = 0.0
        self._done: set[str] = set()
        self._exhausted = False

    # the queue
    def held(self) -> tuple[str, ...]:
        """Ids of what need not be sent again."""
        current = (self.current.answers.id,) if self.current is not None else ()
        return (*current, *(item.answers.id for item in self.upcoming), *sorted(self._done)[:180])

    def missing(self) -> int:
        return 0 if self._exhausted else max(0, AHEAD + (self.current is None) - len(self.upcoming))

    def receive(self, page: RankPage) -> bool:
        """Take the next sets in. True when one of them is now to be shown."""
        held = set(self.held()) | self._done
        fresh = [item for item in page.items if item.answers.id not in held]
        self.upcoming += fresh
        self._exhausted = not fresh
        if self.pending is None:
            self.progress = page.progress
        if self.current is None and self.phase in ("loading", "finished"):
            self._advance()
            return self.current is not None
        return False

    def look_again(self) -> None:
        self._exhausted = False

    def painted(self, at: float) -> None:
        if self.phase == "painting":
            self.phase, self._painted_at = "judging", at

    # the answers, by their number on screen
    @property
    def count(self) -> int:
        return len(self.current.shown) if self.current is not None else 0

    def text(self, number: int) -> str:
        """The answer with this number on screen."""
        assert self.current is not None
        return self.current.answers.responses[self.current.shown[number - 1]]

    def unplaced(self) -> list[int]:
        placed = {number for group in self.groups for number in group}
        return [number for number in range(1, self.count + 1) if number not in placed]

    # the order
    def may_decide(self, at: float) -> bool:
        return self.current is not None and self.phase == "judging" and at >= self._painted_at

    def place(self, number: int, at: float) -> bool:
        """Put an answer next, as good as the last one after ``tie``; the last one left follows by itself."""
        if not self.may_decide(at) or number not in self.unplaced():
            return False
        self._put(number)
        return True

    def _put(self, number: int) -> None:
        if self.tie_next and self.groups:
            self.groups[-1].append(number)
        else:
            self.groups.append([number])
        self.tie_next = False

    def tie(self) -> None:
        """The next answer is as good as the last one placed; again: it is not."""
        self.tie_next = bool(self.groups) and not self.tie_next

    def take_back_one(self) -> bool:
        """Take the last answer out of the order; False when there is none in it."""
        self.tie_next = False
        if not self.groups:
            return False
        self.groups[-1].pop()
        if not self.groups[-1]:
            self.groups.pop()
        return True

    def rank(self, at: float) -> Ranking | None:
        """The ranking to store once every answer but at most one is placed; None before that."""
        left = self.unplaced()
        if not self.may_decide(at) or len(left) > 1 or not self.groups:
            return None
        if left:
            self._put(left[0])
        assert self.current is not None
        answers, shown = self.current.answers, self.current.shown
        self.pending = Ranking(
            id=self._make_id(),
            prompt=answers.prompt,
            responses=answers.responses,
            order=tuple(tuple(shown[number - 1] for number in group) for group in self.groups),
            labeler_id=self.labeler,
            models=answers.models,
            set_id=answers.id,
            context=answers.context,
            category=answers.category,
            created_at=self._now(),
        )
        self.phase = "storing"
        return self.pending

    def stored(self, progress: RankProgress) -> None:
        self.pending, self.progress = None, progress
        self._advance()

    def refused(self) -> None:
        self.pending = None
        self.phase = "judging" if self.current is not None else "finished"

    def skip(self, at: float) -> bool:
        if not self.may_decide(at):
            return False
        self._advance()
        return True

    def _advance(self) -> None:
        if self.current is not None:
            self._done.add(self.current.answers.id)
        self.groups, self.tie_next, self.was_undone = [], False, False
        self.current = self.upcoming.pop(0) if self.upcoming else None
        if self.current is not None:
            self.phase = "painting"
        else:
            self.phase = "finished" if self._exhausted else "loading"

    # undo
    def begin_undo(self) -> bool:
        if self.phase not in ("judging", "finished"):
            return False
        self.phase = "undoing"
        return True

    def cancel_undo(self) -> None:
        if self.phase == "undoing":
            self.phase = "judging" if self.current is not None else "finished"

    def bring_back(self, item: RankItem, former: Ranking, progress: RankProgress) -> None:
        """The ranking was taken back: its answers are up again in the order they had been given."""
        self.progress = progress
        self._done.discard(item.answers.id)
        if self.current is not None and self.current.answers.id != item.answers.id:
            self.upcoming.insert(0, self.current)
        self.upcoming = [ahead for ahead in self.upcoming if ahead.answers.id != item.answers.id]
        self.current = item
        number = {former.responses[index]: place for place, index in enumerate(_indices(item, former), 1)}
        self.groups = [[number[former.responses[index]] for index in group] for group in former.order]
        self.tie_next, self.was_undone = False, True
        self.phase = "painting"

    # words
    def order_line(self) -> str:
        """What is placed so far: ``2 > 1 = 3 > …``."""
        line = " > ".join(" = ".join(map(str, group)) for group in self.groups)
        if not self.unplaced():
            return line
        return f"{line} {'=' if self.tie_next else '>'} …" if line else "best first: …"

    def status(self) -> str:
        parts = ["taken back"] if self.was_undone else []
        if self.progress is not None:
            parts.append(f"{self.progress.ranked:,} ranked")
            parts.append(f"{self.progress.remaining:,} left")
            parts.append(f"{self.progress.pairs:,} verdicts from rankings")
        return " · ".join(parts)


def _indices(item: RankItem, former: Ranking) -> list[int]:
    """For each number on screen the index of its answer in the former ranking."""
    place = {text: index for index, text in enumerate(former.responses)}
    return [place[item.answers.responses[index]] for index in item.shown]
