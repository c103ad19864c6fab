"""A model the workspace knows: a base, an adapter trained on one, or a reward model."""

from __future__ import annotations

from typing import Literal

from rlft_tui.errors import RlftError
from rlft_tui.record import Record

LONGEST_NAME = 120
"""Characters: names become parts of file names, of which most disks take 255 bytes."""

ModelKind = Literal["base", "adapter", "reward"]
"""A reward model writes no text: it is an adapter with a score head on its base, or whole."""


class Model(Record, frozen=True):
    """One row of ``models``; ``path`` is a folder or a hub id."""

    name: str
    kind: ModelKind
    path: str
    """Weights: a safetensors folder or hub id (base), or a PEFT adapter folder (adapter, mostly reward)."""
    base: str = ""
    """For an adapter, the name of the base it sits on; empty for a whole model."""
    base_path: str = ""
    run_id: str = ""
    dataset: str = ""
    created_at: float = 0.0
    note: str = ""
    tags: tuple[str, ...] = ()
    current_of: str = ""
    """The policy whose current version it is; empty for none."""


def check_new_name(name: str) -> None:
    """RlftError for a name that could not be used everywhere."""
    if len(name) > LONGEST_NAME:
        raise RlftError(
            f"a name of {len(name)} characters; {LONGEST_NAME} at most",
            where=f"{name[:40]}…",
            remedy="Name it shorter: rlft models pull FOLDER --as NAME",
        )
    if "@" in name:
        raise RlftError(
            "a model's name has no @: settings stand behind it in rlft chat and rlft compare",
            where=name,
            remedy="Name it otherwise: rlft models pull FOLDER --as NAME",
        )


class Rating(Record, frozen=True):
    """Wins and losses of one model over the current verdicts; win_rate in percent."""

    model: str
    wins: int
    losses: int
    ties: int
    n: int
    win_rate: float
    """A tie counts half."""
    stderr: float
    ci95: tuple[float, float]
    bt: float | None = None
    """Bradley-Terry rating in points (100 are odds of 1.8), above the mean of all models or
    above the one that is compared against."""
    bt_ci95: tuple[float, float] | None = None
    lc_win_rate: float | None = None
    """What the win rate would be at equal length, as in AlpacaEval 2; None below twenty verdicts."""
    lc_ci95: tuple[float, float] | None = None
