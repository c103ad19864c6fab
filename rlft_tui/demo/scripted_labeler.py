"""A labeller that follows one stated rule, so that the whole loop can run by itself."""

from __future__ import annotations

import time

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.ids import new_id
from rlft_tui.labels.preference import Choice, Preference
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.record import Record

RULE = "the shorter answer in words wins; within 10 % it is a tie"
TIE_SHARE = 0.10
BATCH = 20


class Tally(Record, frozen=True):
    """What the labeller did."""

    labelled: int
    ties: int


def shorter_wins(pair: ResponsePair) -> Choice:
    """RULE, applied to one pair."""
    words_a, words_b = len(pair.response_a.split()), len(pair.response_b.split())
    if abs(words_a - words_b) <= TIE_SHARE * max(words_a, words_b):
        return "tie"
    return "a" if words_a < words_b else "b"


def label_queue(client: WorkspaceClient, labeler: str) -> Tally:
    """Judge everything in the queue of ``labeler``, in the order and on the sides it gives."""
    labelled = ties = 0
    while items := client.queue(labeler, limit=BATCH).items:
        for item in items:
            choice = shorter_wins(item.pair)
            client.add_label(
                Preference(
                    id=new_id(),
                    example_id=item.pair.id,
                    labeler_id=labeler,
                    choice=choice,
                    shown_first=item.left,
                    reasoning=RULE,
                    source="scripted",
                    created_at=time.time(),
                )
            )
            labelled += 1
            ties += choice == "tie"
    return Tally(labelled, ties)
