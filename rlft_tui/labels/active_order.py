"""The active orders: which open pairs' verdicts would teach a reward model, or a ranking, most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import duckdb
import numpy as np
from numpy.typing import NDArray

from rlft_tui.labels import active_table
from rlft_tui.labels.active_table import Answers, Meeting
from rlft_tui.labels.information import Floats, Posterior, choose_batch, fit
from rlft_tui.labels.queue_table import OpenPair
from rlft_tui.labels.queue_view import Order
from rlft_tui.labels.text_features import SIZE, answer_features

JUDGED = 1000
"""The latest verdicts from which the preference model is fitted."""
FEATURE_PRECISION = 1.0
ABILITY_PRECISION = 1.0
"""Abilities are about one logit apart before anything is known."""


def choose(
    connection: duckdb.DuckDBPyConnection, order: Order, pairs: Sequence[OpenPair], count: int
) -> list[OpenPair]:
    """``count`` of the pairs, the most informative first, then whatever pads them in their order."""
    known = {pair.id: pair for pair in pairs}
    pick = for_ranking if order == "ranking" else for_reward_model
    chosen = [known[one] for one in pick(connection, list(known), count)]
    taken = {pair.id for pair in chosen}
    return (chosen + [pair for pair in pairs if pair.id not in taken])[:count]


def for_reward_model(connection: duckdb.DuckDBPyConnection, ids: Sequence[str], count: int) -> list[str]:
    """Ids by what their verdicts would tell a preference model on the answers' texts and scores."""
    candidates = active_table.answers(connection, ids)
    if not candidates:
        return []
    candidates.sort(key=lambda one: one.id)
    judged = active_table.judged_answers(connection, JUDGED)
    seen: dict[str, NDArray[np.float32]] = {}
    x = _differences(candidates, seen)
    past = _differences((one for one, _ in judged), seen)
    scale = _scale(np.concatenate([x, past]))
    won = np.array([choice == "a" for _, choice in judged], dtype=np.float64)
    if len(judged):
        posterior = fit(past / scale, won, precision=FEATURE_PRECISION * SIZE / 8)
    else:
        posterior = Posterior(np.zeros(x.shape[1]), np.eye(x.shape[1]) * 8 / (FEATURE_PRECISION * SIZE))
    return [candidates[row].id for row in choose_batch(posterior, x / scale, count)]


def for_ranking(connection: duckdb.DuckDBPyConnection, ids: Sequence[str], count: int) -> list[str]:
    """Ids by what their verdicts would tell about the order of the models (Bradley-Terry)."""
    waiting: dict[tuple[str, str], list[str]] = {}
    models = active_table.models_of(connection, ids)
    for one in ids:
        if one in models:
            waiting.setdefault(_sorted_pair(*models[one]), []).append(one)
    if not waiting:
        return []
    found = active_table.meetings(connection)
    names = sorted({name for pair in waiting for name in pair} | _names(found))
    posterior = abilities(names, found)
    pairs = sorted(waiting)
    x = _sides(names, pairs)
    room = np.array([len(waiting[pair]) for pair in pairs], dtype=np.int64)
    rows = choose_batch(posterior, x, count, room=room, open_only=True)
    queues = {pair: iter(waiting[pair]) for pair in pairs}
    return [next(queues[pairs[row]]) for row in rows]


def abilities(names: Sequence[str], found: Sequence[Meeting]) -> Posterior:
    """Bradley and Terry's abilities of the named models, in logits, after these meetings."""
    if not found:
        return Posterior(np.zeros(len(names)), np.eye(len(names)) / ABILITY_PRECISION)
    verdicts = np.array([one.verdicts for one in found], dtype=np.float64)
    won = np.array([one.wins_a for one in found]) / verdicts
    x = _sides(names, [(one.model_a, one.model_b) for one in found])
    return fit(x, won, precision=ABILITY_PRECISION, weight=verdicts)


def _sides(names: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Floats:
    """(pairs, names): 1 for the first model of a pair, -1 for the second."""
    place = {name: number for number, name in enumerate(names)}
    x = np.zeros((len(pairs), len(names)))
    for row, (one, two) in enumerate(pairs):
        x[row, place[one]], x[row, place[two]] = 1.0, -1.0
    return x


def _sorted_pair(one: str, two: str) -> tuple[str, str]:
    return (one, two) if one < two else (two, one)


def _names(found: Iterable[Meeting]) -> set[str]:
    return {name for one in found for name in (one.model_a, one.model_b)}


def _differences(pairs: Iterable[Answers], seen: dict[str, NDArray[np.float32]]) -> Floats:
    """(pairs, SIZE + 1): features of a minus those of b, and the difference of their scores."""
    rows = []
    for one in pairs:
        if one.id not in seen:
            a = answer_features(one.text_a, one.length_a)
            b = answer_features(one.text_b, one.length_b)
            known = one.score_a is not None and one.score_b is not None
            score = (one.score_a or 0.0) - (one.score_b or 0.0) if known else 0.0
            seen[one.id] = np.append(a - b, np.float32(score if np.isfinite(score) else 0.0))
        rows.append(seen[one.id])
    return np.array(rows, dtype=np.float64).reshape(len(rows), SIZE + 1)


def accuracy_after(
    connection: duckdb.DuckDBPyConnection,
    learned: Sequence[tuple[str, str]],
    heldout: Sequence[tuple[str, str]],
) -> float:
    """Share of ``heldout`` (pair, choice a or b) that the model predicts after ``learned``."""
    ids = list({one for one, _ in (*learned, *heldout)})
    texts = {one.id: one for one in active_table.answers(connection, ids)}
    seen: dict[str, NDArray[np.float32]] = {}
    x, y = (_differences((texts[one] for one, _ in part), seen) for part in (learned, heldout))
    scale = _scale(x)
    won = np.array([choice == "a" for _, choice in learned], dtype=np.float64)
    posterior = fit(x / scale, won, precision=FEATURE_PRECISION * SIZE / 8)
    expected = np.array([choice == "a" for _, choice in heldout])
    return float(np.mean(((y / scale) @ posterior.mean > 0) == expected))


def _scale(x: Floats) -> Floats:
    """(SIZE + 1,): brings every feature to the size of one; an absent one stays 0."""
    size = np.sqrt((x**2).mean(axis=0))
    return np.asarray(np.where(size > 0, size, 1.0), dtype=np.float64)
