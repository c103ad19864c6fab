"""What one labeller is shown next, kept in memory between verdicts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from rlft_tui.labels.labeling_rate import VERDICTS, verdicts_per_hour
from rlft_tui.labels.preference import Preference, Progress, Side
from rlft_tui.labels.queue_view import Arm, QueueView
from rlft_tui.record import Record

if TYPE_CHECKING:  # the client knows queue items and must not load the database
    from rlft_tui.labels.preferences_table import PairState

REPEAT = "repeat"
"""Source of a verdict on a pair that came back hidden; it measures the labeller and nothing else."""
REPEAT_GAP = 20
"""A pair comes back after at least this many other verdicts, and at most twice as many."""
_BETWEEN_REPEATS = 3
_SEED = "rlft-1"
_OTHER: dict[Side, Side] = {"a": "b", "b": "a"}


def queue_seed(labeler: str) -> str:
    """What fixes everything random in the labeller's queue."""
    return f"{_SEED}\x1f{labeler}\x1f"


def left_side(labeler: str, example_id: str) -> Side:
    """The stored side shown on the left: random over pairs, the same each time for one pair."""
    digest = hashlib.blake2b(f"{_SEED}\x1f{labeler}\x1f{example_id}".encode(), digest_size=1).digest()
    return "a" if digest[0] & 1 else "b"


def repeat_bound(share: float) -> str:
    """Pairs whose ``repeat_mark`` is below it come back; they are that share of all."""
    return "" if share <= 0 else "g" if share >= 1 else f"{int(share * 2**32):08x}"


def repeat_mark(labeler: str, example_id: str) -> str:
    """Eight hexadecimal digits that look random and are the same each time."""
    return hashlib.md5((queue_seed(labeler) + example_id).encode(), usedforsecurity=False).hexdigest()[16:24]


class Slot(Record, frozen=True):
    """One pair to be shown."""

    example_id: str
    left: Side
    arm: Arm = "random"
    source: str = "human"
    """``repeat`` for a hidden repeat; becomes the source of its verdict."""

    @property
    def key(self) -> str:
        """What tells it from another showing of the same pair."""
        return slot_key(self.example_id, self.source)


def slot_key(example_id: str, source: str) -> str:
    """By this a client says which items it holds already."""
    return f"{example_id}#{REPEAT}" if source == REPEAT else example_id


class Entry(Record, frozen=True):
    """Why an open pair is in the queue, and who else had judged it when it was read."""

    arm: Arm = "random"
    others: frozenset[str] = frozenset()


class Repeat(Record, frozen=True):
    """A judged pair that is to come back."""

    shown_first: Side
    """The side that was on the left; it will be on the right."""
    due: int
    """Number of the verdict after which it comes."""


@dataclass(slots=True)
class QueueContent:
    """What one reading of the database gives."""

    entries: dict[str, Entry] = field(default_factory=dict)
    """The next open pairs in order."""
    complete: bool = True
    """Whether ``entries`` are all of them."""
    counts: dict[PairState, int] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)
    """When the last verdicts were given, unix seconds, oldest first."""
    judged: int = 0
    """Verdicts by hand so far, of those read: the clock of the repeats."""
    to_repeat: int = 0
    """Open pairs that will come back."""
    repeats: dict[str, Repeat] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)
    repeats_done: int = 0


class LabelQueue:
    """The next pairs and the counts of one labeller in one view. Not thread-safe: its owner locks.

    The order is fixed by a hash of seed, labeller and pair id, so two windows and a
    restarted server show the same; pairs whose verdict was undone come first. While the
    database is read (see ``begin_reading``) changes go on and are applied to what was read.
    """

    def __init__(self, labeler: str, view: QueueView, *, repeat_share: float = 0.0) -> None:
        self.labeler = labeler
        self.view = view
        self.repeat_below = repeat_bound(repeat_share) if view.repeats else ""
        self.stale = True
        """Whether the database is to be read before the next pair is given."""
        self._content = QueueContent()
        self._last_repeat = -REPEAT_GAP
        self._changes: list[Callable[[], None]] | None = None
        self._ahead = False

    # reading
    @property
    def is_reading(self) -> bool:
        return self._changes is not None

    @property
    def is_ready(self) -> bool:
        """Whether what was read before still stands: not stale, and nobody waits for another reading."""
        return not self.stale and (self._changes is None or self._ahead)

    def begin_reading(self, *, ahead: bool = False) -> None:
        """From now on changes are kept for ``install``; call it with the snapshot taken.

        ``ahead``: only more pairs are wanted, and nobody has to wait for them.
        """
        self._changes = []
        self._ahead = ahead and not self.stale
        self.stale = False

    def install(self, content: QueueContent) -> None:
        """Take what was read, with everything that happened meanwhile applied to it."""
        changes, self._changes = self._changes or [], None
        self._content = content
        for change in changes:
            change()

    def give_up_reading(self) -> None:
        """The reading failed: the next call tries again."""
        self._changes = None
        self.stale = True

    # what comes next
    @property
    def is_complete(self) -> bool:
        return self._content.complete

    def count_ahead(self) -> int:
        return len(self._content.entries)

    def next(
        self,
        limit: int,
        exclude: Collection[str] = (),
        *,
        is_free: Callable[[str, frozenset[str]], bool] | None = None,
    ) -> list[Slot]:
        """The next ``limit`` pairs whose key is not in ``exclude``, a due repeat among them.

        ``is_free`` tells whether a pair may be given, by its id and who had judged it.
        """
        content = self._content
        entries = (
            (one, entry)
            for one, entry in content.entries.items()
            if one not in exclude and (is_free is None or is_free(one, entry.others))
        )
        found = [Slot(one, left_side(self.labeler, one), entry.arm) for one, entry in islice(entries, limit)]
        at_end = content.complete and len(found) < limit
        repeats = self._due(exclude, at_end=at_end)
        if at_end:
            return (found + repeats)[:limit]
        return found[: limit - len(repeats)] + repeats if limit else []

    def _due(self, exclude: Collection[str], *, at_end: bool) -> list[Slot]:
        """One repeat whose time has come; at the end all that are left."""
        content = self._content
        held = any(key.endswith(f"#{REPEAT}") for key in exclude)
        if not content.repeats or (not at_end and held):
            return []
        if not at_end and content.judged - self._last_repeat < _BETWEEN_REPEATS:
            return []
        slots = [
            Slot(one, _OTHER[repeat.shown_first], source=REPEAT)
            for one, repeat in content.repeats.items()
            if at_end or repeat.due <= content.judged
        ]
        free = [slot for slot in slots if slot.key not in exclude]
        return free if at_end else free[:1]

    def knows(self, example_id: str) -> bool:
        """True when the pair is known to be neither judged nor set aside; False when not known."""
        return example_id in self._content.entries

    # changes
    def _apply(self, change: Callable[..., None], *values: Any) -> None:
        if self._changes is not None:
            self._changes.append(lambda: change(*values))
        change(*values)

    def moved(self, example_id: str, before: PairState, after: PairState) -> None:
        """Count the pair's change of state; one that is open again comes first."""
        self._apply(self._move, example_id, before, after)

    def judged(self, verdict: Preference) -> None:
        """A verdict by hand or by rule: it counts for the rate, and may come back."""
        self._apply(self._judge, verdict)

    def unjudged(self, verdict: Preference) -> None:
        """The verdict was taken back."""
        self._apply(self._unjudge, verdict)

    def set_aside(self, example_id: str) -> None:
        """The pair was skipped or flagged, maybe when it came back."""
        self._apply(self._forget_repeat, example_id)

    def judged_by_another(self, example_id: str, labeler: str, *, judged: bool) -> None:
        """Another labeller judged the pair, or took that back: it leaves when enough have."""
        self._apply(self._share, example_id, labeler, judged)

    def _share(self, example_id: str, labeler: str, judged: bool) -> None:
        entry = self._content.entries.get(example_id)
        if entry is None:
            return
        others = entry.others | {labeler} if judged else entry.others - {labeler}
        if len(others) >= self.view.overlap:
            del self._content.entries[example_id]
            self._count("open", -1)
        else:
            self._content.entries[example_id] = replace(entry, others=others)

    def _move(self, example_id: str, before: PairState, after: PairState) -> None:
        content = self._content
        self._count(before, -1)
        self._count(after, 1)
        if before != after and "open" in (before, after) and self._comes_back(example_id):
            content.to_repeat += 1 if after == "open" else -1
        content.entries.pop(example_id, None)
        if after == "open":
            content.entries = {example_id: Entry("again"), **content.entries}

    def _judge(self, verdict: Preference) -> None:
        content, one = self._content, verdict.example_id
        content.times = [*content.times, verdict.created_at][-VERDICTS:]
        if verdict.source == REPEAT:
            content.repeats.pop(one, None)
            content.repeats_done += one not in content.repeated
            content.repeated.add(one)
            self._last_repeat = content.judged
            return
        content.judged += 1
        is_new = one not in content.repeated
        if verdict.source == "human" and is_new and self._comes_back(one) and self._open() >= REPEAT_GAP:
            due = content.judged + repeat_wait(self.labeler, one)
            content.repeats[one] = Repeat(verdict.shown_first, due)

    def _unjudge(self, verdict: Preference) -> None:
        content, one = self._content, verdict.example_id
        if verdict.created_at in content.times:
            content.times.remove(verdict.created_at)
        if verdict.source == REPEAT:
            content.repeated.discard(one)
            content.repeats_done -= 1
            content.repeats = {one: Repeat(_OTHER[verdict.shown_first], 0), **content.repeats}
            self._last_repeat = -REPEAT_GAP
        else:
            content.judged -= 1
            content.repeats.pop(one, None)

    def _forget_repeat(self, example_id: str) -> None:
        if self._content.repeats.pop(example_id, None) is not None:
            self._content.repeated.add(example_id)

    def _comes_back(self, example_id: str) -> bool:
        return bool(self.repeat_below) and repeat_mark(self.labeler, example_id) < self.repeat_below

    def _count(self, state: PairState, change: int) -> None:
        self._content.counts[state] = self._content.counts.get(state, 0) + change

    def _open(self) -> int:
        return self._content.counts.get("open", 0)

    def progress(self) -> Progress:
        """Where the labeller stands in this view. Repeats count like any other pair, so that
        the numbers do not give them away."""
        content = self._content
        rate = verdicts_per_hour(content.times)
        remaining = self._open() + len(content.repeats)
        if self._open() > REPEAT_GAP:
            remaining += content.to_repeat
        return Progress(
            labelled=content.counts.get("judged", 0) + content.repeats_done,
            skipped=content.counts.get("skip", 0),
            flagged=content.counts.get("flag", 0),
            remaining=remaining,
            per_hour=rate,
            seconds_left=remaining * 3600.0 / rate if rate else None,
        )


def repeat_wait(labeler: str, example_id: str) -> int:
    """How many verdicts later a pair comes back: REPEAT_GAP to twice that."""
    return REPEAT_GAP + int(repeat_mark(labeler, example_id)[-2:], 16) % (REPEAT_GAP + 1)
