"""Prompts from files: the good rows are kept, every bad line has a number and a reason."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlft_tui.database.migrations import migrate
from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.prompts import row_reader
from rlft_tui.prompts.batches import batches
from rlft_tui.prompts.import_prompts import PromptRow, import_prompts, read_prompts
from rlft_tui.prompts.import_report import LineReport
from rlft_tui.prompts.prompt import Message, Prompt
from rlft_tui.prompts.prompts_table import (
    count_prompts,
    prompt_by_id,
    prompt_categories,
    prompts_page,
    store_prompts,
)
from rlft_tui.prompts.row_reader import SourceRow, read_rows

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
NAMES = st.sampled_from(["x.jsonl", "x.csv", "x.txt", "x.tsv", "x.json", "x.jsonl.gz"])
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def prompts_of(folder: Path, name: str, content: bytes) -> list[Prompt | LineReport]:
    rows = read_prompts(name, write(folder, name, content), now=5.0)
    return [row.prompt if isinstance(row, PromptRow) else row for row in rows]


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def test_json_lines_may_call_the_prompt_what_other_tools_call_it(tmp_path: Path) -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "Who are you?"},
        {"role": "assistant", "content": "Nobody."},
    ]
    content = lines(
        {"prompt": "one", "category": "maths"},
        {"instruction": "Translate.", "input": "chat", "output": "cat"},
        {"instruction": "Sing.", "input": ""},
        {"question": "why?", "answer": "42"},
        {"messages": turns},
        {"messages": [{"from": "human", "value": "ShareGPT"}, {"from": "gpt", "value": "yes"}]},
        {"prompt": None, "question": "second choice"},
    )

    found = prompts_of(tmp_path, "mixed.jsonl", content)

    assert [one.prompt for one in found if isinstance(one, Prompt)] == [
        "one",
        "Translate.\n\nchat",
        "Sing.",
        "why?",
        "Who are you?",
        "ShareGPT",
        "second choice",
    ]
    conversation = found[4]
    assert isinstance(conversation, Prompt)
    assert conversation.context == (
        Message("system", "Be brief."),
        Message("user", "Hi"),
        Message("assistant", "Hello."),
    )
    assert (found[0].category, found[0].source, found[0].created_at) == ("maths", "mixed.jsonl", 5.0)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not valid JSON"),
        (b'{"prompt": "x"} trailing', "not valid JSON"),
        (b'{"prompt": NaN}', "NaN and Infinity are no JSON values"),
        (b'{"prompt": "\xff"}', "not valid UTF-8 (byte 13)"),
        (b'{"prompt": "\\ud800"}', "not valid JSON"),
        (b"[" * 5000, "nested too deeply"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested too deeply"),
        (b"3", "is a number, not an object"),
        (b'"text"', "is text, not an object"),
        (b"null", "is null, not an object"),
        (b'{"text": "x"}', "has none of prompt, instruction, question, messages"),
        (b'{"prompt": null}', "prompt is null"),
        (b'{"prompt": 3}', "prompt is a number, not text"),
        (b'{"prompt": {"a": 1}}', "prompt is an object, not text"),
        (b'{"prompt": " \\n"}', "prompt is empty"),
        (b'{"prompt": "x", "category": ["a"]}', "category is a list, not text"),
        (b'{"messages": []}', "messages has no messages"),
        (b'{"messages": [3]}', "messages[0] is a number, not a message"),
        (b'{"messages": [{"role": "user"}]}', "messages[0] content is null"),
        (b'{"messages": [{"role": "boss", "content": "x"}]}', "has role 'boss'"),
        (b'{"messages": [{"role": "system", "content": "x"}]}', "ends with the system"),
        (b'{"messages": [{"role": "user", "content": [{"type": "image"}]}]}', "content that is no text"),
        (b'{"prompt": "' + b"x" * 1_000_001 + b'"}', "longer than 1,000,000 characters"),
    ],
)
def test_a_bad_line_is_told_by_number_and_the_others_are_kept(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    content = lines({"prompt": "first"}) + b"\n" + line + b"\n" + lines({"prompt": "last"})

    first, bad, last = prompts_of(tmp_path, "x.jsonl", content)

    assert isinstance(first, Prompt)
    assert isinstance(last, Prompt)
    assert isinstance(bad, LineReport)
    assert bad.line == 3
    assert reason in bad.reason


def test_an_endless_line_is_refused_without_being_held_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_reader, "MAX_LINE_BYTES", 1000)
    content = lines({"prompt": "first"}) + b"x" * 5500 + b"\n" + lines({"prompt": "last"})

    first, bad, last = prompts_of(tmp_path, "x.jsonl", content)

    assert (first.prompt, last.prompt) == ("first", "last")
    assert isinstance(bad, LineReport)
    assert bad.line == 2
    assert bad.reason.startswith("longer than")


def test_a_byte_order_mark_and_windows_line_ends_are_no_content(tmp_path: Path) -> None:
    for name, content in (
        ("x.jsonl", b'\xef\xbb\xbf{"prompt": "one"}\r\n{"prompt": "two"}\r\n'),
        ("x.csv", b"\xef\xbb\xbfprompt\r\none\r\ntwo\r\n"),
        ("x.txt", b"\xef\xbb\xbfone\r\n\r\n  two  "),
    ):
        assert [row.prompt for row in prompts_of(tmp_path, name, content)] == ["one", "two"], name


def test_csv_rows_may_span_lines_and_bad_ones_are_told(tmp_path: Path) -> None:
    content = (
        b'prompt,category\n"two\nlines",a\nonly one\nx,y,z\nq,"a"b\n\xff,c\n'
        b'"said ""so""",d\n\n"never closed,\nend'
    )
    found = prompts_of(tmp_path, "x.csv", content)

    assert [one.prompt for one in found if isinstance(one, Prompt)] == ["two\nlines", 'said "so"']
    reasons = {one.line: one.reason for one in found if isinstance(one, LineReport)}
    assert reasons[4] == "has 1 columns where the header has 2"
    assert reasons[5] == "has 3 columns where the header has 2"
    assert reasons[6].startswith("not valid CSV")
    assert reasons[7] == "not valid UTF-8"
    assert reasons[10].startswith("not valid CSV")
    assert set(reasons) == {4, 5, 6, 7, 10}


def test_tabs_separate_a_tsv(tmp_path: Path) -> None:
    (found,) = prompts_of(tmp_path, "x.tsv", b"prompt\tcategory\na, b\tc\n")
    assert isinstance(found, Prompt)
    assert (found.prompt, found.category) == ("a, b", "c")


def test_a_header_that_names_a_column_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RlftError, match="names 'prompt' twice"):
        prompts_of(tmp_path, "x.csv", b"prompt,prompt\na,b\n")


def test_parquet_rows_count_from_one(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    duckdb.execute(
        f"""copy (select * from (values ('one', 'a', 1.5), (null, 'b', 'nan'::double), ('three', null, 2))
            t(prompt, category, score)) to '{path}'"""
    )
    found = [
        row.prompt if isinstance(row, PromptRow) else row for row in read_prompts("x.parquet", path, now=0)
    ]
    assert isinstance(found[0], Prompt)
    assert found[1] == LineReport(2, "prompt is null")
    assert isinstance(found[2], Prompt)
    assert found[2].category == ""


def test_a_json_array_is_read_by_element(tmp_path: Path) -> None:
    found = prompts_of(tmp_path, "x.json", b'[\n{"prompt": "one"},\n 3]')
    assert isinstance(found[0], Prompt)
    assert found[1] == LineReport(2, "is a number, not an object")
    with pytest.raises(RlftError, match="not a valid JSON array"):
        prompts_of(tmp_path, "x.json", b'[{"prompt": "one"}')


@pytest.mark.parametrize("name", ["x.jsonl.gz", "x.jsonl", "x.txt.gz"])
def test_gzip_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    content = b"one\n" if ".txt" in name else lines({"prompt": "one"})
    (found,) = prompts_of(tmp_path, name, gzip.compress(content))
    assert isinstance(found, Prompt)
    assert found.prompt == "one"


@pytest.mark.parametrize("cut", [1, 8, 12, 40])
def test_a_gzip_file_cut_short_is_refused_whole(
    tmp_path: Path, cut: int, fresh_db: duckdb.DuckDBPyConnection
) -> None:
    content = gzip.compress(lines(*({"prompt": f"prompt {n}"} for n in range(5000))))[:-cut]
    path = write(tmp_path, "x.jsonl.gz", content)

    fresh_db.execute("begin transaction")
    with pytest.raises(RlftError, match=r"x\.jsonl\.gz: the gzip file is cut short or damaged"):
        import_prompts(fresh_db, "x.jsonl.gz", path, now=0.0)
    fresh_db.execute("rollback")

    assert count_prompts(fresh_db) == 0


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.pdf", b"x", "cannot tell the format of a file called .pdf"),
        ("prompts", b"x", "cannot tell the format of a file called without a suffix"),
        ("x.parquet", b"not parquet", "not a readable Parquet file"),
        ("x.jsonl", "{}".encode("utf-16"), "the file is UTF-16"),
        ("x.jsonl.gz", b"\x1f\x8bgarbage", "cut short or damaged"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    with pytest.raises(RlftError) as caught:
        prompts_of(tmp_path, name, content)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_import_is_counted_and_repeating_it_adds_nothing(
    tmp_path: Path, fresh_db: duckdb.DuckDBPyConnection
) -> None:
    content = lines({"prompt": "one"}, {"prompt": "two"}, {"prompt": "one"}, {"prompt": 3})
    path = write(tmp_path, "x.jsonl", content)

    first = import_prompts(fresh_db, "x.jsonl", path, now=1.0)
    again = import_prompts(fresh_db, "other-name.jsonl", path, now=2.0)

    assert (first.read, first.imported, first.duplicates) == (4, 2, 1)
    assert first.rejected == (LineReport(4, "prompt is a number, not text"),)
    assert (again.read, again.imported, again.duplicates) == (4, 0, 3)
    assert [one.prompt for one in prompts_page(fresh_db)[1]] == ["one", "two"]


def test_the_same_words_in_another_conversation_are_another_prompt(
    tmp_path: Path, fresh_db: duckdb.DuckDBPyConnection
) -> None:
    user = {"role": "user", "content": "Go on."}
    content = lines(
        {"prompt": "Go on."},
        {"messages": [user]},
        {"messages": [{"role": "system", "content": "Be rude."}, user]},
    )
    report = import_prompts(fresh_db, "x.jsonl", write(tmp_path, "x.jsonl", content), now=0.0)
    assert (report.imported, report.duplicates) == (2, 1)


def test_prompts_are_paged_searched_and_found(fresh_db: duckdb.DuckDBPyConnection) -> None:
    rows = [
        Prompt(f"id{n}", f"Prompt {n} about {'CATS' if n % 2 else 'dogs'}", (), "odd" if n % 2 else "even")
        for n in range(100)
    ]
    assert store_prompts(fresh_db, rows) == 100

    total, page = prompts_page(fresh_db, offset=10, limit=5)
    assert (total, [one.id for one in page]) == (100, ["id10", "id11", "id12", "id13", "id14"])
    assert prompts_page(fresh_db, search="cats", category="odd", limit=1)[0] == 50
    assert prompts_page(fresh_db, search="cats", category="even") == (0, ())
    assert prompts_page(fresh_db, search="100% '; drop table prompts --")[0] == 0
    assert prompt_categories(fresh_db) == {"even": 50, "odd": 50}
    assert prompt_by_id(fresh_db, "id7") == rows[7]
    with pytest.raises(NotFoundError, match="'nowhere'"):
        prompt_by_id(fresh_db, "nowhere")


@settings(max_examples=60, deadline=None)
@given(st.lists(JSON, max_size=8))
def test_any_json_gives_a_row_or_a_reason_for_each_line(
    tmp_path_factory: pytest.TempPathFactory, values: list[object]
) -> None:
    folder = tmp_path_factory.mktemp("json")
    found = list(read_prompts("x.jsonl", write(folder, "x.jsonl", b"\n" + lines(*values)), now=0.0))
    assert [row.line for row in found] == list(range(2, len(values) + 2))


@settings(max_examples=80, deadline=None)
@given(
    st.binary(max_size=400), st.sampled_from(["x.jsonl", "x.csv", "x.txt", "x.tsv", "x.json", "x.jsonl.gz"])
)
def test_any_bytes_give_rows_reasons_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    path = write(tmp_path_factory.mktemp("bytes"), name, content)
    with contextlib.suppress(RlftError):
        for row in read_rows(name, path):
            if isinstance(row, SourceRow):
                json.dumps(row.values).encode()
            else:
                assert row.reason


@pytest.fixture(scope="module")
def shared_db() -> Iterator[duckdb.DuckDBPyConnection]:
    """For tests that try many examples: each rolls back what it did."""
    connection = duckdb.connect(":memory:", config={"threads": 1})
    migrate(connection)
    yield connection
    connection.close()


@settings(max_examples=40, deadline=None)
@given(st.lists(TEXT.filter(str.strip), min_size=1, max_size=6, unique=True))
def test_any_text_comes_back_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, shared_db: duckdb.DuckDBPyConnection, texts: list[str]
) -> None:
    connection = shared_db.cursor()
    connection.execute("begin transaction")
    path = write(tmp_path_factory.mktemp("text"), "x.jsonl", lines(*({"prompt": text} for text in texts)))

    report = import_prompts(connection, "x.jsonl", path, now=0.0)

    assert report.imported == len(texts)
    assert [one.prompt for one in prompts_page(connection)[1]] == texts
    assert import_prompts(connection, "x.jsonl", path, now=0.0).imported == 0
    connection.execute("rollback")
    connection.close()


def test_batches_are_bounded_in_rows_and_characters() -> None:
    words = ["a" * 3] * 5 + ["b" * 50] + ["c"] * 4
    found = list(batches(words, len, most_rows=4, most_characters=20))
    assert [len(batch) for batch in found] == [4, 2, 4]
    assert [word for batch in found for word in batch] == words
    assert list(batches([], len)) == []


@pytest.mark.parametrize(("name", "count"), [("gsm8k_test_300.jsonl", 300), ("HumanEval.jsonl.gz", 164)])
def test_published_files_are_read_whole(name: str, count: int) -> None:
    if not (SHARED / name).exists():
        pytest.skip("the shared data is not here")
    found = list(read_prompts(name, SHARED / name, now=0.0))
    assert len(found) == count
    assert all(isinstance(row, PromptRow) for row in found)
