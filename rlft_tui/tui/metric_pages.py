"""Which metrics a monitor shows, a page at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

PREFERRED: tuple[str, ...] = (
    "loss",
    "rewards/margins",
    "rewards/accuracies",
    "kl/sequence",
    "rewards/chosen",
    "rewards/rejected",
    "grad_norm",
    "learning_rate",
    "pairs",
    "tokens_per_second",
)
"""What a researcher looks at first; the rest follows by name."""

_BOOKKEEPING = ("runtime", "_per_second", "total_flos", "epoch")


def rank(keys: Iterable[str]) -> list[str]:
    """Keys in reading order: preferred ones, then held-out measures, then by name, bookkeeping last."""

    def place(key: str) -> tuple[int, int, str]:
        if key in PREFERRED:
            return (0, PREFERRED.index(key), key)
        if any(key.endswith(word) for word in _BOOKKEEPING) or key.startswith("train_"):
            return (3, 0, key)
        return (1 if key.startswith(("eval", "heldout", "kl")) else 2, 0, key)

    return sorted(set(keys), key=place)


@dataclass(slots=True)
class MetricPages:
    """The chosen keys, ``per_page`` at a time."""

    per_page: int = 4
    page: int = 0
    known: list[str] = field(default_factory=list)
    chosen: list[str] = field(default_factory=list)
    """Picked by the user, first; empty shows all in reading order."""

    def learn(self, metrics: Mapping[str, object]) -> bool:
        """Take the keys a run has; True when there are new ones."""
        ranked = rank([*self.known, *metrics])
        if ranked == self.known:
            return False
        self.known = ranked
        return True

    @property
    def order(self) -> list[str]:
        picked = [key for key in self.chosen if key in self.known]
        return picked or self.known

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
        elif key in self.known:
            self.chosen.append(key)
        self.page = 0

    def search(self, text: str) -> list[str]:
        """Keys that hold every word typed."""
        words = text.lower().split()
        return [key for key in self.known if all(word in key.lower() for word in words)]
