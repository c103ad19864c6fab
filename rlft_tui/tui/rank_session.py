"""What the rank screen knows: which answers are up, in which order the reader has put them so far."""

from __future__ import annotations

import time
from collections.abc import Callable

from rlft_tui.counted import counted
from rlft_tui.ids import new_id
from rlft_tui.labels.ranking import Ranking, RankItem, RankProgress
from rlft_tui.tui.queue_session import QueueSession


class RankSession(QueueSession[RankItem, Ranking, RankProgress]):
    """One labeller's way through the sets.

    Answers are called by their number on screen, from 1.
    """

    AHEAD = 2

    def __init__(
        self,
        labeler: str,
        *,
        now: Callable[[], float] = time.time,
        make_id: Callable[[], str] = new_id,
    ) -> None:
        super().__init__(labeler, now=now, make_id=make_id)
        self.groups: list[list[int]] = []
        """Numbers placed so far, best first; equals in one group."""
        self.tie_next = False
        """Whether the next number joins the last group."""
        self.was_undone = False

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

    def _begin(self) -> None:
        self.groups, self.tie_next, self.was_undone = [], False, False

    def bring_back(self, item: RankItem, former: Ranking, progress: RankProgress) -> None:
        """The ranking was taken back: its answers are up again in the order they had been given."""
        self._put_back(item, progress)
        number = {former.responses[index]: place for place, index in enumerate(_indices(item, former), 1)}
        self.groups = [[number[former.responses[index]] for index in group] for group in former.order]
        self.tie_next, self.was_undone = False, True

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
            parts.append(f"{counted(self.progress.pairs, 'verdict')} from rankings")
        return " · ".join(parts)


def _indices(item: RankItem, former: Ranking) -> list[int]:
    """For each number on screen the index of its answer in the former ranking."""
    place = {text: index for index, text in enumerate(former.responses)}
    return [place[item.answers.responses[index]] for index in item.shown]
