"""Reads one labeller's queue from the database: order, shares of chance, gold pairs and repeats."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import duckdb
from msgspec.structs import replace

from rlft_tui.labels import queue_table
from rlft_tui.labels.label_queue import (
    REPEAT_GAP,
    Entry,
    LabelQueue,
    QueueContent,
    Repeat,
    queue_seed,
    repeat_mark,
    repeat_wait,
)
from rlft_tui.labels.labeling_rate import VERDICTS
from rlft_tui.labels.queue_table import Judged, OpenPair, OpenPairs
from rlft_tui.labels.queue_view import Order
from rlft_tui.record import Record

REFILL = 2000
"""Pairs fetched by one scan."""
CANDIDATES = 1000
"""Random open pairs of which the active orders choose."""
BATCH = 100
"""Pairs chosen actively at a time; then the model is fitted again."""
GOLD_EVERY = 10
"""Gold pairs come about this often until all were shown."""
_LOOK_BACK = 10 * REPEAT_GAP
"""How many verdicts back a pair may lie that is still to come back."""
ACTIVE: tuple[Order, ...] = ("active", "ranking")


class Shares(Record, frozen=True):
    """How much of the queue measures instead of collecting."""

    repeat: float = 0.05
    """Pairs that come back hidden, of all."""
    control: float = 0.2
    """Pairs chosen at random within an active order."""


def read_queue(
    connection: duckdb.DuckDBPyConnection, queue: LabelQueue, shares: Shares, wanted: int = 0
) -> QueueContent:
    """The next pairs, at least ``wanted`` if there are as many, and all counts."""
    labeler, view = queue.labeler, queue.view
    seed = queue_seed(labeler)
    active = view.order in ACTIVE
    limit = max(CANDIDATES if active else REFILL, wanted)
    found = queue_table.open_pairs(
        connection, labeler, view, seed=seed, limit=limit, repeat_below=queue.repeat_below
    )
    chance = random.Random(f"{seed}{found.labelled}")
    if active:
        chosen = _active(connection, view.order, found.pairs, shares.control, max(BATCH, wanted), chance)
    else:
        chosen = [(pair, Entry(view.order, pair.others)) for pair in found.pairs]
    content = QueueContent(
        entries=_with_gold(chosen, found, chance),
        counts={
            "judged": found.labelled,
            "skip": found.skipped,
            "flag": found.flagged,
            "open": found.remaining,
        },
        times=queue_table.verdict_times(connection, labeler, VERDICTS),
        to_repeat=found.to_repeat,
    )
    content.complete = len(content.entries) >= found.remaining
    if queue.repeat_below:
        _read_repeats(connection, queue, content)
    return content


def _active(
    connection: duckdb.DuckDBPyConnection,
    order: Order,
    pairs: Sequence[OpenPair],
    control: float,
    count: int,
    chance: random.Random,
) -> list[tuple[OpenPair, Entry]]:
    """Pairs chosen by what their verdicts would teach, mixed with a share chosen at random.

    The random ones are the start of the random order, so they are a sample of what is open.
    """
    # numpy takes a tenth of a second to import: only who asks for these orders waits for it.
    from rlft_tui.labels.active_order import choose

    back = [(pair, Entry("again", pair.others)) for pair in pairs if pair.undone]
    fresh = [pair for pair in pairs if not pair.undone]
    places = [chance.random() < control for _ in range(min(count, len(fresh)))]
    by_chance, rest = fresh[: sum(places)], fresh[sum(places) :]
    by_gain = choose(connection, order, rest, len(places) - len(by_chance))
    streams = {True: iter(by_chance), False: iter(by_gain)}
    arms = {True: "random", False: order}
    mixed = []
    for is_control in places:
        pair = next(streams[is_control])
        mixed.append((pair, Entry(arms[is_control], pair.others)))
    return back + mixed


def _with_gold(
    chosen: Iterable[tuple[OpenPair, Entry]], found: OpenPairs, chance: random.Random
) -> dict[str, Entry]:
    """Entries in order, with the gold pairs spread over their beginning; those undone stay first."""
    gold = {pair.id for pair in found.gold}
    entries: dict[str, Entry] = {}
    rest: list[tuple[str, Entry]] = []
    for pair, entry in chosen:
        if pair.undone:
            entries[pair.id] = replace(entry, arm="again")
        elif pair.id not in gold:
            rest.append((pair.id, entry))
    places: dict[int, OpenPair] = {}
    for number, pair in enumerate(one for one in found.gold if one.id not in entries):
        places[number * GOLD_EVERY + chance.randrange(GOLD_EVERY)] = pair
    for place, (identity, entry) in enumerate(rest):
        if (pair_here := places.pop(place, None)) is not None:
            entries[pair_here.id] = Entry("gold", pair_here.others)
        entries[identity] = entry
    for pair in places.values():
        entries[pair.id] = Entry("gold", pair.others)
    return entries


def _read_repeats(connection: duckdb.DuckDBPyConnection, queue: LabelQueue, content: QueueContent) -> None:
    """Which of the latest verdicts are to be given once more, as if none of the server's memory was lost."""
    latest = queue_table.last_judged(connection, queue.labeler, _LOOK_BACK)
    content.repeats_done = queue_table.count_repeats(connection, queue.labeler)
    content.judged = len(latest)
    remaining = content.counts["open"]
    due: dict[str, Repeat] = {}
    for number, one in enumerate(latest, 1):
        content.repeated.update([one.example_id] if one.repeated else [])
        left_then = remaining + len(latest) - number
        if _comes_back(queue, one) and left_then >= REPEAT_GAP:
            due[one.example_id] = Repeat(one.shown_first, number + repeat_wait(queue.labeler, one.example_id))
    passing = queue_table.matching(connection, queue.view, list(due))
    content.repeats = {one: repeat for one, repeat in due.items() if one in passing}


def _comes_back(queue: LabelQueue, one: Judged) -> bool:
    return not one.repeated and repeat_mark(queue.labeler, one.example_id) < queue.repeat_below
