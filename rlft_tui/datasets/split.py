"""Which rows are trained on and which are kept out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

from rlft_tui.datasets.rows import Row, prompt_key

R = TypeVar("R", bound=Row)


def split_rows(rows: Sequence[R], *, heldout_fraction: float, seed: int = 0) -> tuple[list[R], list[R]]:
    """Train and held-out rows, each in a fixed shuffled order.

    Prompts are split, not rows, and a prompt stays on its side when labels are added:
    its side follows from its text and the seed. Prompts that differ only in letter case
    or white space are one prompt. At least one prompt is held out when a share is asked
    for and there are two, and at least one is trained on.
    """
    ordered = sorted(rows, key=lambda row: _place(seed, row.example_id))
    keys = [prompt_key(row) for row in ordered]
    places = {prompt: _place(seed, prompt) for prompt in set(keys)}
    heldout: set[str] = set()
    if heldout_fraction > 0 and len(places) > 1:
        ranked = sorted(places, key=places.__getitem__)
        heldout = {prompt for prompt in ranked if places[prompt] < heldout_fraction} or {ranked[0]}
        heldout.discard(ranked[-1])
    sides: tuple[list[R], list[R]] = ([], [])
    for row, key in zip(ordered, keys, strict=True):
        sides[key in heldout].append(row)
    return sides


def _place(seed: int, text: str) -> float:
    """A number in [0, 1) that looks random and is always the same."""
    digest = hashlib.sha256(f"{seed}\x1f{text}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
