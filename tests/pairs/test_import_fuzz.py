"""Whatever a file holds, an import ends with a report or one clear error, and never with half of it."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlft_tui.database.migrations import migrate
from rlft_tui.errors import RlftError
from rlft_tui.labels.operation_codec import operation_from
from rlft_tui.pairs.formats.registry import FORMATS
from rlft_tui.pairs.import_pairs import ImportedVerdict, import_pairs
from rlft_tui.pairs.pair_row import OperationRow
from rlft_tui.pairs.pairs_table import count_pairs
from rlft_tui.prompts.import_report import ImportReport, LineReport
from rlft_tui.prompts.row_reader import MAX_LINE_BYTES, array_elements
from tests.pairs.test_formats import ROWS

QUICK = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
EXAMPLES: list[dict[str, Any]] = [
    *ROWS.values(),
    {"prompt": "p", "completion": "x", "label": True},
    {"prompt": "p", "completion": "y", "label": False},
    {"kind": "pair", "id": "1", "prompt": "p", "response_a": "x", "response_b": "y"},
    {"kind": "preference", "id": "2", "example_id": "1", "labeler_id": "l", "choice": "a"},
    {"kind": "archive", "rlft_archive": 1},
]
COLUMNS = sorted({column for row in EXAMPLES for column in row} | {"winner_tie", "model", "metadata"})
WORDS = st.sampled_from(
    ["", "a", "tie", "left", "response-1", "m1", "Why?", "\x00\x1b[31m", "ü\u2028", "true", "2"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=True, allow_infinity=True)
    | WORDS
    | st.text(max_size=8)
)
KEYS = st.sampled_from(["role", "content", "user", "value", "rank", "result", "id", "text", "type", "from"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def _values_of(value: Any) -> list[Any]:
    found = [value]
    if isinstance(value, dict):
        found += [one for inner in value.values() for one in _values_of(inner)]
    if isinstance(value, list):
        found += [one for inner in value for one in _values_of(inner)]
    return found


@st.composite
def damaged_rows(draw: st.DrawFn) -> dict[str, Any]:
    """A good row in which some values, at any depth, were replaced, dropped or added."""
    row = json.loads(json.dumps(draw(st.sampled_from(EXAMPLES))))
    for _ in range(draw(st.integers(0, 3))):
        holders = [one for one in _values_of(row) if isinstance(one, dict | list) and one]
        if not holders:
            break
        holder = draw(st.sampled_from(holders))
        key = draw(st.sampled_from(sorted(holder))) if isinstance(holder, dict) else 0
        if draw(st.booleans()):
            holder[key] = draw(VALUES)
        elif isinstance(holder, dict):
            del holder[key]
            holder[draw(st.sampled_from(COLUMNS))] = draw(VALUES)
    return row


class Checker:
    """Takes labels as the server's sink does, and checks that they are well formed."""

    def add_verdicts(self, verdicts: list[ImportedVerdict]) -> int:
        for verdict in verdicts:
            said = verdict.said
            assert said.choice in ("a", "b", "tie")
            assert said.strength in (None, 1, 2, 3, 4)
            assert said.confidence in (None, 1, 2, 3, 4, 5)
            assert said.quality == "" or said.choice == "tie"
            assert verdict.example_id
        return len(verdicts)

    def add_operations(self, operations: list[OperationRow]) -> tuple[int, list[LineReport]]:
        refused = []
        for row in operations:
            try:
                operation_from(row.values)
            except RlftError as error:
                refused.append(LineReport(row.line, error.what))
        return len(operations) - len(refused), refused


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(":memory:", config={"threads": 1})
    migrate(connection)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def imported(
    database: duckdb.DuckDBPyConnection, place: Path, name: str, content: bytes, form: str = "auto"
) -> ImportReport | None:
    """The report, or None for a clear error; after either, what is stored is all or nothing."""
    path = place / "upload"
    path.write_bytes(content)
    connection = database.cursor()
    connection.execute("begin transaction")
    try:
        report = import_pairs(connection, name, path, now=0.0, form=form, sink=Checker()).report
        assert count_pairs(connection) == report.imported
        assert report.read >= report.refused
        assert all(entry.line > 0 and entry.reason for entry in (*report.rejected, *report.warnings))
        assert import_pairs(connection, name, path, now=1.0, form=form, sink=Checker()).report.imported == 0
    except RlftError:
        return None
    finally:
        connection.execute("rollback")
        connection.close()
    with database.cursor() as after:
        assert count_pairs(after) == 0
    return report


def lines(rows: list[Any]) -> bytes:
    return b"".join(
        json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n" for row in rows
    )


@QUICK
@given(st.lists(damaged_rows(), min_size=1, max_size=6))
def test_damaged_rows(database: duckdb.DuckDBPyConnection, place: Path, rows: list[dict[str, Any]]) -> None:
    assert imported(database, place, "x.jsonl", lines(rows)) is not None or any(
        row.get("kind") == "archive" for row in rows
    )


@QUICK
@given(st.sampled_from([form.name for form in FORMATS]), st.lists(damaged_rows(), min_size=1, max_size=4))
def test_damaged_rows_read_as_any_format(
    database: duckdb.DuckDBPyConnection, place: Path, form: str, rows: list[dict[str, Any]]
) -> None:
    imported(database, place, "x.json", json.dumps(rows).encode(), form)


@QUICK
@given(
    st.lists(damaged_rows(), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=3)), min_size=1, max_size=4),
    st.sampled_from(["x.jsonl", "x.json", "x.csv", "x.tsv", "x.parquet"]),
    st.booleans(),
)
def test_bytes_overwritten_anywhere(
    database: duckdb.DuckDBPyConnection,
    place: Path,
    rows: list[dict[str, Any]],
    changes: list[tuple[int, bytes]],
    name: str,
    packed: bool,
) -> None:
    content = bytearray(json.dumps(rows, indent=1).encode() if name == "x.json" else lines(rows))
    if packed:
        content = bytearray(gzip.compress(bytes(content), mtime=0))
    for place_in_file, new in changes:
        at = place_in_file % len(content)
        content[at : at + len(new)] = new
    imported(database, place, name, bytes(content))


@QUICK
@given(st.lists(damaged_rows(), min_size=1, max_size=4))
def test_tables_of_any_text(
    database: duckdb.DuckDBPyConnection, place: Path, rows: list[dict[str, Any]]
) -> None:
    columns = sorted({column for row in rows for column in row})
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        values = [row.get(column) for column in columns]
        writer.writerow([json.dumps(one) if isinstance(one, list | dict) else one for one in values])
    imported(database, place, "x.csv", text.getvalue().encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("form", sorted(ROWS))
def test_a_gzip_file_cut_anywhere_leaves_nothing(
    database: duckdb.DuckDBPyConnection, place: Path, form: str
) -> None:
    whole = gzip.compress(lines([ROWS[form]] * 50))
    assert imported(database, place, "x.jsonl.gz", whole) is not None
    for share in (0.2, 0.6, 0.98):
        assert imported(database, place, "x.jsonl.gz", whole[: int(len(whole) * share)]) is None


@pytest.mark.parametrize("form", sorted(ROWS))
def test_huge_deep_and_repeated_values_are_told_by_line(
    database: duckdb.DuckDBPyConnection, place: Path, form: str
) -> None:
    row = ROWS[form]
    column = next(iter(column for column in row if column not in ("id", "model_a", "prompt_id")))
    deep: Any = "x"
    for _ in range(600):
        deep = [deep]
    endless = b'{"' + column.encode() + b'":' + b"[" * 5000 + b"]" * 5000 + b"}\n"
    content = (
        lines([row, {**row, column: "x" * 10_000_000}, {**row, column: deep}, {**row, column: None}, row])
        + endless
        + b'{"prompt": NaN}\n'
        + b"\xff\xfe\n"
    )
    report = imported(database, place, "x.jsonl", content)
    assert report is not None
    assert report.read == 8
    assert (report.imported, report.duplicates) >= (1, 1)
    refused = {entry.line: entry.reason for entry in report.rejected}
    assert {6, 7, 8} <= set(refused)
    assert refused[6] == "nested too deeply"
    assert "NaN" in refused[7]
    assert "UTF-8" in refused[8]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1", "utf-8-sig", "cp1252"])
def test_other_encodings_are_refused_or_read_right(
    database: duckdb.DuckDBPyConnection, place: Path, encoding: str
) -> None:
    text = json.dumps({"prompt": "Größe?", "chosen": "größer", "rejected": "klein"}, ensure_ascii=False)
    report = imported(database, place, "x.jsonl", (text + "\n").encode(encoding))
    if encoding == "utf-8-sig":
        assert report is not None
        assert report.imported == 1
    else:
        assert report is None or report.imported == 0


ELEMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@QUICK
@given(st.lists(ELEMENTS, max_size=6), st.sampled_from([None, 1]), st.booleans())
def test_array_elements_are_those_of_the_array(values: list[Any], indent: int | None, escaped: bool) -> None:
    content = json.dumps(values, indent=indent, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    found = [json.loads(one) for one in array_elements("x", io.BytesIO(content)) if one is not None]
    assert found == values
    with pytest.raises(RlftError, match="not a valid JSON array"):
        list(array_elements("x", io.BytesIO(content[:-1])))


def test_an_array_element_that_is_too_long_is_left_out_alone() -> None:
    content = b'["a\\"", "' + b"x" * (MAX_LINE_BYTES + 3_000_000) + b'", {"b": [1, "]"]}]'
    assert list(array_elements("x", io.BytesIO(content))) == [b'"a\\""', None, b'{"b": [1, "]"]}']
