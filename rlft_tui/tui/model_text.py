"""A model in words: how it fares, what it was made from, what it takes."""

from __future__ import annotations

from rlft_tui.counted import counted
from rlft_tui.datasets.dataset import Dataset
from rlft_tui.evaluations.round_standing import RoundStanding
from rlft_tui.evaluations.round_text import judged_text, rate_text, stage_text
from rlft_tui.models.model import Model, Rating
from rlft_tui.models.model_files import ModelUse
from rlft_tui.tui import run_text

FITS = {True: "yes", False: "no", None: "–"}
"""Whether there is memory for it now."""


def win_rate(rating: Rating | None) -> str:
    """``61 % (48–73)``, or a dash before the first verdict."""
    if rating is None or not rating.n:
        return "–"
    low, high = rating.ci95
    return f"{rating.win_rate:.0f} % ({low:.0f}–{high:.0f})"


def record(rating: Rating | None) -> str:
    if rating is None or not rating.n:
        return "no verdict yet that tells it from another model"
    parts = [f"{rating.wins:,} won · {rating.losses:,} lost · {rating.ties:,} tied of {rating.n:,}"]
    if rating.bt is not None and rating.bt_ci95 is not None:
        low, high = rating.bt_ci95
        parts.append(f"rating {rating.bt:+.0f} ({low:+.0f} to {high:+.0f})")
    if rating.lc_win_rate is not None:
        parts.append(f"{rating.lc_win_rate:.0f} % at equal length")
    return " · ".join(parts)


def judges_and_round(rating: Rating | None, one: RoundStanding | None) -> str:
    """Win rate by judges, and how its round stands; empty without either."""
    parts = [f"judges {win_rate(rating)} of {rating.n:,}"] if rating is not None and rating.n else []
    if one is not None:
        rate = f" {rate_text(one.people)}" if one.people.n else ""
        judged = f", {judged_text(one)} judged" if one.pairs else ""
        parts.append(f"round against {one.round.opponent}:{rate} {stage_text(one)}{judged}")
    return " · ".join(parts)


def remarks(model: Model, use: ModelUse | None) -> str:
    """Whose current version it is, tags, note, and what it takes."""
    parts = [f"● current version of {model.current_of}"] if model.current_of else []
    parts += [f"#{tag}" for tag in model.tags]
    if use is not None and use.bytes:
        own = f", {run_text.size(use.own_bytes)} its own" if use.own_bytes != use.bytes else ""
        parts.append(f"{run_text.size(use.bytes)} on disk{own}")
    if use is not None and use.memory_bytes:
        fits = {True: "", False: ": more than is free", None: ""}[use.fits]
        parts.append(f"about {run_text.size(use.memory_bytes)} in memory{fits}")
    return " · ".join([*parts, *([model.note] if model.note else [])])


def lineage(model: Model, dataset: Dataset | None, width: int) -> list[str]:
    """model ← base ← run ← data set ← rows, in as many lines as that takes."""
    parts = [model.name]
    if model.base:
        parts.append(model.base)
    if model.run_id:
        parts.append(f"run {model.run_id}")
    if model.dataset:
        name = f" {dataset.name}" if dataset and dataset.name else ""
        parts.append(f"data set{name} {model.dataset}")
    if dataset is not None:
        parts.append(counted(dataset.train_rows + dataset.heldout_rows, "row"))
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) + 3 <= width:
            lines[-1] += f" ← {part}"
        else:
            lines.append(f"  ← {part}")
    return lines
