"""The journal: what was appended is read back, whatever happened to the end of the file."""

from __future__ import annotations

import resource
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rlft_tui.errors import UnavailableError
from rlft_tui.labels.journal import PreferenceJournal
from rlft_tui.labels.preference import BetterAnswer, LabelOperation, Mark, Preference, Revocation

text = st.text(max_size=40)
name = st.text(min_size=1, max_size=20)
when = st.floats(min_value=0, max_value=4e9)
preferences = st.builds(
    Preference,
    id=name,
    example_id=text,
    labeler_id=name,
    choice=st.sampled_from(["a", "b", "tie"]),
    shown_first=st.sampled_from(["a", "b"]),
    confidence=st.one_of(st.none(), st.integers(1, 5)),
    reasoning=text,
    time_spent_ms=st.integers(0, 10**9),
    source=text,
    created_at=when,
    strength=st.none(),
).flatmap(
    lambda one: st.builds(
        replace,
        st.just(one),
        **(
            {"quality": st.sampled_from(["", "both_good", "both_bad"])}
            if one.choice == "tie"
            else {"strength": st.one_of(st.none(), st.integers(1, 4))}
        ),
    )
)
marks = st.builds(
    Mark, id=name, example_id=text, labeler_id=name, kind=st.sampled_from(["skip", "flag"]), note=text
)
revocations = st.builds(Revocation, id=name, target_id=text, labeler_id=name, created_at=when)
answers = st.builds(
    BetterAnswer,
    id=name,
    example_id=text,
    labeler_id=name,
    text=st.text(min_size=1, max_size=40).filter(str.strip),
    created_at=when,
)
operations = st.lists(st.one_of(preferences, marks, answers, revocations), min_size=1, max_size=8)


@contextmanager
def fresh_journal() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "preferences.jsonl"


def write(path: Path, written: list[LabelOperation]) -> None:
    journal = PreferenceJournal(path)
    for operation in written:
        journal.append([operation])
    journal.sync()
    journal.close()


def read(path: Path) -> tuple[list[LabelOperation], list[str]]:
    journal = PreferenceJournal(path)
    found = list(journal.read())
    journal.close()
    return found, journal.warnings


@settings(deadline=None, max_examples=60)
@given(operations)
def test_every_operation_is_read_back_as_it_was_written(written: list[LabelOperation]) -> None:
    with fresh_journal() as path:
        write(path, written)
        assert read(path) == (written, [])


@settings(deadline=None, max_examples=60)
@given(operations, st.data())
def test_a_file_cut_anywhere_keeps_every_whole_line(
    written: list[LabelOperation], data: st.DataObject
) -> None:
    with fresh_journal() as path:
        write(path, written)
        content = path.read_bytes()
        cut = data.draw(st.integers(0, len(content)))
        path.write_bytes(content[:cut])
        whole = content[:cut].count(b"\n")
        lacks_only_its_newline = content[cut : cut + 1] == b"\n"

        found, warnings = read(path)

        assert found == written[: whole + lacks_only_its_newline]
        torn = not lacks_only_its_newline and not content[:cut].endswith(b"\n") and cut > 0
        assert bool(warnings) == torn
        # A repaired file takes new lines and is silent the next time.
        write(path, [Mark("new", "pair", "ada", "skip")])
        assert read(path) == ([*found, Mark("new", "pair", "ada", "skip")], [])


def test_lines_of_before_there_were_strengths_are_read(tmp_path: Path) -> None:
    path = tmp_path / "preferences.jsonl"
    path.write_bytes(
        b'{"kind":"preference","id":"1","example_id":"p","labeler_id":"ada","choice":"tie","shown_first":"b",'
        b'"confidence":4,"reasoning":"equal","time_spent_ms":900,"source":"human","created_at":5.0}\n'
        b'{"kind":"skip","id":"2","example_id":"q","labeler_id":"ada","note":"","created_at":6.0}\n'
    )
    first = Preference("1", "p", "ada", "tie", "b", 4, "equal", 900, "human", 5.0)
    assert read(path) == ([first, Mark("2", "q", "ada", "skip", "", 6.0)], [])
    assert (first.strength, first.quality) == (None, "")


def test_an_unreadable_line_is_reported_with_its_number_and_the_others_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "preferences.jsonl"
    first, last = Mark("1", "pair", "ada", "skip"), Mark("2", "pair", "ada", "flag")
    write(path, [first])
    with path.open("ab") as stream:
        stream.write(b"\x00\xff not json\n")
    write(path, [last])

    found, warnings = read(path)

    assert found == [first, last]
    assert warnings == ["preferences.jsonl: 1 unreadable line(s) passed over, the first is line 2"]


def test_a_write_that_does_not_fit_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "preferences.jsonl"
    journal = PreferenceJournal(path)
    journal.append([Mark("1", "pair", "ada", "skip")])
    before = path.read_bytes()
    large = Mark("2", "pair", "ada", "flag", note="n" * 5000)

    with file_size_limit(len(before) + 1000), pytest.raises(UnavailableError, match="could not be stored"):
        journal.append([large])

    assert path.read_bytes() == before
    journal.append([large])
    journal.close()
    assert read(path) == ([Mark("1", "pair", "ada", "skip"), large], [])


def test_a_replaced_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "preferences.jsonl"
    journal = PreferenceJournal(path)
    assert journal.is_in_place()
    path.rename(tmp_path / "elsewhere.jsonl")
    assert not journal.is_in_place()
    path.touch()
    assert not journal.is_in_place()
    journal.close()


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """A disk that is full after ``size`` bytes, as far as this process can tell."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
