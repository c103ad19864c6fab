"""Whether an active order pays: the same model on as many of its verdicts as of random ones."""

from __future__ import annotations

import hashlib

import duckdb
from msgspec.structs import replace

from rlft_tui.labels import reliability_table
from rlft_tui.labels.reliability import ArmReport

LEAST = 20
"""Verdicts of an arm under which nothing is measured."""
MOST = 2000


def measured_arms(connection: duckdb.DuckDBPyConnection) -> tuple[ArmReport, ...]:
    """Counts of every arm; with enough verdicts also how well a model trained on each predicts.

    Half of the random verdicts (fixed by their pair) are only predicted: whatever an order
    prefers, they are a sample of all pairs. Every arm trains on the same number of verdicts.
    """
    found = reliability_table.arms(connection)
    verdicts = {
        one.arm: reliability_table.decided_in_arm(connection, one.arm, MOST)
        for one in found
        if one.arm in ("random", "active")
    }
    if "active" not in verdicts or "random" not in verdicts:
        return found
    heldout = [one for one in verdicts["random"] if _is_held_out(one[0])]
    verdicts["random"] = [one for one in verdicts["random"] if not _is_held_out(one[0])]
    count = min(len(rows) for rows in verdicts.values())
    if count < LEAST or len(heldout) < LEAST:
        return found
    from rlft_tui.labels.active_order import accuracy_after

    reports = []
    for one in found:
        if one.arm in verdicts:
            accuracy = accuracy_after(connection, verdicts[one.arm][:count], heldout)
            reports.append(replace(one, trained_on=count, accuracy=accuracy))
        else:
            reports.append(one)
    return tuple(reports)


def _is_held_out(example_id: str) -> bool:
    return bool(hashlib.blake2b(example_id.encode(), digest_size=1).digest()[0] & 1)
