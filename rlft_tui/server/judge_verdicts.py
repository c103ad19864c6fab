"""Takes what a judge's run has written into the database: its calls, and the labels that follow from them."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from rlft_tui.database.connection import Database
from rlft_tui.evaluations.judge.judgement import JudgeItem, Judgement, read_judgements
from rlft_tui.evaluations.judge.judgements_table import insert_judgements
from rlft_tui.evaluations.judge.outcomes import label_of, outcomes
from rlft_tui.labels.feedback import Feedback
from rlft_tui.labels.label_book import LabelBook
from rlft_tui.labels.preference import Preference
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.specs.judge import JudgeSpec

log = logging.getLogger("rlft.server.runs")


@dataclass(slots=True)
class _Followed:
    """One run as far as it was read."""

    items: dict[str, JudgeItem]
    offset: int = 0
    waiting: dict[str, list[Judgement]] = field(default_factory=dict)
    """Calls about items that are not answered in all orders yet."""


class JudgeVerdicts:
    """Used by the thread that follows the runs, and by requests, under the lock of each run."""

    def __init__(self, database: Database, labels: LabelBook) -> None:
        self._database = database
        self._labels = labels
        self._runs: dict[str, _Followed] = {}

    def take(self, folder: RunFolder, spec: JudgeSpec, *, ended: bool) -> None:
        """Store what was written since the last time. Safe to repeat: calls and labels are known by id."""
        run = self._runs.get(folder.id)
        if run is None:
            run = self._runs[folder.id] = _Followed(items_of(folder.root / spec.items))
        new, offset = [], run.offset
        for one, after in read_judgements(folder.judgements, run.offset):
            new.append(one)
            offset = after
        if new:
            with self._database.write(checkpoint=True) as connection:
                insert_judgements(connection, new)
            waiting = {item: list(calls) for item, calls in run.waiting.items()}
            for one in new:
                waiting.setdefault(one.item_id, []).append(one)
            self._label(spec, run, waiting)
            run.offset = offset
        if ended:
            self._runs.pop(folder.id, None)

    def _label(self, spec: JudgeSpec, run: _Followed, waiting: dict[str, list[Judgement]]) -> None:
        """Make labels of the items that are complete now."""
        touched = [run.items[item] for item in waiting if item in run.items]
        complete = list(outcomes(spec, touched, (one for calls in waiting.values() for one in calls)))
        if spec.keep:
            labels = [label for one in complete if (label := label_of(spec, one)) is not None]
            self._store(labels)
        done = {one.item.id for one in complete}
        run.waiting = {item: calls for item, calls in waiting.items() if item not in done}

    def _store(self, labels: list[Preference | Feedback]) -> None:
        if labels:
            # A judge's verdict changes nobody's queue.
            with self._labels.transaction(queues=False) as writing:
                writing.add_imported(labels)


def items_of(path: Path) -> dict[str, JudgeItem]:
    """What the run judges, by id; lines that are no items are passed over."""
    found: dict[str, JudgeItem] = {}
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return found
    for line in lines:
        try:
            item = msgspec.convert(json.loads(line), JudgeItem)
        except (ValueError, msgspec.ValidationError):
            continue
        found[item.id] = item
    return found
