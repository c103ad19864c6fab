"""The file that completions are collected in, torn anywhere, and the files that people get."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlft_tui.errors import RlftError
from rlft_tui.prompts.row_reader import SourceRow, read_rows
from rlft_tui.samples.completion import (
    Completion,
    append_completions,
    read_completions,
    repair_completions,
    sorted_completions,
)
from rlft_tui.samples.completion_files import columns_of, format_of, pieces

TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
COMPLETIONS = st.lists(
    st.builds(
        Completion,
        prompt_id=st.sampled_from(["p0", "p1", "p2"]),
        prompt=TEXTS,
        category=TEXTS,
        index=st.integers(0, 9),
        candidate=st.integers(0, 3),
        seed=st.integers(0, 2**63 - 1),
        text=TEXTS,
        tokens=st.integers(0, 100),
        ended=st.sampled_from(["eos", "length"]),
        reward=st.none() | st.floats(-2, 2),
    ),
    max_size=12,
    unique_by=lambda one: one.place,
)
QUICK = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(path: Path, completions: list[Completion]) -> None:
    with path.open("ab") as stream:
        append_completions(stream, completions)


@QUICK
@given(made=COMPLETIONS, cut=st.floats(0, 1))
def test_a_file_torn_anywhere_is_completed_without_gap_or_repeat(
    tmp_path: Path, made: list[Completion], cut: float
) -> None:
    path = tmp_path / "completions.jsonl"
    path.unlink(missing_ok=True)
    write(path, made)
    whole = path.read_bytes()
    path.write_bytes(whole[: round(cut * len(whole))])
    there = repair_completions(path)
    assert there == {one.place for one in read_completions(path)}
    write(path, [one for one in made if one.place not in there])
    assert path.read_bytes() == whole
    assert list(read_completions(path)) == made


@QUICK
@given(made=COMPLETIONS)
def test_lines_come_in_order_of_prompt_index_and_candidate(tmp_path: Path, made: list[Completion]) -> None:
    path = tmp_path / "completions.jsonl"
    path.unlink(missing_ok=True)
    write(path, made)
    ranks = {"p2": 0, "p0": 1}
    expected = sorted(
        (one for one in made if one.prompt_id in ranks),
        key=lambda one: (ranks[one.prompt_id], one.index, one.candidate),
    )
    assert list(sorted_completions(path, ranks)) == expected


@QUICK
@given(made=COMPLETIONS)
def test_csv_and_json_lines_are_read_back_as_they_were(tmp_path: Path, made: list[Completion]) -> None:
    columns = columns_of(["length"], candidates=True)
    for form in ("csv", "jsonl"):
        path = tmp_path / f"out.{form}"
        path.write_bytes(b"".join(pieces(made, form, columns)))
        read = [row.values for row in read_rows(path.name, path) if isinstance(row, SourceRow)]
        wanted = [one for one in made if form == "jsonl" or one.text or one.prompt or one.prompt_id]
        assert len(read) == len(wanted)
        for row, one in zip(read, wanted, strict=True):
            values = msgspec.structs.asdict(one)
            for name in ("prompt", "text", "category"):
                # A CSV reader gives nothing for an empty cell.
                assert (row.get(name) or "").replace("\r\n", "\n") == values[name].replace("\r\n", "\n")
            assert int(row["index"]) == one.index
            assert int(row["seed"]) == one.seed


def test_a_line_that_is_no_completion_is_named(tmp_path: Path) -> None:
    path = tmp_path / "completions.jsonl"
    path.write_bytes(b'{"prompt_id": 3}\n')
    with pytest.raises(RlftError, match=r"completions\.jsonl:1: not a completion"):
        list(read_completions(path))


def test_the_format_is_told_by_the_suffix_or_asked_for() -> None:
    assert format_of("a.CSV") == "csv"
    assert format_of("a.ndjson") == "jsonl"
    assert format_of("a.txt", "parquet") == "parquet"
    for name, asked in (("a.txt", ""), ("a.csv", "xlsx")):
        with pytest.raises(RlftError):
            format_of(name, asked)


def test_columns_are_those_that_were_asked_for() -> None:
    plain = columns_of([], candidates=False)
    assert plain == ("prompt_id", "prompt", "category", "index", "seed", "text", "tokens", "ended")
    assert columns_of(["a"], candidates=False)[8:] == ("reward",)
    assert columns_of(["a", "b"], candidates=True)[8:] == (
        "reward",
        "reward/a",
        "reward/b",
        "candidate",
        "kept",
    )
