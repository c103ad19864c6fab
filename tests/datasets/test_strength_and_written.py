"""Strength becomes a margin, both-good and both-bad single rows, written answers chosen rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlft_tui.database.connection import open_database
from rlft_tui.datasets.build_dataset import build_dataset
from rlft_tui.datasets.checks import check_dataset
from rlft_tui.datasets.dataset import DatasetSpec
from rlft_tui.datasets.dataset_files import encode_rows, read_rows
from rlft_tui.datasets.select_answers import judged_rows, written_rows
from rlft_tui.datasets.select_preferences import select_rows, select_written, with_margins
from rlft_tui.datasets.verdicts_table import Verdict, WrittenAnswer, current_verdicts, written_answers
from rlft_tui.labels.preference import BetterAnswer, Mark, Preference, Revocation
from rlft_tui.labels.preferences_table import insert_operations
from rlft_tui.pairs.pairs_table import add_pairs
from rlft_tui.paths import Workspace
from tests.conftest import make_pairs


def vote(choice: str, *, example: str = "e", labeler: str = "ada", **changes: object) -> Verdict:
    values: dict[str, object] = {
        "confidence": None,
        "prompt": f"ask {example}",
        "context": (),
        "response_a": "x",
        "response_b": "y",
        "category": "",
        "flagged": False,
        **changes,
    }
    return Verdict(example_id=example, labeler_id=labeler, choice=choice, **values)  # type: ignore[arg-type]


def written(choice: str, text: str = "z", **changes: object) -> WrittenAnswer:
    values: dict[str, object] = {
        "id": "w",
        "example_id": "e",
        "labeler_id": "ada",
        "prompt": "ask",
        "context": (),
        "response_a": "x",
        "response_b": "y",
        "category": "",
        "flagged": False,
        **changes,
    }
    return WrittenAnswer(text=text, choice=choice, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(("strength", "margin"), [(1, 0.0), (2, 1 / 3), (3, 2 / 3), (4, 1.0)])
def test_four_strengths_are_four_margins(strength: int, margin: float) -> None:
    (row,) = select_rows([vote("a", strength=strength)]).rows
    assert row.margin == pytest.approx(margin)


def test_a_margin_is_the_mean_over_the_verdicts_that_won() -> None:
    votes = [
        vote("a", labeler="ada", strength=4),
        vote("a", labeler="bob", strength=1),
        vote("a", labeler="cai"),
        vote("b", labeler="dan", strength=4),
    ]
    (row,) = select_rows(votes).rows
    assert row.margin == pytest.approx(0.5)


def test_once_one_row_has_a_margin_all_have_and_without_strengths_none_is_written() -> None:
    mixed = with_margins(select_rows([vote("a", example="1", strength=4), vote("a", example="2")]))
    assert [row.margin for row in mixed.rows] == [1.0, 0.0]
    assert [json.loads(line)["margin"] for line in encode_rows(mixed.rows).splitlines()] == [1.0, 0.0]
    plain = with_margins(select_rows([vote("a", example="1"), vote("b", example="2")]))
    assert b"margin" not in encode_rows(plain.rows)
    assert json.loads(encode_rows(plain.rows[:1])) == {
        "prompt": [{"role": "user", "content": "ask 1"}],
        "chosen": [{"role": "assistant", "content": "x"}],
        "rejected": [{"role": "assistant", "content": "y"}],
        "example_id": "1",
        "category": "",
    }


@pytest.mark.parametrize(
    ("answer", "rejected", "left_out"),
    [
        (written("a"), ["x"], {}),
        (written("b"), ["y"], {}),
        (written("tie"), ["x", "y"], {}),
        (written("tie", response_b=" "), ["x"], {}),
        (written(""), [], {"better answer without a verdict": 1}),
        (written("a", text=" y "), [], {"identical answers": 1}),
        (written("a", flagged=True), [], {"flagged": 1}),
    ],
)
def test_a_written_answer_is_chosen_over_the_better_one(
    answer: WrittenAnswer, rejected: list[str], left_out: dict[str, int]
) -> None:
    selection = select_written([answer, answer])
    assert [row.rejected[0]["content"] for row in selection.rows] == rejected
    assert {row.chosen[0]["content"] for row in selection.rows} <= {"z"}
    assert {reason: count // 2 for reason, count in selection.left_out.items()} == left_out


def test_single_rows_of_verdicts() -> None:
    votes = [
        vote("tie", example="1", quality="both_good"),
        vote("tie", example="2", quality="both_bad"),
        vote("tie", example="3"),
        vote("b", example="4"),
        vote("tie", example="5", quality="both_bad", flagged=True),
        vote("tie", example="6", quality="both_bad", response_a=""),
    ]

    def said(decided: bool) -> list[tuple[str, str, bool]]:
        rows = judged_rows(votes, decided=decided)
        return [(row.example_id, row.completion[0]["content"], row.label) for row in rows]

    ties = [("1", "x", True), ("1", "y", True), ("2", "x", False), ("2", "y", False)]
    assert said(False) == [*ties, ("6", "y", False)]
    assert said(True) == [*ties, ("4", "x", False), ("4", "y", True), ("6", "y", False)]


def test_stored_labels_become_rows(workspace: Workspace) -> None:
    operations = [
        Preference("1", "pair-0", "ada", "a", strength=3, created_at=1.0),
        Preference("2", "pair-1", "ada", "tie", quality="both_bad", created_at=2.0),
        Preference("3", "pair-2", "ada", "b", created_at=3.0),
        BetterAnswer("4", "pair-0", "ada", "first try", created_at=4.0),
        BetterAnswer("5", "pair-0", "ada", "Written to 0.", created_at=5.0),
        BetterAnswer("6", "pair-1", "ada", "Written to 1.", created_at=6.0),
        BetterAnswer("7", "pair-3", "ada", "Of a pair not judged.", created_at=7.0),
        BetterAnswer("8", "pair-2", "ada", "taken back", created_at=8.0),
        Revocation("9", "8", "ada", created_at=9.0),
        BetterAnswer("10", "pair-4", "bob", "flagged", created_at=10.0),
        Mark("11", "pair-4", "bob", "flag", created_at=11.0),
    ]
    with open_database(workspace) as database:
        with database.write() as connection:
            add_pairs(connection, make_pairs(6))
            insert_operations(connection, operations)
        with database.reader() as connection:
            verdicts = current_verdicts(connection, DatasetSpec())
            answers = written_answers(connection, DatasetSpec())
            bobs = written_answers(connection, DatasetSpec(labelers=("bob",)))
        built = build_dataset(database, workspace, DatasetSpec(heldout_fraction=0), now=1.0)
        without = build_dataset(
            database, workspace, DatasetSpec(heldout_fraction=0, better_answers=False), now=1.0
        )

    assert [row.label for row in judged_rows(verdicts, decided=False)] == [False, False]
    assert [(row.example_id, row.completion[0]["content"]) for row in written_rows(answers)] == [
        ("pair-0", "Written to 0."),
        ("pair-1", "Written to 1."),
        ("pair-3", "Of a pair not judged."),
    ]
    assert [answer.text for answer in bobs] == ["flagged"]
    rows = {
        (row.chosen[0]["content"], row.rejected[0]["content"]): row.margin
        for row in read_rows(Path(built.path) / "train.jsonl", "preference")
    }
    assert rows == {
        ("Answer A to 0, the longer one of both.", "Answer B to 0."): pytest.approx(2 / 3),
        ("Answer B to 2.", "Answer A to 2, the longer one of both."): 0.0,
        ("Written to 0.", "Answer A to 0, the longer one of both."): 0.0,
        ("Written to 1.", "Answer A to 1, the longer one of both."): 0.0,
        ("Written to 1.", "Answer B to 1."): 0.0,
    }
    assert built.left_out == {"tie": 1, "flagged": 1, "better answer without a verdict": 1}
    assert check_dataset(built).errors == ()
    assert (without.train_rows, without.left_out) == (2, {"tie": 1})
