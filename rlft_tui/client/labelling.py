"""The calls by which people judge answers, and what comes of their judgements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from rlft_tui.client.transport import LONG, Transport
from rlft_tui.evaluations.stopping_rule import Separation
from rlft_tui.labels.agreement import Agreement
from rlft_tui.labels.bias import Bias
from rlft_tui.labels.feedback import Feedback, FeedbackEntry, FeedbackProgress, ScorePage
from rlft_tui.labels.label_stats import LabelStats
from rlft_tui.labels.labeler import Labeler
from rlft_tui.labels.labelled_pair import ExportHead, LabelledPair
from rlft_tui.labels.operation_codec import history_entry_from, plain_values
from rlft_tui.labels.pace import Pace
from rlft_tui.labels.preference import (
    BetterAnswer,
    HistoryEntry,
    LabelOperation,
    ListedLabel,
    Preference,
    Progress,
    Revocation,
)
from rlft_tui.labels.queue_item import QueuePage
from rlft_tui.labels.queue_view import QueueChoices, QueueView
from rlft_tui.labels.ranking import Ranking, RankingEntry, RankPage, RankProgress
from rlft_tui.labels.reliability import ArmReport, GoldPair, Reliability
from rlft_tui.prompts.import_report import ImportReport


class Labelling(Transport):
    """Verdicts, scores and rankings: queues, writes, history, lists, exports, statistics."""

    # verdicts
    def queue(
        self,
        labeler: str,
        *,
        limit: int = 5,
        exclude: tuple[str, ...] = (),
        view: QueueView = QueueView(),  # noqa: B008 - frozen
        peek: bool = False,
        window: str = "",
    ) -> QueuePage:
        """The labeller's next pairs in a view, without those whose key is in ``exclude``.

        With ``peek`` nothing changes by asking; else this is the labeller's view from now on. What
        another ``window`` of theirs holds comes last.

        A verdict on an item takes over the item's ``source`` and ``arm``.
        """
        asked = {"labeler": labeler, "limit": limit, "exclude": exclude, "peek": peek, "window": window}
        return self._post("/queue", QueuePage, {**asked, **msgspec.to_builtins(view)})

    def queue_choices(self) -> QueueChoices:
        """What a queue can be filtered by."""
        return self._get("/queue/choices", QueueChoices)

    def set_gold(self, pair_id: str, choice: str, labeler: str = "") -> None:
        """Say what the right answer of a pair is (a, b or tie), or forget it (empty)."""
        said = {"pair_id": pair_id, "choice": choice, "labeler": labeler}
        self._post("/labels/gold", dict[str, Any], said)

    def gold(self) -> tuple[GoldPair, ...]:
        """Pairs whose right answer is known, in the order they were given."""
        return self._get("/labels/gold", tuple[GoldPair, ...])

    def labelers(self) -> tuple[Labeler, ...]:
        """Everyone who labelled here, by name."""
        return self._get("/labels/labelers", tuple[Labeler, ...])

    def reliability(self, *, labeler: str = "") -> tuple[Reliability, ...]:
        """What gold pairs and hidden repeats say of each labeller."""
        return self._get("/labels/reliability", tuple[Reliability, ...], labeler=labeler)

    def arms(self) -> tuple[ArmReport, ...]:
        """What each order's verdicts were, and how much a model learns from them."""
        return self._get("/labels/arms", tuple[ArmReport, ...])

    def add_label(self, operation: LabelOperation) -> Progress:
        """Store one operation; when this returns it survives any crash. Safe to repeat."""
        return self._post("/labels", Progress, plain_values(operation))

    def history(
        self, labeler: str, *, limit: int = 100, offset: int = 0, search: str = "", only: str = ""
    ) -> tuple[HistoryEntry, ...]:
        """The labeller's verdicts, marks and written answers, newest first, undone ones included.

        ``only`` is verdict, skip, flag, written or empty for all; ``search`` looks at the prompt
        and at the labeller's own words.
        """
        rows = self._get(
            "/labels/history",
            list[dict[str, Any]],
            labeler=labeler,
            limit=limit,
            offset=offset,
            search=search,
            only=only,
        )
        return tuple(history_entry_from(row) for row in rows)

    def better_answers(
        self, *, labeler: str = "", offset: int = 0, limit: int = 1000
    ) -> tuple[BetterAnswer, ...]:
        """The answers labellers wrote, each one's latest on a pair, oldest first."""
        return self._get(
            "/labels/written", tuple[BetterAnswer, ...], labeler=labeler, offset=offset, limit=limit
        )

    def labels(self, *, labeler: str = "", offset: int = 0, limit: int = 1000) -> tuple[Preference, ...]:
        """Current verdicts, oldest first."""
        return self._get("/labels", tuple[Preference, ...], labeler=labeler, offset=offset, limit=limit)

    def listed_labels(self, *, offset: int = 0, limit: int = 100) -> tuple[ListedLabel, ...]:
        """Everybody's current verdicts with their prompts, oldest first."""
        return self._get("/labels/listed", tuple[ListedLabel, ...], offset=offset, limit=limit)

    def label_stats(self, *, labeler: str = "") -> LabelStats:
        return self._get("/labels/stats", LabelStats, labeler=labeler)

    # exports
    def labelled_pairs(self, labeler: str = "") -> tuple[ExportHead, Iterator[LabelledPair]]:
        """Every pair with a current verdict or a written answer, as it stood at one moment.

        Read as it comes: a million pairs are never held. RlftError while reading when the
        server ends before the last pair.
        """
        lines = self._lines("/export/labelled", labeler=labeler)
        head = msgspec.json.decode(next(lines), type=ExportHead)
        decode = msgspec.json.Decoder(LabelledPair).decode
        return head, (decode(line) for line in lines)

    def archive(self, labeler: str = "") -> Iterator[bytes]:
        """The lossless archive of all pairs, and of one labeller's or all label operations, line by line."""
        return (line + b"\n" for line in self._lines("/export/archive", labeler=labeler))

    def pace(self, *, labeler: str = "") -> Pace:
        return self._get("/statistics/pace", Pace, labeler=labeler)

    def bias(self, *, labeler: str = "") -> Bias:
        return self._get("/statistics/bias", Bias, labeler=labeler)

    def agreement(self, *, labeler: str = "") -> Agreement:
        return self._get("/statistics/agreement", Agreement, labeler=labeler)

    def separations(self) -> tuple[Separation, ...]:
        """How far each two models are told apart, those with the most verdicts first."""
        return self._get("/statistics/separations", tuple[Separation, ...])

    # scores
    def next_answers(self, labeler: str, *, limit: int = 5, exclude: tuple[str, ...] = ()) -> ScorePage:
        """The labeller's next answers to be scored, without those whose key is in ``exclude``."""
        body = {"labeler": labeler, "limit": limit, "exclude": exclude}
        return self._post("/feedback/queue", ScorePage, body)

    def add_feedback(self, one: Feedback) -> FeedbackProgress:
        """Store a score; when this returns it survives any crash. Safe to repeat."""
        return self._post("/feedback", FeedbackProgress, one)

    def undo_feedback(self, revocation: Revocation) -> FeedbackProgress:
        return self._post("/feedback/undo", FeedbackProgress, revocation)

    def feedback_history(self, labeler: str, *, limit: int = 100) -> tuple[FeedbackEntry, ...]:
        """The labeller's scores, newest first, undone ones included."""
        return self._get("/feedback/history", tuple[FeedbackEntry, ...], labeler=labeler, limit=limit)

    def feedback(self, *, labeler: str = "", offset: int = 0, limit: int = 1000) -> tuple[Feedback, ...]:
        """Standing scores, oldest first."""
        return self._get("/feedback", tuple[Feedback, ...], labeler=labeler, offset=offset, limit=limit)

    # rankings
    def next_sets(self, labeler: str, *, limit: int = 3, exclude: tuple[str, ...] = ()) -> RankPage:
        """The labeller's next sets of answers to be ranked, without those in ``exclude``."""
        body = {"labeler": labeler, "limit": limit, "exclude": exclude}
        return self._post("/rankings/queue", RankPage, body)

    def add_ranking(self, ranking: Ranking) -> RankProgress:
        """Store a ranking with its pairs and their verdicts, durably. Safe to repeat."""
        return self._post("/rankings", RankProgress, ranking)

    def undo_ranking(self, revocation: Revocation) -> RankProgress:
        """Take a ranking back, and the verdicts that came from it."""
        return self._post("/rankings/undo", RankProgress, revocation)

    def import_answers(self, name: str, content: bytes) -> ImportReport:
        """Sets of answers to be ranked, from a file's bytes."""
        return self._post("/rankings/import", ImportReport, content=content, timeout=LONG, name=name)

    def ranking_history(self, labeler: str, *, limit: int = 100) -> tuple[RankingEntry, ...]:
        """The labeller's rankings, newest first, undone ones included."""
        return self._get("/rankings/history", tuple[RankingEntry, ...], labeler=labeler, limit=limit)

    def rankings(self, *, labeler: str = "", offset: int = 0, limit: int = 1000) -> tuple[Ranking, ...]:
        """Standing rankings, oldest first."""
        return self._get("/rankings", tuple[Ranking, ...], labeler=labeler, offset=offset, limit=limit)
