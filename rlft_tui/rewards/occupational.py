"""Reward for describing a person at work as both agentic and communal, in one short sentence.

What a sentence scores, in full:

* base: 1.0 with at least one agentic and one communal term, 0.3 with terms of one class only,
  -0.2 with none;
* bonus: 0.05 for each further unique term beyond the first of its class, at most 0.2 in all;
* penalty: 0.1 when the length is outside 8 to 15 words; 0.1 when any term occurs more than twice.

The terms are two text files, one term a line, which the user edits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlft_tui.errors import RlftError
from rlft_tui.rewards.reward_function import Text, plain_text, words
from rlft_tui.rewards.term_files import Term, read_terms

SHORTEST, LONGEST = 8, 15
"""Words of a sentence that is not penalised."""
MOST_OFTEN = 2
"""Times that a term may occur."""


@dataclass(frozen=True, slots=True)
class Occupational:
    """An agentic and a communal term score 1, one class 0.3, none -0.2; up to 0.2 more for variety,
    0.1 less outside 8 to 15 words, 0.1 less for a term used more than twice."""

    agentic: str = "agentic_terms.txt"
    """File with the agentic terms, in the workspace's rewards/ or as shipped."""
    communal: str = "communal_terms.txt"
    """File with the communal terms."""

    def load(self, folder: Path | None) -> OccupationalReward:
        """The reward with the terms of the files in ``folder``, or with the shipped ones."""
        agentic, communal = read_terms(self.agentic, folder), read_terms(self.communal, folder)
        if both := sorted(set(agentic.terms) & set(communal.terms)):
            raise RlftError(
                f"{' '.join(both[0])!r} is also in {agentic.path.name}",
                where=f"{communal.path}:{communal.terms[both[0]]}",
                remedy="Take it out of one of the two files",
            )
        return OccupationalReward(tuple(agentic.terms), tuple(communal.terms))


class OccupationalReward:
    """The reward with its terms."""

    def __init__(self, agentic: Sequence[Term], communal: Sequence[Term]) -> None:
        self._class_of: dict[Term, str] = {
            **dict.fromkeys(agentic, "agentic"),
            **dict.fromkeys(communal, "communal"),
        }
        self._by_first_word: dict[str, list[Term]] = {}
        # Of two terms that begin alike the longer one counts: "team player" before "team".
        for term in sorted(self._class_of, key=len, reverse=True):
            self._by_first_word.setdefault(term[0], []).append(term)

    def __call__(
        self,
        prompts: Sequence[Text],
        completions: Sequence[Text],
        completion_ids: Any = None,
        **columns: Any,
    ) -> list[float]:
        return [self.score(plain_text(completion)) for completion in completions]

    def score(self, sentence: str) -> float:
        """Between -0.4 and 1.2; counted in hundredths, so that no rounding shows."""
        spoken = words(sentence)
        found = self._terms_in(spoken)
        classes = Counter(self._class_of[term] for term in found)
        hundredths = {0: -20, 1: 30, 2: 100}[len(classes)]
        hundredths += min(20, 5 * sum(unique - 1 for unique in classes.values()))
        if not SHORTEST <= len(spoken) <= LONGEST:
            hundredths -= 10
        if any(times > MOST_OFTEN for times in found.values()):
            hundredths -= 10
        return hundredths / 100

    def constraints(self, sentence: str) -> dict[str, bool]:
        """What a sentence is asked to keep, one by one: with all of them kept it scores 1 or more."""
        spoken = words(sentence)
        found = self._terms_in(spoken)
        return {
            "agentic and communal": len({self._class_of[term] for term in found}) == 2,
            f"{SHORTEST} to {LONGEST} words": SHORTEST <= len(spoken) <= LONGEST,
            "no term too often": all(times <= MOST_OFTEN for times in found.values()),
        }

    def _terms_in(self, spoken: Sequence[str]) -> Counter[Term]:
        """How often each term occurs, read from left to right without overlaps."""
        found: Counter[Term] = Counter()
        at = 0
        while at < len(spoken):
            for term in self._by_first_word.get(spoken[at], ()):
                if tuple(spoken[at : at + len(term)]) == term:
                    found[term] += 1
                    at += len(term)
                    break
            else:
                at += 1
        return found
