"""The event log: what is written is read, whatever happens to the file in between."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlft_tui.runs.run_event import EventReader, EventWriter, RunEvent, decode_event, encode_event, number

RESERVED = {"v", "t", "kind"}
TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
EVENTS = st.builds(
    RunEvent,
    kind=TEXT,
    t=st.floats(0, 4e9),
    fields=st.dictionaries(TEXT.filter(lambda key: key not in RESERVED), VALUES, max_size=4),
)
ALSO_SLOW = settings(
    derandomize=True,
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def plain(value: Any) -> Any:
    """A value as it looks after the log: non-finite numbers by name."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


@ALSO_SLOW
@given(EVENTS)
def test_every_event_comes_back_as_it_was_written(event: RunEvent) -> None:
    line = encode_event(event)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode_event(line) == RunEvent(event.kind, event.t, plain(event.fields))


@ALSO_SLOW
@given(st.lists(EVENTS, max_size=5), st.data())
def test_any_split_of_the_bytes_gives_the_same_events(
    tmp_path_factory: pytest.TempPathFactory, events: list[RunEvent], data: st.DataObject
) -> None:
    content = b"".join(map(encode_event, events))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=6)))
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    reader = EventReader(path)
    found: list[RunEvent] = list(reader.read())
    for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
        with path.open("ab") as stream:
            stream.write(content[start:end])
        found += reader.read()
    assert found == [RunEvent(event.kind, event.t, plain(event.fields)) for event in events]
    assert (reader.offset, reader.unreadable, reader.restarts) == (len(content), 0, 0)


@ALSO_SLOW
@given(st.binary(max_size=200))
def test_no_line_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    path.write_bytes(content + b"\n" + encode_event(RunEvent("end", 1.0)))
    assert list(EventReader(path).read())[-1] == RunEvent("end", 1.0)


def test_a_torn_last_line_waits_and_a_later_writer_begins_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(encode_event(RunEvent("start", 1.0)) + b'{"v":1,"t":2,"ki')
    reader = EventReader(path)
    assert [event.kind for event in reader.read()] == ["start"]
    writer = EventWriter(path)
    writer.write("end", status="finished")
    writer.close()
    assert [event.kind for event in reader.read()] == ["end"]
    assert reader.unreadable == 1


def test_a_line_longer_than_the_limit_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(encode_event(RunEvent("sample", 1.0, {"text": "x" * 5000})))
    assert [event.kind for event in EventReader(path).read(limit=100)] == ["sample"]


def test_events_not_taken_are_read_again(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(encode_event(RunEvent("stage", float(t))) for t in range(3)))
    reader = EventReader(path)
    assert next(iter(reader.read())).t == 0.0
    assert [event.t for event in reader.read()] == [1.0, 2.0]


def old_and_new() -> tuple[bytes, bytes]:
    old = b"".join(encode_event(RunEvent("stage", float(t))) for t in range(5))
    return old, b"".join(encode_event(RunEvent("alert", 100.0 + t)) for t in range(9))


@pytest.mark.parametrize("how", ["shrunk", "replaced", "rewritten longer"])
def test_a_log_that_is_another_one_is_read_from_its_top(tmp_path: Path, how: str) -> None:
    old, new = old_and_new()
    path = tmp_path / "events.jsonl"
    path.write_bytes(old)
    reader = EventReader(path)
    assert len(list(reader.read())) == 5
    if how == "replaced":
        (tmp_path / "other").write_bytes(new)
        (tmp_path / "other").replace(path)
    else:
        new = new[: len(new) // 9] if how == "shrunk" else new
        path.write_bytes(new)
    found = list(reader.read())
    assert {event.kind for event in found} == {"alert"}
    assert len(found) == new.count(b"\n")
    assert reader.restarts == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
        (10**400, math.inf),
        (True, None),
        ("x", None),
    ],
)
def test_logged_numbers(value: object, expected: float | None) -> None:
    assert number(value) == expected


def test_nan_is_a_number_that_was_logged() -> None:
    logged = number("NaN")
    assert logged is not None
    assert math.isnan(logged)


def test_a_log_that_is_no_ordinary_file_is_told_and_read_again_once_it_is_one(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    reader = EventReader(log)
    os.mkfifo(log)
    assert list(reader.read()) == []
    assert reader.fault == "not an ordinary file"
    log.unlink()
    log.symlink_to("/dev/zero")
    assert list(reader.read()) == []
    assert reader.fault == "not an ordinary file"
    log.unlink()
    log.symlink_to(log)
    assert list(reader.read()) == []
    assert reader.fault
    log.unlink()
    log.write_bytes(encode_event(RunEvent("start", 1.0)))
    assert [event.kind for event in reader.read()] == ["start"]
    assert not reader.fault
