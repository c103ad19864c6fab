"""Pairs from files: native rows, and preference rows that bring a verdict."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlft_tui.database.connection import open_database
from rlft_tui.database.migrations import migrate
from rlft_tui.errors import RlftError
from rlft_tui.pairs.import_pairs import import_pairs, read_pairs
from rlft_tui.pairs.pair_row import PairRow
from rlft_tui.pairs.pairs_table import count_pairs, pair_by_id, pairs_page
from rlft_tui.paths import Workspace
from rlft_tui.prompts.import_report import LineReport
from rlft_tui.prompts.prompt import Message

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
HH = "\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: What now?\n\nAssistant:"


def write(folder: Path, name: str, *rows: object) -> Path:
    path = folder / name
    path.write_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    return path


def turns(*said: tuple[str, str]) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in said]


def read_one(folder: Path, row: object) -> PairRow | LineReport:
    (found,) = read_pairs("x.jsonl", write(folder, "x.jsonl", row), now=5.0)
    return found


def test_a_native_row_keeps_its_sides_models_and_category(tmp_path: Path) -> None:
    row = {
        "prompt": "Why?",
        "response_a": "Because.",
        "response_b": "Who knows?",
        "model_a": "base",
        "model_b": "tuned",
        "category": "deep",
        "unknown": [1, 2],
    }
    found = read_one(tmp_path, row)
    assert isinstance(found, PairRow)
    pair = found.pair
    assert (pair.prompt, pair.response_a, pair.response_b) == ("Why?", "Because.", "Who knows?")
    assert (pair.model_a, pair.model_b, pair.category) == ("base", "tuned", "deep")
    assert (pair.source, pair.created_at) == ("x.jsonl", 5.0)
    assert (found.chosen, found.warnings) == (None, ())


def test_a_native_row_may_hold_a_conversation(tmp_path: Path) -> None:
    found = read_one(
        tmp_path,
        {
            "prompt": turns(("system", "Be brief."), ("user", "Why?")),
            "response_a": turns(("assistant", "Because.")),
            "response_b": "Who knows?",
        },
    )
    assert isinstance(found, PairRow)
    assert found.pair.context == (Message("system", "Be brief."),)
    assert (found.pair.prompt, found.pair.response_a) == ("Why?", "Because.")


PREFERENCES: dict[str, dict[str, Any]] = {
    "standard": {"prompt": "Why?", "chosen": "good", "rejected": "bad"},
    "conversational": {
        "prompt": turns(("user", "Why?")),
        "chosen": turns(("assistant", "good")),
        "rejected": turns(("assistant", "bad")),
    },
    "conversational, implicit prompt": {
        "chosen": turns(("user", "Why?"), ("assistant", "good")),
        "rejected": turns(("user", "Why?"), ("assistant", "bad")),
    },
    "UltraFeedback, prompt repeated": {
        "prompt": "Why?",
        "prompt_id": "1",
        "messages": turns(("user", "Why?"), ("assistant", "good")),
        "chosen": turns(("user", "Why?"), ("assistant", "good")),
        "rejected": turns(("user", "Why?"), ("assistant", "bad")),
        "score_chosen": 9.0,
    },
    "text prompt, message answers": {
        "prompt": "Why?",
        "chosen": turns(("assistant", "good")),
        "rejected": turns(("assistant", "bad")),
    },
    "messages, text answers": {"prompt": turns(("user", "Why?")), "chosen": "good", "rejected": "bad"},
    "standard, implicit prompt": {"chosen": "Why? good", "rejected": "Why? bad"},
    "HH-RLHF": {
        "chosen": "\n\nHuman: Why?\n\nAssistant: good",
        "rejected": "\n\nHuman: Why?\n\nAssistant: bad",
    },
    "HH-RLHF with a prompt": {
        "prompt": "\n\nHuman: Why?\n\nAssistant:",
        "chosen": "good",
        "rejected": "bad",
    },
}


@pytest.mark.parametrize("form", PREFERENCES)
def test_every_preference_form_gives_the_same_pair_and_verdict(tmp_path: Path, form: str) -> None:
    found = read_one(tmp_path, PREFERENCES[form])

    assert isinstance(found, PairRow), found
    assert found.pair.prompt == "Why?"
    assert found.pair.context == ()
    assert found.chosen is not None
    answers = {"a": found.pair.response_a, "b": found.pair.response_b}
    assert answers.pop(found.chosen) == "good"
    assert list(answers.values()) == ["bad"]
    plain = read_one(tmp_path, PREFERENCES["standard"])
    assert isinstance(plain, PairRow)
    assert found.pair.id == plain.pair.id


def test_earlier_turns_become_the_context(tmp_path: Path) -> None:
    found = read_one(tmp_path, {"chosen": HH + " Rest.", "rejected": HH + " Run."})
    assert isinstance(found, PairRow)
    assert found.pair.context == (Message("user", "Hi"), Message("assistant", "Hello."))
    assert found.pair.prompt == "What now?"
    assert {found.pair.response_a, found.pair.response_b} == {"Rest.", "Run."}


def test_an_implicit_prompt_ends_between_words(tmp_path: Path) -> None:
    found = read_one(tmp_path, {"chosen": "The sea is bluish", "rejected": "The sea is blunt"})
    assert isinstance(found, PairRow)
    assert found.pair.prompt == "The sea is"
    assert {found.pair.response_a, found.pair.response_b} == {"bluish", "blunt"}


def test_the_chosen_answer_is_on_either_side(tmp_path: Path) -> None:
    rows = [{"prompt": f"p{n}", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(200)]
    found = list(read_pairs("x.jsonl", write(tmp_path, "x.jsonl", *rows), now=0.0))
    share = sum(row.chosen == "a" for row in found if isinstance(row, PairRow)) / 200
    assert 0.35 < share < 0.65


def test_a_mirrored_preference_is_the_same_pair_with_the_other_verdict(
    tmp_path: Path, fresh_db: duckdb.DuckDBPyConnection
) -> None:
    path = write(
        tmp_path,
        "x.jsonl",
        {"prompt": "p", "chosen": "x", "rejected": "y"},
        {"prompt": "p", "chosen": "y", "rejected": "x"},
    )
    one, two = read_pairs("x.jsonl", path, now=0.0)
    assert isinstance(one, PairRow)
    assert isinstance(two, PairRow)
    assert one.pair.id == two.pair.id
    assert {one.chosen, two.chosen} == {"a", "b"}
    assert import_pairs(fresh_db, "x.jsonl", path, now=0.0).report.warnings == (
        LineReport(2, "contradicts line 1: the later one counts"),
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"foo": 1}, "has neither response_a and response_b nor chosen and rejected"),
        ({"response_a": "x", "response_b": "y"}, "has no prompt"),
        ({"prompt": "p", "response_a": "x"}, "has no response_b"),
        ({"prompt": "p", "response_a": None, "response_b": "y"}, "response_a is null"),
        ({"prompt": "p", "response_a": 1.5, "response_b": "y"}, "response_a is a number, not text"),
        ({"prompt": "p", "response_a": {}, "response_b": "y"}, "response_a is an object, not text"),
        ({"prompt": " ", "response_a": "x", "response_b": "y"}, "prompt is empty"),
        ({"prompt": "p", "response_a": "x", "response_b": "y", "model_a": 3}, "model_a is a number"),
        ({"prompt": "p", "chosen": "x"}, "has no rejected"),
        ({"prompt": "p", "chosen": "x", "rejected": None}, "rejected is null"),
        ({"prompt": "p", "chosen": "x", "rejected": []}, "one text and one list"),
        ({"prompt": "p", "chosen": [], "rejected": []}, "has no messages"),
        ({"chosen": "same", "rejected": "same"}, "share no beginning"),
        ({"chosen": "Yes", "rejected": "No"}, "share no beginning"),
        ({"chosen": HH + " a", "rejected": HH.replace("Hi", "Ho") + " b"}, "differ before the last answer"),
        ({"prompt": [], "chosen": [], "rejected": []}, "prompt has no messages"),
        (
            {
                "prompt": turns(("user", "p")),
                "chosen": turns(("assistant", "x"), ("user", "y")),
                "rejected": turns(("assistant", "z")),
            },
            "has to be one assistant message, and has 2 messages",
        ),
        (
            {"chosen": turns(("user", "p"), ("assistant", "x")), "rejected": turns(("user", "p"))},
            "have to end with the assistant",
        ),
    ],
)
def test_a_bad_row_is_told_and_the_others_are_kept(tmp_path: Path, row: object, reason: str) -> None:
    good = {"prompt": "p", "response_a": "x", "response_b": "y"}
    first, bad, last = read_pairs("x.jsonl", write(tmp_path, "x.jsonl", good, row, good), now=0.0)
    assert isinstance(first, PairRow)
    assert isinstance(last, PairRow)
    assert isinstance(bad, LineReport)
    assert bad.line == 2
    assert reason in bad.reason


def test_empty_and_identical_answers_are_kept_with_a_warning(
    tmp_path: Path, fresh_db: duckdb.DuckDBPyConnection
) -> None:
    path = write(
        tmp_path,
        "x.jsonl",
        {"prompt": "p", "response_a": "", "response_b": "y"},
        {"prompt": "p", "response_a": "same", "response_b": "same"},
        {"prompt": "p", "chosen": "same", "rejected": "same"},
        {"prompt": "p", "response_a": " ", "response_b": " "},
    )
    outcome = import_pairs(fresh_db, "x.jsonl", path, now=0.0)

    assert outcome.report.imported == 3
    assert outcome.report.duplicates == 1
    assert outcome.verdicts == ()
    assert [(one.line, one.reason) for one in outcome.report.warnings] == [
        (1, "an answer is empty"),
        (2, "the answers are identical"),
        (3, "the answers are identical; its verdict was left out"),
        (4, "an answer is empty"),
        (4, "the answers are identical"),
    ]


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "csv", "csv.gz", "parquet"])
def test_every_format_gives_the_same_pairs(
    tmp_path: Path, kind: str, fresh_db: duckdb.DuckDBPyConnection
) -> None:
    columns = ("prompt", "response_a", "response_b", "model_a", "model_b", "category")
    rows = [(f"p{n}", f'say "{n}",\nyes', f"b{n} ü", "m", "n", "c") for n in range(50)]
    path = write(tmp_path, "source.jsonl", *(dict(zip(columns, row, strict=True)) for row in rows))
    if kind in ("csv.gz", "csv", "parquet"):
        target = tmp_path / f"x.{kind.removesuffix('.gz')}"
        options = "format parquet" if kind == "parquet" else "format csv, header"
        source = f"from read_json('{path}', format = 'newline_delimited')"
        duckdb.execute(f"copy ({source}) to '{target}' ({options})")
        path = target
    if kind.endswith(".gz"):
        path.write_bytes(gzip.compress(path.read_bytes()))

    outcome = import_pairs(fresh_db, f"x.{kind}", path, now=0.0)

    assert outcome.report.rejected == ()
    assert outcome.report.imported == 50
    total, pairs = pairs_page(fresh_db, limit=1000)
    assert total == 50
    stored = [
        (one.prompt, one.response_a, one.response_b, one.model_a, one.model_b, one.category) for one in pairs
    ]
    assert stored == rows


def test_importing_again_adds_no_pair_and_gives_the_same_verdicts(
    tmp_path: Path, fresh_db: duckdb.DuckDBPyConnection
) -> None:
    rows = [{"prompt": f"p{n}", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(5000)]
    path = write(tmp_path, "x.jsonl", *rows, rows[0])

    first = import_pairs(fresh_db, "x.jsonl", path, now=0.0)
    again = import_pairs(fresh_db, "y.jsonl", path, now=1.0)

    assert (first.report.read, first.report.imported, first.report.duplicates) == (5001, 5000, 1)
    assert (again.report.read, again.report.imported, again.report.duplicates) == (5001, 0, 5001)
    assert first.verdicts == again.verdicts
    for verdict in first.verdicts[:: len(first.verdicts) // 50]:
        pair = pair_by_id(fresh_db, verdict.example_id)
        chosen = pair.response_a if verdict.choice == "a" else pair.response_b
        assert chosen == f"good {pair.prompt[1:]}"


def test_a_file_cut_short_leaves_nothing(tmp_path: Path, fresh_db: duckdb.DuckDBPyConnection) -> None:
    rows = [{"prompt": f"p{n}", "response_a": "x", "response_b": f"y{n}"} for n in range(9000)]
    path = write(tmp_path, "x.jsonl", *rows)
    path.write_bytes(gzip.compress(path.read_bytes())[:-30])

    fresh_db.execute("begin transaction")
    with pytest.raises(RlftError, match="cut short"):
        import_pairs(fresh_db, "x.jsonl.gz", path, now=0.0)
    assert count_pairs(fresh_db) > 0
    fresh_db.execute("rollback")

    assert count_pairs(fresh_db) == 0


def test_an_import_that_is_killed_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "w")
    place.root.mkdir()
    rows = [{"prompt": f"p{n}", "response_a": "x" * 100, "response_b": f"y{n}"} for n in range(20_000)]
    path = write(tmp_path, "x.jsonl", *rows)
    command = [sys.executable, str(Path(__file__).with_name("importer.py")), str(place.root), str(path)]

    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as importer:
        assert importer.stdout is not None
        assert importer.stdout.readline() == "20000\n"
        importer.kill()

    with open_database(place) as database:
        with database.reader() as connection:
            assert count_pairs(connection) == 0
        with database.write() as connection:
            assert import_pairs(connection, "x.jsonl", path, now=0.0).report.imported == 20_000
    with open_database(place) as database, database.reader() as connection:
        assert count_pairs(connection) == 20_000


def test_a_text_file_holds_no_pairs(tmp_path: Path) -> None:
    with pytest.raises(RlftError, match="a text file holds no pairs"):
        list(read_pairs("x.txt", write(tmp_path, "x.txt", "x"), now=0.0))


TURN = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "boss"]), "content": st.none() | TEXT}
)
VALUES = st.none() | st.integers() | st.floats() | TEXT | st.lists(TURN, max_size=3)
ROWS = st.dictionaries(
    st.sampled_from(
        ["prompt", "response_a", "response_b", "chosen", "rejected", "model_a", "category", "context"]
    ),
    VALUES,
)


@settings(max_examples=120, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=5))
def test_any_row_gives_a_pair_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    path = write(tmp_path_factory.mktemp("rows"), "x.jsonl", *rows)
    found = list(read_pairs("x.jsonl", path, now=0.0))
    assert [row.line for row in found] == list(range(1, len(rows) + 1))
    for row in found:
        if isinstance(row, PairRow):
            assert row.pair.prompt.strip()
            assert row.chosen is None or row.pair.response_a != row.pair.response_b


@pytest.fixture(scope="module")
def shared_db() -> Iterator[duckdb.DuckDBPyConnection]:
    """For tests that try many examples: each rolls back what it did."""
    connection = duckdb.connect(":memory:", config={"threads": 1})
    migrate(connection)
    yield connection
    connection.close()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(TEXT.filter(str.strip), TEXT, TEXT), min_size=1, max_size=8))
def test_what_is_stored_is_what_the_file_says(
    tmp_path_factory: pytest.TempPathFactory,
    shared_db: duckdb.DuckDBPyConnection,
    rows: list[tuple[str, str, str]],
) -> None:
    connection = shared_db.cursor()
    connection.execute("begin transaction")
    values = [dict(zip(("prompt", "response_a", "response_b"), row, strict=True)) for row in rows]
    path = write(tmp_path_factory.mktemp("pairs"), "x.jsonl", *values)

    report = import_pairs(connection, "x.jsonl", path, now=0.0).report

    _, pairs = pairs_page(connection)
    assert [(one.prompt, one.response_a, one.response_b) for one in pairs] == list(dict.fromkeys(rows))
    assert (report.read, report.imported) == (len(rows), len(set(rows)))
    assert import_pairs(connection, "x.jsonl", path, now=0.0).report.imported == 0
    connection.execute("rollback")
    connection.close()
