"""Verdicts become a frozen, hashed data set that no prompt straddles."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlft_tui.database.connection import Database, open_database
from rlft_tui.datasets.build_dataset import build_dataset
from rlft_tui.datasets.checks import check_dataset, check_rows
from rlft_tui.datasets.dataset import Dataset, DatasetSpec
from rlft_tui.datasets.dataset_files import folder_hash, read_rows
from rlft_tui.datasets.datasets_table import dataset_by_name, list_datasets
from rlft_tui.datasets.rows import PreferenceRow, prompt_key
from rlft_tui.datasets.select_preferences import select_rows
from rlft_tui.datasets.split import split_rows
from rlft_tui.datasets.verdicts_table import Verdict
from rlft_tui.errors import ConflictError, NotFoundError, RlftError
from rlft_tui.labels.preference import Choice, Mark, Preference, Revocation
from rlft_tui.labels.preferences_table import insert_operation
from rlft_tui.pairs.pairs_table import add_pairs
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.paths import Workspace
from rlft_tui.prompts.prompt import Message


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def database(place: Workspace) -> Iterator[Database]:
    with open_database(place) as opened:
        yield opened


def pair(number: int, *, answers: tuple[str, str] = ("", ""), category: str = "c") -> ResponsePair:
    a, b = answers if answers != ("", "") else (f"good {number}", f"bad {number}")
    return ResponsePair(f"e{number:03}", f"Question {number}?", a, b, "base", "tuned", category)


def verdict(
    example: str, choice: Choice = "a", *, labeler: str = "ada", confidence: int | None = None
) -> Preference:
    return Preference(f"{labeler}-{example}", example, labeler, choice, confidence=confidence, created_at=1.0)


def store(database: Database, pairs: list[ResponsePair], operations: list[Preference | Mark]) -> None:
    with database.write() as connection:
        add_pairs(connection, pairs)
        for operation in operations:
            insert_operation(connection, operation)


def label_many(database: Database, count: int = 40) -> None:
    pairs = [pair(number) for number in range(count)]
    store(database, pairs, [verdict(one.id) for one in pairs])


def rows_of(dataset: Dataset) -> tuple[list[PreferenceRow], list[PreferenceRow]]:
    folder = Path(dataset.path)
    return list(read_rows(folder / "train.jsonl", "preference")), list(
        read_rows(folder / "heldout.jsonl", "preference")
    )


def vote(choice: str, *, example: str = "e", labeler: str = "ada", **changes: object) -> Verdict:
    values: dict[str, object] = {
        "confidence": None,
        "prompt": "p",
        "context": (),
        "response_a": "x",
        "response_b": "y",
        "category": "",
        "flagged": False,
        **changes,
    }
    return Verdict(example_id=example, labeler_id=labeler, choice=choice, **values)  # type: ignore[arg-type]


def test_a_data_set_is_written_in_conversational_form(database: Database, place: Workspace) -> None:
    one = ResponsePair(
        "e1", "Why?", "bad", "good", category="deep", context=(Message("system", "Be brief."),)
    )
    store(database, [one], [verdict("e1", "b")])

    built = build_dataset(database, place, DatasetSpec(name="first"), now=7.0)

    (line,) = (Path(built.path) / "train.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
        "chosen": [{"role": "assistant", "content": "good"}],
        "rejected": [{"role": "assistant", "content": "bad"}],
        "example_id": "e1",
        "category": "deep",
    }
    assert (built.name, built.train_rows, built.heldout_rows, built.created_at) == ("first", 1, 0, 7.0)
    assert Path(built.path) == place.datasets / built.hash
    assert folder_hash(Path(built.path)) == built.hash
    manifest = json.loads((Path(built.path) / "dataset.json").read_text())
    assert (manifest["hash"], manifest["spec"]["name"]) == (built.hash, "first")


def test_the_same_labels_and_spec_give_the_same_data_set(database: Database, place: Workspace) -> None:
    label_many(database)
    first = build_dataset(database, place, DatasetSpec(), now=1.0)
    again = build_dataset(database, place, DatasetSpec(), now=2.0)
    assert again == first

    other = build_dataset(database, place, DatasetSpec(seed=1), now=3.0)
    assert other.hash != first.hash

    with database.write() as connection:
        insert_operation(connection, Revocation("r", "ada-e000", "ada", 9.0))
    fewer = build_dataset(database, place, DatasetSpec(), now=4.0)
    assert fewer.hash != first.hash
    assert fewer.train_rows + fewer.heldout_rows == 39

    with database.reader() as connection:
        assert [one.hash for one in list_datasets(connection)] == [fewer.hash, other.hash, first.hash]
    assert sorted(path.name for path in place.datasets.iterdir()) == sorted(
        [first.hash, other.hash, fewer.hash]
    )


def test_a_damaged_folder_is_written_again(database: Database, place: Workspace) -> None:
    label_many(database)
    built = build_dataset(database, place, DatasetSpec(), now=1.0)
    (Path(built.path) / "train.jsonl").write_bytes(b"")
    assert "its files were changed" in check_dataset(built).errors[0]

    build_dataset(database, place, DatasetSpec(), now=2.0)

    assert check_dataset(built).errors == ()


def test_left_out_verdicts_are_counted_by_reason(database: Database, place: Workspace) -> None:
    pairs = [
        pair(0),
        pair(1),
        pair(2, answers=("same", "same")),
        pair(3, answers=(" \n", "x")),
        pair(4),
        pair(5),
        pair(6),
        pair(7),
    ]
    operations: list[Preference | Mark] = [
        verdict("e000", confidence=5),
        verdict("e001", "tie", confidence=5),
        verdict("e002", confidence=5),
        verdict("e003", confidence=5),
        verdict("e004", confidence=1),
        verdict("e005"),
        verdict("e006", confidence=5),
        Mark("m1", "e006", "bob", "flag"),
        verdict("e007", confidence=5),
        Mark("m2", "e007", "bob", "skip"),
    ]
    store(database, pairs, operations)

    built = build_dataset(database, place, DatasetSpec(min_confidence=2, heldout_fraction=0), now=0.0)

    assert built.train_rows == 2
    assert built.left_out == {
        "tie": 1,
        "identical answers": 1,
        "empty answer": 1,
        "low confidence": 2,
        "flagged": 1,
    }


def test_a_spec_picks_labellers_and_categories(database: Database, place: Workspace) -> None:
    pairs = [pair(0, category="maths"), pair(1, category="poems"), pair(2, category="maths")]
    store(database, pairs, [verdict("e000"), verdict("e001"), verdict("e002", labeler="bob")])

    def examples(spec: DatasetSpec) -> set[str]:
        train, heldout = rows_of(build_dataset(database, place, spec, now=0.0))
        return {row.example_id for row in [*train, *heldout]}

    assert examples(DatasetSpec()) == {"e000", "e001", "e002"}
    assert examples(DatasetSpec(labelers=("ada",))) == {"e000", "e001"}
    assert examples(DatasetSpec(categories=("maths",))) == {"e000", "e002"}
    assert examples(DatasetSpec(labelers=("bob",), categories=("maths",))) == {"e002"}


@pytest.mark.parametrize(
    ("votes", "chosen", "left_out"),
    [
        ("a", "x", {}),
        ("aab", "x", {"overruled": 1}),
        ("abb", "y", {"overruled": 1}),
        ("aat", "x", {"tie": 1}),
        ("ab", None, {"contradiction": 2}),
        ("at", None, {"contradiction": 2}),
        ("abt", None, {"contradiction": 3}),
        ("tt", None, {"tie": 2}),
        ("att", None, {"tie": 3}),
        ("aaaabbt", "x", {"overruled": 2, "tie": 1}),
    ],
)
def test_the_majority_decides(votes: str, chosen: str | None, left_out: dict[str, int]) -> None:
    verdicts = [
        vote({"t": "tie"}.get(one, one), labeler=f"labeler {number}") for number, one in enumerate(votes)
    ]
    selection = select_rows(verdicts)
    assert [row.chosen[0]["content"] for row in selection.rows] == ([chosen] if chosen else [])
    assert selection.left_out == left_out


def test_copies_of_a_pair_count_as_one_even_mirrored() -> None:
    same = [vote("a", example="e1"), vote("b", example="e2", response_a="y", response_b="x")]
    assert [row.example_id for row in select_rows(same).rows] == ["e1"]

    against = [vote("a", example="e1"), vote("a", example="e2", response_a="y", response_b="x")]
    assert select_rows(against).left_out == {"contradiction": 2}


def row(number: int, prompt: str) -> PreferenceRow:
    return PreferenceRow(
        prompt=[{"role": "user", "content": prompt}],
        chosen=[{"role": "assistant", "content": "good"}],
        rejected=[{"role": "assistant", "content": "bad"}],
        example_id=f"e{number}",
        category="",
    )


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(["one", "One", " one ", "two", "three", "four", "five"]), min_size=1, max_size=30
    ),
    st.floats(0, 0.99),
    st.integers(0, 5),
)
def test_no_prompt_is_on_both_sides_and_none_is_lost(prompts: list[str], fraction: float, seed: int) -> None:
    rows = [row(number, prompt) for number, prompt in enumerate(prompts)]
    train, heldout = split_rows(rows, heldout_fraction=fraction, seed=seed)

    assert sorted(one.example_id for one in [*train, *heldout]) == sorted(one.example_id for one in rows)
    assert not {prompt_key(one) for one in train} & {prompt_key(one) for one in heldout}
    assert train
    assert bool(heldout) == (fraction > 0 and len({prompt_key(one) for one in rows}) > 1)
    shuffled = split_rows(rows[::-1], heldout_fraction=fraction, seed=seed)
    assert shuffled == (train, heldout)


def test_about_the_share_asked_for_is_held_out_and_stays_there() -> None:
    rows = [row(number, f"prompt {number}") for number in range(1000)]
    _, few = split_rows(rows[:500], heldout_fraction=0.2)
    train, heldout = split_rows(rows, heldout_fraction=0.2)
    assert 150 < len(heldout) < 250
    assert {one.example_id for one in few} <= {one.example_id for one in heldout}
    assert [one.example_id for one in train] != sorted(one.example_id for one in train)


def test_without_verdicts_there_is_no_data_set(database: Database, place: Workspace) -> None:
    with pytest.raises(RlftError, match=r"no verdicts to train on.*Label some pairs"):
        build_dataset(database, place, DatasetSpec(), now=0.0)
    store(database, [pair(0)], [verdict("e000", "tie")])
    with pytest.raises(RlftError, match=r"the only verdict cannot be trained on \(1 tie\)"):
        build_dataset(database, place, DatasetSpec(), now=0.0)
    assert not place.datasets.exists()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (DatasetSpec(heldout_fraction=1.0), "held-out share is 1"),
        (DatasetSpec(heldout_fraction=-0.1), "held-out share is -0.1"),
        (DatasetSpec(min_confidence=6), "least confidence is 6"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(
    database: Database, place: Workspace, spec: DatasetSpec, message: str
) -> None:
    with pytest.raises(RlftError, match=message):
        build_dataset(database, place, spec, now=0.0)


def test_data_sets_are_found_by_hash_start_name_and_latest(database: Database, place: Workspace) -> None:
    with database.reader() as connection, pytest.raises(NotFoundError, match="rlft data build"):
        dataset_by_name(connection, "latest")
    label_many(database)
    named = build_dataset(database, place, DatasetSpec(name="lovely"), now=1.0)
    latest = build_dataset(database, place, DatasetSpec(seed=3), now=2.0)

    with database.reader() as connection:

        def find(name: str) -> Dataset:
            return dataset_by_name(connection, name)

        assert find("lovely") == find(named.hash) == find(named.hash[:6]) == named
        assert find("latest") == latest
        with pytest.raises(NotFoundError, match="Did you mean lovely"):
            find("lovly")
        for wrong in ("", named.hash[:2], "nothing like it"):
            with pytest.raises(NotFoundError):
                find(wrong)


def test_a_name_belongs_to_one_data_set(database: Database, place: Workspace) -> None:
    label_many(database)
    first = build_dataset(database, place, DatasetSpec(), now=1.0)
    assert build_dataset(database, place, DatasetSpec(name="mine"), now=2.0).hash == first.hash
    with database.reader() as connection:
        assert dataset_by_name(connection, "mine").hash == first.hash

    with pytest.raises(ConflictError, match="another data set called mine"):
        build_dataset(database, place, DatasetSpec(name="mine", seed=4), now=3.0)
    assert [path.name for path in place.datasets.iterdir()] == [first.hash]


def test_what_is_wrong_with_rows_is_told() -> None:
    good = [row(number, f"prompt {number}") for number in range(20)]
    assert check_rows(good, good[:1]).errors == ("1 prompt is in both the training and the held-out rows",)
    assert check_rows([], []).errors == ("there is no row to train on",)
    clean = check_rows(good[:17], good[17:])
    assert clean.errors == ()
    assert clean.warnings == ("the chosen answer is the longer one in 100% of the training rows",)
    assert "only 3 training rows" in check_rows(good[:3], good[3:]).warnings
    assert "nothing is held out, so the result cannot be measured" in check_rows(good, []).warnings

    same, empty, mirrored = row(1, "p"), row(2, "q"), row(3, "prompt 3")
    same.rejected[0]["content"] = "good"
    empty.chosen[0]["content"] = ""
    mirrored.chosen[0]["content"], mirrored.rejected[0]["content"] = "bad", "good"
    found = check_rows([*good, same, empty, mirrored], [row(9, "held out")]).errors
    assert found == (
        "1 training row has identical answers",
        "1 training row has an empty chosen answer",
        "2 training rows are contradicted by another row",
    )


def test_damaged_files_are_told_with_their_line(database: Database, place: Workspace) -> None:
    label_many(database, 20)
    built = build_dataset(database, place, DatasetSpec(), now=0.0)
    assert check_dataset(built).errors == ()
    train = Path(built.path) / "train.jsonl"
    train.write_bytes(train.read_bytes() + b'{"prompt": 3}\n')

    check = check_dataset(built)

    assert f"train.jsonl:{built.train_rows + 1}" in check.errors[0]
    with pytest.raises(RlftError, match=f"data set {built.hash}"):
        check.raise_for_errors(built)
    train.unlink()
    assert "cannot be read" in check_dataset(built).errors[0]


def test_verdicts_on_pairs_that_are_not_there_are_passed_over(
    fresh_db: duckdb.DuckDBPyConnection,
) -> None:
    from rlft_tui.datasets.verdicts_table import current_verdicts

    insert_operation(fresh_db, verdict("gone"))
    assert current_verdicts(fresh_db, DatasetSpec()) == []
