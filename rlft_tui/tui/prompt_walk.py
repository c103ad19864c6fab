"""Several prompts compared one after the other: where one is, and how the models stand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.labels.intervals import wilson
from rlft_tui.prompts.prompt import Prompt
from rlft_tui.record import Record
from rlft_tui.tui.comparison import Comparison
from rlft_tui.tui.comparison_verdict import Decision, Verdict
from rlft_tui.tui.run_text import counted, plain

MOST_PROMPTS = 10_000
"""Of one file: nobody compares more in a row, and they are held in memory."""


def prompts_of_file(path: Path) -> tuple[tuple[Prompt, ...], int]:
    """The prompts of a file, and how many of its lines were refused. RlftError when none is left.

    JSON lines, CSV, Parquet or plain text with a prompt a line, as ``rlft prompts import`` takes them.
    """
    from rlft_tui.prompts.import_prompts import PromptRow, read_prompts

    if not path.is_file():
        raise NotFoundError("no such prompt file", where=str(path))
    prompts: list[Prompt] = []
    refused = 0
    for row in read_prompts(path.name, path, now=time.time()):
        if isinstance(row, PromptRow):
            prompts.append(row.prompt)
        else:
            refused += 1
        if len(prompts) == MOST_PROMPTS:
            break
    if not prompts:
        raise RlftError("no prompt in this file", where=str(path), remedy="A prompt a line, or JSON lines")
    return tuple(prompts), refused


class Judged(Record, frozen=True):
    """One round that is stored: everything needed to put it up again."""

    at: int
    """The prompt's place in the walk."""
    shown: Comparison
    decision: Decision
    verdict: Verdict


@dataclass(slots=True)
class PromptWalk:
    """The prompts of one file or search, in their order. ``at`` stands behind the last one at the end."""

    prompts: tuple[Prompt, ...]
    name: str
    at: int = 0

    @property
    def current(self) -> Prompt | None:
        return self.prompts[self.at] if self.at < len(self.prompts) else None

    @property
    def upcoming(self) -> Prompt | None:
        """The prompt after the current one."""
        return self.prompts[self.at + 1] if self.at + 1 < len(self.prompts) else None

    def step(self, by: int = 1) -> bool:
        """On to the next prompt, or back; False where there is none that way."""
        goal = self.at + by
        if not 0 <= goal <= len(self.prompts):
            return False
        self.at = goal
        return True

    def line(self) -> str:
        """``3 of 50 · prompts.jsonl``."""
        return f"{min(self.at + 1, len(self.prompts))} of {len(self.prompts):,} · {plain(self.name)}"


@dataclass(slots=True)
class Standing:
    """One side's results against the others."""

    wins: int = 0
    losses: int = 0
    ties: int = 0

    @property
    def n(self) -> int:
        return self.wins + self.losses + self.ties

    def rate(self) -> str:
        """``61 % (45–75)`` with Wilson's 95 % interval; a tie counts half."""
        if not self.n:
            return "–"
        mean = (self.wins + self.ties / 2) / self.n
        low, high = wilson(mean, self.n)
        return f"{mean:.0%} ({low:.0%}–{high:.0%})"


@dataclass(slots=True)
class Tally:
    """What was judged since the screen was opened, or a command started."""

    rounds: list[Judged] = field(default_factory=list)

    def standings(self) -> dict[str, Standing]:
        """By model name with what tells its sides apart, over every two answers of each round.

        The best first.
        """
        found: dict[str, Standing] = {}
        for judged in self.rounds:
            for winner, loser, tie in _results(judged):
                for name in (winner, loser):
                    found.setdefault(name, Standing())
                if tie:
                    found[winner].ties += 1
                    found[loser].ties += 1
                else:
                    found[winner].wins += 1
                    found[loser].losses += 1
        return dict(sorted(found.items(), key=lambda each: -each[1].wins - each[1].ties / 2))

    def lines(self) -> list[str]:
        """How each side stands, one a line."""
        return [
            f"{name}: {standing.wins} won, {standing.losses} lost, {counted(standing.ties, 'tie')}: "
            f"{standing.rate()}"
            for name, standing in self.standings().items()
        ]


def _results(judged: Judged) -> Sequence[tuple[str, str, bool]]:
    """(better, worse, whether they are tied) of every two answers that something was said of."""
    groups = judged.decision.groups
    results = []
    rank = {place: n for n, group in enumerate(groups) for place in group}
    for one, other in combinations(rank, 2):
        if judged.decision.open_end and rank[one] == rank[other] == len(groups) - 1:
            continue
        if rank[one] > rank[other]:
            one, other = other, one
        names = judged.shown.name(one), judged.shown.name(other)
        if names[0] != names[1]:
            results.append((*names, rank[one] == rank[other]))
    return results
