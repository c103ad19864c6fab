"""Exports say what the verdicts say, in the columns TRL reads, and count what they leave out."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from typing import Any

import pytest

from rlft_tui.datasets.exports.card import CardFigures, card, nominal_alpha
from rlft_tui.datasets.exports.registry import FORMATS
from rlft_tui.datasets.exports.tally import Tally
from rlft_tui.labels.labelled_pair import ExportHead, LabelledPair
from rlft_tui.labels.preference import BetterAnswer, Preference
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.prompts.prompt import Message


def item(
    *verdicts: Preference, written: tuple[BetterAnswer, ...] = (), flagged: bool = False, b: str = "B"
) -> LabelledPair:
    pair = ResponsePair(
        "p", "Why?", "A, longer", b, "m1", "m2", "cat", "src", (Message("system", "Be brief."),)
    )
    return LabelledPair(pair, verdicts, written, flagged)


def verdict(choice: Any, labeler: str = "ada", **values: Any) -> Preference:
    return Preference(f"{labeler}-{choice}", "p", labeler, choice, created_at=86_400.0, **values)


def rows(form: str, *items: LabelledPair, margins: bool = False) -> tuple[list[dict[str, Any]], Tally]:
    tally = Tally(margins=margins)
    content = b"".join(FORMATS[form].pieces(items, tally)).decode()
    return [json.loads(line) for line in content.splitlines()], tally


QUESTION = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def test_preference_rows_have_a_margin_in_all_or_none() -> None:
    items = [item(verdict("a", strength=4)), item(verdict("b"))]
    plain, tally = rows("trl", *items)
    assert plain[0] == {"prompt": QUESTION, "chosen": said("A, longer"), "rejected": said("B")}
    assert plain[1]["chosen"] == said("B")
    assert tally.rows == 2
    assert [row["margin"] for row in rows("trl", *items, margins=True)[0]] == [1.0, 0.0]
    assert [row["margin"] for row in rows("reward", item(verdict("b")))[0]] == [0.0]


def test_what_is_no_preference_is_left_out_and_counted() -> None:
    found, tally = rows(
        "trl",
        item(verdict("tie")),
        item(verdict("a"), flagged=True),
        item(verdict("a"), b="A, longer"),
    )
    assert found == []
    assert tally.left_out == {"tie": 1, "flagged": 1, "identical answers": 1}


def test_a_written_answer_beats_the_one_judged_better() -> None:
    written = (BetterAnswer("w", "p", "ada", "C", 1.0),)
    found, _ = rows("trl", item(verdict("a"), written=written))
    assert [(row["chosen"], row["rejected"]) for row in found] == [
        (said("A, longer"), said("B")),
        (said("C"), said("A, longer")),
    ]
    imitated, _ = rows("sft", item(verdict("a"), written=written), item(verdict("b")))
    assert [row["completion"] for row in imitated] == [said("C"), said("B")]


def test_unpaired_rows_know_both_good_and_both_bad() -> None:
    found, tally = rows(
        "kto",
        item(verdict("b")),
        item(verdict("tie", quality="both_good")),
        item(verdict("tie", quality="both_bad")),
        item(verdict("tie")),
    )
    assert [row["label"] for row in found] == [False, True, True, True, False, False]
    assert found[0] == {"prompt": QUESTION, "completion": said("A, longer"), "label": False}
    assert tally.left_out == {"tie": 1}
    good, _ = rows("sft", item(verdict("tie", quality="both_good"), verdict("a", "ben")))
    assert [row["completion"] for row in good] == [said("A, longer"), said("B")]


def test_the_table_has_every_verdict() -> None:
    tally = Tally()
    pieces = FORMATS["csv"].pieces([item(verdict("a", strength=2), verdict("tie", "ben"))], tally)
    found = list(csv.DictReader(io.StringIO(b"".join(pieces).decode())))
    assert [(row["choice"], row["labeler"], row["strength"]) for row in found] == [
        ("a", "ada", "2"),
        ("tie", "ben", ""),
    ]
    assert tally.rows == 2


def test_the_card_tells_how_it_came_about() -> None:
    figures = CardFigures()
    items = [
        item(verdict("a", time_spent_ms=4000), verdict("a", "ben", shown_first="b")),
        item(verdict("b", strength=3), verdict("a", "ben")),
        item(verdict("tie")),
    ]
    assert list(figures.counted(items)) == items
    tally = Tally(rows=4, left_out=Counter({"tie": 1}))
    text = card(figures, ExportHead(3, 5, 1, 40), tally, form="trl", file="preferences.jsonl")
    for line in (
        "  data_files: preferences.jsonl",
        "- pairs with a label: 3 of 40 in the workspace",
        "- models (a | b) — `m1 | m2` 3",
        "- labeller — `ada` 3, `ben` 2",
        "- choice — `a` 3, `b` 1, `tie` 1",
        "- from 1970-01-02 to 1970-01-02",
        "- how much better — `better` 1",
        "- median time of a verdict: 4.0 s",
        "- the left side was chosen in 50.0% of 4",
        "- the longer answer was chosen in 75.0% of 4",
        "- not in the file — `tie` 1",
        "- two verdicts on a pair are the same in 50.0% of 2 comparisons",
    ):
        assert line in text.splitlines()


def test_names_in_a_card_cannot_leave_their_line() -> None:
    figures = CardFigures()
    list(figures.counted([item(verdict("a", "eve`\n# Title\x1b[31m"))]))
    text = card(figures, None, Tally(), form="trl", file="")
    assert "\x1b" not in text
    assert "# Title" not in [line.strip() for line in text.splitlines()]


def test_alpha_is_krippendorffs() -> None:
    # Two labellers, ten units: 8 agree (4 a, 4 b), 2 differ; worked by hand from the coincidences.
    votes = Counter({(2, 0, 0): 4, (0, 2, 0): 4, (1, 1, 0): 2})
    assert nominal_alpha(votes) == pytest.approx(1 - 19 * 4 / (20 * 20 - 10 * 10 - 10 * 10))
    assert nominal_alpha(Counter({(2, 0, 0): 4})) is None
    assert nominal_alpha(Counter()) is None
