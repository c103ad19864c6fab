"""Which metrics a monitor shows, a page at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

PREFERRED: tuple[str, ...] = (
    "reward",
    "heldout/reward",
    "loss",
    "rewards/margins",
    "rewards/accuracies",
    "kl/sequence",
    "kl",
    "completions/mean_length",
    "rewards/chosen",
    "rewards/rejected",
    "grad_norm",
    "learning_rate",
    "pairs",
    "tokens_per_second",
)
"""What a researcher looks at first; the rest follows by name."""

_NUMBER = re.compile(r"(\d{1,18})")
_BOOKKEEPING = ("runtime", "_per_second", "total_flos", "epoch")
_GROUPS: tuple[tuple[str, str], ...] = (
    ("KL", r"(^|[/_])(kl|approxkl|refkl)([/_]|$)|_kl\b|divergence"),
    ("lengths", r"length|num_tokens|(^|/)tokens($|/)|terminated|clipped_ratio"),
    ("system", r"runtime|per_second|flos|memory|gpu|cpu|disk|step_time|epoch|learning_rate|(^|/)lr$"),
    ("reward", r"reward|margin|accurac|score|win_rate|logps|logits"),
    ("loss", r"loss|grad_norm|entropy|perplexity|ratio|clip"),
)
GROUPS: tuple[str, ...] = ("reward", "KL", "loss", "lengths", "system", "other")
"""What metrics are about, in reading order."""


def group_of(key: str) -> str:
    """The group that a metric's name speaks of."""
    name = key.lower()
    return next((group for group, pattern in _GROUPS if re.search(pattern, name)), "other")


def rank(keys: Iterable[str]) -> list[str]:
    """Keys in reading order: preferred ones, held-out measures, by name and number, bookkeeping last."""

    def place(key: str) -> tuple[int, int, list[tuple[int, str]], str]:
        if key in PREFERRED:
            return (0, PREFERRED.index(key), [], key)
        # layer.2 before layer.10
        name = [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(_NUMBER, key)]
        if any(key.endswith(word) for word in _BOOKKEEPING) or key.startswith("train_"):
            return (3, 0, name, key)
        return (1 if key.startswith(("eval", "heldout", "kl")) else 2, 0, name, key)

    return sorted(set(keys), key=place)


@dataclass(slots=True)
class MetricPages:
    """The chosen keys, ``per_page`` at a time."""

    per_page: int = 4
    page: int = 0
    known: list[str] = field(default_factory=list)
    chosen: list[str] = field(default_factory=list)
    """Picked by the user: shown alone; empty shows all in reading order."""
    pinned: list[str] = field(default_factory=list)
    """Always first, whatever group is shown."""
    group: str = ""
    """Only this group besides the pinned ones; empty for all."""
    _group_of: dict[str, str] = field(default_factory=dict)
    """The group of each known key: a run may have ten thousand, and they are gone through with every look."""

    def learn(self, metrics: Mapping[str, object]) -> bool:
        """Take the keys a run has; True when there are new ones."""
        new = [key for key in metrics if key not in self._group_of]
        if not new:
            return False
        self._group_of.update((key, group_of(key)) for key in new)
        self.known = rank(self._group_of)
        return True

    @property
    def order(self) -> list[str]:
        pinned = [key for key in self.pinned if key in self._group_of]
        picked = [key for key in self.chosen if key in self._group_of]
        group = self.narrowed
        others = picked or [key for key in self.known if group in ("", self._group_of[key])]
        return [*pinned, *(key for key in others if key not in pinned)]

    @property
    def narrowed(self) -> str:
        """The group that is shown; a run that has no metric of the wanted one shows all."""
        return self.group if self.group in self.groups else ""

    @property
    def groups(self) -> list[str]:
        """The groups that the run has metrics of."""
        there = set(self._group_of.values())
        return [group for group in GROUPS if group in there]

    def turn_group(self) -> None:
        """The next group, then all again."""
        names = ["", *self.groups]
        at = names.index(self.group) if self.group in names else 0
        self.group, self.page = names[(at + 1) % len(names)], 0
        self.chosen.clear()

    def pin(self, key: str) -> None:
        """Put a key before all others, or back into its place."""
        if key in self.pinned:
            self.pinned.remove(key)
        elif key in self._group_of:
            self.pinned.append(key)
        self.page = 0

    @property
    def pages(self) -> int:
        return max(-(-len(self.order) // self.per_page), 1)

    @property
    def shown(self) -> list[str]:
        self.page = min(self.page, self.pages - 1)
        start = self.page * self.per_page
        return self.order[start : start + self.per_page]

    def turn(self, by: int) -> bool:
        """Another page, without wrapping; True when it changed."""
        page = min(max(self.page + by, 0), self.pages - 1)
        changed = page != self.page
        self.page = page
        return changed

    def resize(self, per_page: int) -> bool:
        """Keep the first metric in view when the number of charts changes."""
        if per_page == self.per_page:
            return False
        first = self.page * self.per_page
        self.per_page = per_page
        self.page = first // per_page
        return True

    def toggle(self, key: str) -> None:
        """Pick a key, or put it back; the picked ones are shown alone, in the order picked."""
        if key in self.chosen:
            self.chosen.remove(key)
        elif key in self._group_of:
            self.chosen.append(key)
        self.page = 0

    def search(self, text: str) -> list[str]:
        """Keys that hold every word typed, or match a regular expression between slashes."""
        if text.startswith("/"):
            try:
                expression = re.compile(text.strip("/"), re.IGNORECASE)
            except re.error:
                return []  # not finished yet
            return [key for key in self.known if expression.search(key)]
        words = text.lower().split()
        return [key for key in self.known if all(word in key.lower() for word in words)]
