"""Stores the labels that come with imported pairs."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rlft_tui.errors import RlftError
from rlft_tui.ids import derived_id
from rlft_tui.labels.label_book import LabelTransaction
from rlft_tui.labels.operation_codec import journalled_from
from rlft_tui.labels.operations import Operation
from rlft_tui.labels.preference import BetterAnswer, Mark, Preference, Revocation
from rlft_tui.labels.preferences_table import known_ids
from rlft_tui.labels.reliability import GoldAnswer
from rlft_tui.pairs.import_pairs import ImportedVerdict
from rlft_tui.pairs.pair_row import OperationRow
from rlft_tui.pairs.pairs_table import known_pair_ids
from rlft_tui.prompts.import_report import LineReport

_ON_A_PAIR = Preference | Mark | BetterAnswer | GoldAnswer


class ImportedLabels:
    """A sink for ``import_pairs`` that writes into a label transaction.

    A verdict whose row names no annotator is stored under ``labeler``; RlftError when
    there is such a verdict and ``labeler`` is empty.
    """

    def __init__(self, writing: LabelTransaction, *, labeler: str, name: str) -> None:
        self._writing = writing
        self._labeler = labeler
        self._name = name
        self._now = time.time()

    def add_verdicts(self, verdicts: Sequence[ImportedVerdict]) -> int:
        return self._writing.add_imported([self._preference(verdict) for verdict in verdicts])

    def _preference(self, verdict: ImportedVerdict) -> Preference:
        said = verdict.said
        labeler = said.labeler or self._labeler
        if not labeler:
            raise RlftError("verdicts need a labeler", where=self._name, remedy="Name one with --as")
        parts = [labeler, verdict.example_id, said.choice]
        if said.strength is not None or said.quality:
            parts += [str(said.strength or ""), said.quality]
        return Preference(
            id=derived_id("import", *parts),
            example_id=verdict.example_id,
            labeler_id=labeler,
            choice=said.choice,
            shown_first=said.shown_first,
            confidence=said.confidence,
            reasoning=said.reasoning,
            time_spent_ms=said.time_spent_ms,
            source="import",
            created_at=said.created_at or self._now,
            strength=said.strength,
            quality=said.quality,
        )

    def add_operations(self, operations: Sequence[OperationRow]) -> tuple[int, list[LineReport]]:
        good: list[tuple[int, Operation]] = []
        refused: list[LineReport] = []
        for row in operations:
            try:
                good.append((row.line, journalled_from(row.values)))
            except RlftError as error:
                refused.append(LineReport(row.line, error.what))
        connection = self._writing.connection
        pairs = known_pair_ids(connection, [one.example_id for _, one in good if isinstance(one, _ON_A_PAIR)])
        targets = known_ids(connection, [one.target_id for _, one in good if isinstance(one, Revocation)])
        targets |= {one.id for _, one in good}
        kept: list[Operation] = []
        for line, one in good:
            if isinstance(one, Revocation):
                if one.target_id not in targets:
                    refused.append(LineReport(line, "takes back what is neither here nor in the archive"))
                    continue
            elif isinstance(one, _ON_A_PAIR) and one.example_id not in pairs:
                refused.append(LineReport(line, "is about a pair that is neither here nor in the archive"))
                continue
            kept.append(one)
        return self._writing.add_imported(kept), refused
