"""What a verdict on a comparison stores: pairs with all settings, and a preference or a ranking."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from rlft_tui.errors import RlftError
from rlft_tui.ids import new_id
from rlft_tui.labels.preference import STRENGTHS, Choice, Preference, Quality, Revocation, Side
from rlft_tui.labels.ranking import Ranking, answers_id, decompose
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.record import Record
from rlft_tui.tui.comparison import Comparison
from rlft_tui.tui.comparison_sides import stored_settings

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient

SEEN = "given after the names had been shown"
"""Goes with a verdict that was blind no longer."""
Groups = tuple[tuple[int, ...], ...]
"""Places on screen, best first; equally good ones in one group."""


class Decision(Record, frozen=True):
    """What was pressed: who is how good, and what goes with it."""

    groups: Groups
    open_end: bool = False
    """Nothing is said of the last group's answers among themselves."""
    strength: int | None = None
    quality: Quality = ""
    confidence: int | None = None
    note: str = ""
    time_spent_ms: int = 0

    @property
    def winner(self) -> int | None:
        """The place of the one answer that is best, if there is one."""
        return self.groups[0][0] if len(self.groups) > 1 and len(self.groups[0]) == 1 else None

    def words(self) -> str:
        """As on the label screen for two answers; ``2 > 1 = 3`` for more, the open end left out."""
        if len(self.groups) == 1:
            some = "both" if len(self.groups[0]) == 2 else "all"
            return {"both_good": f"{some} good", "both_bad": f"{some} bad"}.get(self.quality, "no difference")
        if len(self.groups) == 2 and len(self.groups[0]) == len(self.groups[1]) == 1:
            how = STRENGTHS.get(self.strength or 3, "better")
            how = how if how == "better" else f"{how} better"
            return f"{'left' if self.winner == 0 else 'right'} is {how}"
        shown = self.groups[:-1] if self.open_end else self.groups
        line = " > ".join(" = ".join(str(place + 1) for place in group) for group in shown)
        return f"{line} > the rest" if self.open_end else line


class Verdict(Record, frozen=True):
    """Everything that one decision stores. Storing it again changes nothing."""

    pairs: tuple[ResponsePair, ...]
    judged: Preference | Ranking

    def store(self, client: WorkspaceClient) -> None:
        client.add_pairs(list(self.pairs))
        if isinstance(self.judged, Ranking):
            client.add_ranking(self.judged)
        else:
            client.add_label(self.judged)

    def revocation(self) -> Revocation:
        return Revocation(new_id(), self.judged.id, self.judged.labeler_id, created_at=time.time())

    def take_back(self, client: WorkspaceClient, revocation: Revocation) -> None:
        """The pairs stay."""
        if isinstance(self.judged, Ranking):
            client.undo_ranking(revocation)
        else:
            client.add_label(revocation)


def make_verdict(shown: Comparison, decision: Decision, labeler: str, now: float) -> Verdict:
    """What is stored of a decision. RlftError when there is nothing that it could be about."""
    if shown.state not in ("ready", "judged"):
        raise ValueError("nothing to judge")
    empty = sum(not answer.text.strip() for answer in shown.answers)
    if empty and (empty > 1 or len(shown.sides) > 2):
        raise RlftError("an empty answer cannot be judged", remedy="Generate again")
    if shown.blind and shown.names_seen:
        decision = replace(decision, note=f"{decision.note} ({SEEN})" if decision.note else SEEN)
    kept = _distinct(shown, decision.groups)
    if len(shown.sides) == 2 or len(kept) == 2:
        sides = sorted(kept) if len(kept) == 2 else [0, 1]
        return _pair_verdict(shown, decision, (sides[0], sides[1]), labeler, now)
    if len(kept) < 2:
        raise RlftError("the answers are all the same: there is nothing to judge", remedy="Generate again")
    return _ranking_verdict(shown, decision, kept, labeler, now)


def _distinct(shown: Comparison, groups: Groups) -> list[int]:
    """Sides without those whose text another has that stands as high or higher."""
    texts: dict[str, int] = {}
    for place in (place for group in groups for place in group):
        side = shown.order[place]
        texts.setdefault(shown.answers[side].text, side)
    return list(texts.values())


def _settings(shown: Comparison, a: int, b: int) -> dict[str, Any]:
    """What a pair of two sides keeps of how it was made."""
    system = shown.context[0].content if shown.context and shown.context[0].role == "system" else ""
    turn = 1 + sum(message.role == "user" for message in shown.context)
    return {
        "a": stored_settings(shown.sides[a]),
        "b": stored_settings(shown.sides[b]),
        "blind": shown.blind,
        **({"system": system} if system else {}),
        **({"turn": turn} if turn > 1 else {}),
    }


def _pair_verdict(
    shown: Comparison, decision: Decision, sides: tuple[int, int], labeler: str, now: float
) -> Verdict:
    a, b = sides
    rank = {shown.order[place]: n for n, group in enumerate(decision.groups) for place in group}
    unordered = decision.open_end and rank[a] == rank[b] == len(decision.groups) - 1
    if unordered:
        raise RlftError("nothing was said of the two answers that differ", remedy="Put them in order")
    choice: Choice = "tie" if rank[a] == rank[b] else "a" if rank[a] < rank[b] else "b"
    first: Side = "a" if shown.order.index(a) < shown.order.index(b) else "b"
    pair = shown.pairs.setdefault((a, b), _pair(shown, a, b, now))
    preference = Preference(
        id=new_id(),
        example_id=pair.id,
        labeler_id=labeler,
        choice=choice,
        shown_first=first,
        confidence=decision.confidence,
        reasoning=decision.note,
        time_spent_ms=decision.time_spent_ms,
        created_at=now,
        strength=decision.strength if choice != "tie" else None,
        quality=decision.quality if choice == "tie" else "",
    )
    return Verdict((pair,), preference)


def _pair(shown: Comparison, a: int, b: int, now: float) -> ResponsePair:
    return ResponsePair(
        id=new_id(),
        prompt=shown.prompt,
        response_a=shown.answers[a].text,
        response_b=shown.answers[b].text,
        model_a=shown.sides[a].model,
        model_b=shown.sides[b].model,
        category=shown.category,
        source="compare",
        context=shown.context,
        settings=_settings(shown, a, b),
        created_at=now,
    )


def _ranking_verdict(
    shown: Comparison, decision: Decision, kept: Sequence[int], labeler: str, now: float
) -> Verdict:
    """A ranking as the Rank screen's; its pairs are stored before it, with the settings that made them."""
    sides = [side for side in shown.order if side in kept]
    responses = tuple(shown.answers[side].text for side in sides)
    places = [tuple(shown.order[place] for place in group) for group in decision.groups]
    groups = [tuple(sides.index(side) for side in group if side in kept) for group in places]
    open_end = decision.open_end and len(groups[-1]) > 1
    order = tuple(filter(None, groups))
    ranking = Ranking(
        id=new_id(),
        prompt=shown.prompt,
        responses=responses,
        order=order,
        labeler_id=labeler,
        models=tuple(shown.sides[side].model for side in sides),
        set_id=answers_id(shown.prompt, shown.context, responses),
        context=shown.context,
        category=shown.category,
        notes=decision.note,
        time_spent_ms=decision.time_spent_ms,
        created_at=now,
        open_end=open_end,
        quality=decision.quality if len(order) == 1 else "",
    )
    side_of = dict(zip(responses, sides, strict=True))
    pairs = tuple(
        replace(
            one.pair,
            settings=_settings(shown, side_of[one.pair.response_a], side_of[one.pair.response_b]),
        )
        for one in decompose(ranking)
    )
    return Verdict(pairs, ranking)
