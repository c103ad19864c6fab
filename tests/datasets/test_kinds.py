"""Data sets of each kind from labels, what each method makes of them, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlft_tui.database.connection import Database, open_database
from rlft_tui.datasets.build_dataset import build_dataset
from rlft_tui.datasets.checks import check_dataset, check_rows
from rlft_tui.datasets.dataset import DatasetKind, DatasetSpec
from rlft_tui.datasets.dataset_files import encode_rows, read_kind, read_rows
from rlft_tui.datasets.datasets_table import dataset_for
from rlft_tui.datasets.derive import METHOD_KINDS, rows_for
from rlft_tui.datasets.near_duplicates import near_duplicates
from rlft_tui.datasets.rows import CompletionRow, JudgedRow, PreferenceRow, PromptRow, Row, ScoredRow
from rlft_tui.errors import RlftError
from rlft_tui.jobs.method_rows import method_rows
from rlft_tui.labels.feedback import Feedback
from rlft_tui.labels.feedback_table import COLUMNS
from rlft_tui.labels.preference import BetterAnswer, Mark, Preference
from rlft_tui.labels.preferences_table import insert_operations
from rlft_tui.pairs.pairs_table import add_pairs
from rlft_tui.paths import Workspace
from tests.conftest import make_pairs

A, B = "Answer A to {}, the longer one of both.", "Answer B to {}."


@pytest.fixture
def database(workspace: Workspace) -> Iterator[Database]:
    """Pairs: a wins, b wins, both good, both bad, a tie, one flagged; four scores; a written answer."""
    scores = [
        Feedback("s1", "Scored?", "Well.", 0.9, "score", "ada"),
        Feedback("s2", "Scored?", "Badly.", 0.25, "likert", "ada"),
        Feedback("s3", "Scored?", "So so.", 0.6, "score", "ada"),
        Feedback("s4", "Question 0 of pair?", B.format(0), 0.8, "score", "ada", "pair-0"),
    ]
    with open_database(workspace) as opened:
        with opened.write() as connection:
            add_pairs(connection, make_pairs(6))
            insert_operations(
                connection,
                [
                    Preference("1", "pair-0", "ada", "a", created_at=1.0),
                    Preference("2", "pair-1", "ada", "b", created_at=2.0),
                    Preference("3", "pair-2", "ada", "tie", quality="both_good", created_at=3.0),
                    Preference("4", "pair-3", "ada", "tie", quality="both_bad", created_at=4.0),
                    Preference("5", "pair-4", "ada", "tie", created_at=5.0),
                    Preference("6", "pair-5", "ada", "a", created_at=6.0),
                    Mark("7", "pair-5", "ada", "flag", created_at=7.0),
                    BetterAnswer("8", "pair-1", "ada", "Written to 1.", created_at=8.0),
                ],
            )
            for one in scores:
                places = ", ".join("?" for _ in COLUMNS.split(","))
                connection.execute(
                    f"insert into feedback ({COLUMNS}) values ({places})",
                    [getattr(one, column.strip()) for column in COLUMNS.split(",")],
                )
        yield opened


def built(database: Database, workspace: Workspace, kind: DatasetKind) -> tuple[list[Row], dict[str, int]]:
    dataset = build_dataset(database, workspace, DatasetSpec(kind=kind, heldout_fraction=0), now=1.0)
    assert (dataset.kind, read_kind(Path(dataset.path))) == (kind, kind)
    rows = read_rows(Path(dataset.path) / "train.jsonl", kind)
    return sorted(rows, key=lambda row: (row.example_id, repr(row))), dataset.left_out


def test_answers_worth_imitating(database: Database, workspace: Workspace) -> None:
    rows, left_out = built(database, workspace, "sft")
    assert [row.completion[0]["content"] for row in rows if isinstance(row, CompletionRow)] == [
        A.format(0),
        "Written to 1.",
        A.format(2),
        B.format(2),
    ]
    assert left_out == {"flagged": 1, "tie": 3}


def test_judged_answers_of_verdicts_and_scores(database: Database, workspace: Workspace) -> None:
    rows, left_out = built(database, workspace, "unpaired")
    assert [(row.completion[0]["content"], row.label) for row in rows if isinstance(row, JudgedRow)] == [
        (A.format(0), True),
        (A.format(1), False),
        (B.format(1), True),
        (A.format(2), True),
        (B.format(2), True),
        (A.format(3), False),
        (B.format(3), False),
        ("Well.", True),
        ("Badly.", False),
    ]
    # The losing answer of pair-0 got a good score: it is wanted as often as unwanted.
    assert left_out == {"contradiction": 2, "flagged": 1, "mediocre score": 1, "tie": 1}


def test_scored_answers_keep_their_scores_and_go_by_policy(database: Database, workspace: Workspace) -> None:
    rows, left_out = built(database, workspace, "scored")
    assert [(row.completion[0]["content"], row.score) for row in rows if isinstance(row, ScoredRow)] == [
        ("Well.", 0.9),
        ("Badly.", 0.25),
        ("So so.", 0.6),
        (B.format(0), 0.8),
    ]
    assert left_out == {}
    with database.write() as connection:
        for number, (agent, model) in enumerate(
            (
                ("nurse", ""),
                ("nurse", "else"),
                ("", "nurse-v12"),
                ("", "nurse-v9-2"),
                ("", "nurse"),
                ("x", "nurse-v1"),
            )
        ):
            one = Feedback(f"n{number}", "Say.", "No.", 0.5, "score", "ada", model=model, agent=agent)
            insert_operations(connection, [one])
    spec = DatasetSpec(kind="scored", heldout_fraction=0, agent="nurse")
    dataset = build_dataset(database, workspace, spec, now=2.0)
    found = read_rows(Path(dataset.path) / "train.jsonl", "scored")
    assert sorted(row.example_id for row in found) == ["n0", "n1", "n2", "n3"]
    with pytest.raises(RlftError, match=r"there are no scores to train on\. Score some"):
        build_dataset(database, workspace, DatasetSpec(kind="scored", agent="nur.e"), now=3.0)


def test_other_methods_read_scores_by_the_guide() -> None:
    prompt, said = turn("Say."), [turn(text, "assistant") for text in ("good", "poor", "so so")]
    rows: list[Row] = [
        ScoredRow(prompt, text, score, text[0]["content"])
        for text, score in zip(said, (0.7, 0.4, 0.6), strict=True)
    ]
    assert rows_for("reward", "scored", rows) == rows
    assert [row.example_id for row in rows_for("sft", "scored", rows)] == ["good"]
    judged_rows = rows_for("kto", "scored", rows)
    assert [(row.example_id, row.label) for row in judged_rows if isinstance(row, JudgedRow)] == [
        ("good", True),
        ("poor", False),
    ]
    assert len(rows_for("ppo", "scored", rows)) == 1
    checked = check_rows([ScoredRow(prompt, said[0], 0.5, str(n)) for n in range(20)], [])
    assert any("the scores hardly vary" in warning for warning in checked.warnings)
    with pytest.raises(RlftError, match="dpo cannot be trained on scored data"):
        rows_for("dpo", "scored", rows)


def test_prompts_of_the_workspace(database: Database, workspace: Workspace) -> None:
    rows, _ = built(database, workspace, "prompts")
    assert [row.prompt[-1]["content"] for row in rows] == [f"Question {n} of pair?" for n in range(5)]


def test_latest_is_the_newest_a_method_can_use(database: Database, workspace: Workspace) -> None:
    hashes = {}
    for now, kind in enumerate(("preference", "unpaired", "prompts"), 1):
        hashes[kind] = build_dataset(database, workspace, DatasetSpec(kind=kind, name=kind), now=now).hash
    with database.reader() as connection:

        def latest(method: str) -> str:
            return dataset_for(connection, "latest", method).kind

        assert {method: latest(method) for method in METHOD_KINDS} == {
            "sft": "unpaired",
            "reward": "preference",
            "dpo": "preference",
            "kto": "unpaired",
            "grpo": "prompts",
            "rloo": "prompts",
            "ppo": "prompts",
        }
        with pytest.raises(RlftError, match="dpo cannot be trained on prompts data"):
            dataset_for(connection, "prompts", "dpo")


def turn(text: str, role: str = "user") -> list[dict[str, str]]:
    return [{"role": role, "content": text}]


def preference(number: int, chosen: str = "good", rejected: str = "bad", **more: float) -> PreferenceRow:
    return PreferenceRow(
        turn(f"What about the number {number} then?"),
        turn(chosen, "assistant"),
        turn(rejected, "assistant"),
        f"e{number}",
        **more,
    )


def judged(number: int, label: bool, answer: str = "an answer", **more: float) -> JudgedRow:
    prompt = turn(f"What about the number {number} then?")
    return JudgedRow(prompt, turn(answer, "assistant"), label, f"e{number}", **more)


def test_a_method_derives_its_rows_from_other_kinds(tmp_path: Path) -> None:
    rows = [preference(1), preference(1, rejected="worse"), preference(2)]
    imitated = rows_for("sft", "preference", rows)
    assert imitated == [CompletionRow(row.prompt, row.chosen, row.example_id) for row in (rows[0], rows[2])]
    assert [row.label for row in rows_for("kto", "preference", rows)] == [True, False] * 3
    assert rows_for("grpo", "preference", rows) == [
        PromptRow(row.prompt, row.example_id) for row in (rows[0], rows[2])
    ]
    assert rows_for("sft", "unpaired", [judged(1, True), judged(2, False)])[0].example_id == "e1"
    (tmp_path / "train.jsonl").write_bytes(encode_rows(rows))
    train, heldout = method_rows(tmp_path, "kto")
    assert (len(train), heldout) == (6, [])
    with pytest.raises(RlftError, match="reward cannot be trained on sft data"):
        rows_for("reward", "sft", imitated)


@pytest.mark.parametrize(
    "rows",
    [
        [preference(1), preference(2, margin=0.5)],
        [CompletionRow(turn("p"), turn("a", "assistant"), "e", "c")],
        [judged(1, True), judged(2, False, score=0.25)],
        [PromptRow(turn("p"), "e", "c", {"answer": "4", "choices": ["3", "4"], "n": None})],
    ],
)
def test_rows_are_read_as_they_were_written(rows: list[Row], tmp_path: Path) -> None:
    kinds: dict[type[Row], DatasetKind] = {
        PreferenceRow: "preference",
        CompletionRow: "sft",
        JudgedRow: "unpaired",
        PromptRow: "prompts",
    }
    path = tmp_path / "train.jsonl"
    path.write_bytes(encode_rows(rows))
    assert list(read_rows(path, kinds[type(rows[0])])) == rows


def test_a_check_says_what_a_method_would_choke_on(database: Database, workspace: Workspace) -> None:
    many = [judged(number, number % 9 == 0) for number in range(18)]
    assert check_rows([judged(n, True) for n in range(20)], []).errors == (
        "every training answer is wanted, so nothing is told apart",
    )
    assert "2 answers are wanted, 16 are not: set desirable_weight to 8.0" in check_rows(many, []).warnings
    assert any(
        "scores hardly vary" in line
        for line in check_rows([judged(n, n % 2 == 0, score=0.7) for n in range(20)], []).warnings
    )
    assert (
        "1 training answer is wanted in one row and unwanted in another"
        in check_rows([judged(1, True), judged(1, False)], []).warnings
    )
    assert (
        "every margin is 0.5, so it says nothing about single rows"
        in check_rows([preference(n, margin=0.5) for n in range(20)], []).warnings
    )
    assert "1 training row is repeated" in check_rows([preference(1), preference(1)], []).warnings
    assert check_rows([CompletionRow(turn("p"), turn(" ", "assistant"))], []).errors == (
        "1 training row has an empty answer",
    )
    dataset = build_dataset(database, workspace, DatasetSpec(kind="prompts"), now=1.0)
    assert check_dataset(dataset, "grpo").errors == ()
    assert "dpo cannot be trained on prompts data" in check_dataset(dataset, "dpo").errors[0]


def test_prompts_that_are_nearly_held_out_ones_are_told() -> None:
    words = "please write a short and friendly letter to my neighbour about the noise at night"
    leak = PreferenceRow(turn(words + " today"), turn("a", "assistant"), turn("b", "assistant"))
    original = PreferenceRow(turn(words), turn("a", "assistant"), turn("b", "assistant"))
    other = preference(1)
    warnings = check_rows([original, other], [leak]).warnings
    assert any(line.startswith("1 of 1 held-out prompts are nearly training prompts") for line in warnings)
    assert not any("nearly" in line for line in check_rows([original], [other]).warnings)


WORDS = st.lists(st.sampled_from(["one", "two", "three", "four"]), min_size=1, max_size=9).map(" ".join)


@given(st.sets(WORDS, max_size=6), st.sets(WORDS, max_size=6), st.sampled_from([0.3, 0.5, 0.7, 1.0]))
def test_no_near_duplicate_is_missed(texts: set[str], others: set[str], similar: float) -> None:
    def shingles(text: str) -> set[str]:
        words = text.split()
        return {" ".join(words[at : at + 3]) for at in range(max(1, len(words) - 2))}

    def alike(one: str, other: str) -> bool:
        a, b = shingles(one), shingles(other)
        return len(a & b) / len(a | b) >= similar

    found = near_duplicates(texts, others, similar=similar)
    assert [text for text, _ in found] == sorted(t for t in texts if any(alike(t, o) for o in others))
    assert all(alike(text, other) for text, other in found)
