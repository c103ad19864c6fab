"""Like rows of a log, read all at once, say what each of them says alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlft_tui.metrics.curve import Curve
from rlft_tui.runs import run_event
from rlft_tui.runs.like_rows import FEWEST, read_columns
from rlft_tui.runs.run_event import EventReader, RunEvent, encode_event
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import parse_spec, write_spec
from rlft_tui.server import followed_run
from rlft_tui.server.followed_run import FollowedRun

UNITS = {"kl": "nats", "reward": 'a "reward", {of 2}\\'}
FUZZY = settings(
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path / "run")
    made.root.mkdir()
    model = {"name": "m", "path": "/m"}
    write_spec(parse_spec({"id": "run", "method": "dpo", "model": model, "dataset": "d"}), made.spec)
    return made


def row(step: int, t: float = 0.0, **fields: Any) -> bytes:
    """One with two metrics, unless ``fields`` say otherwise."""
    values = {"loss": 1 / (step + 7) if step > 0 else 5e-7, "kl": 0.25 * step}
    return encode_event(RunEvent("metrics", t, {"step": step, "values": values, "units": UNITS, **fields}))


def like(count: int, begin: int = 1, **fields: Any) -> list[bytes]:
    return [row(step, 1e9 + step / 7, **fields) for step in range(begin, begin + count)]


def all_of(run: FollowedRun) -> dict[str, Any]:
    run.read_events()

    def points(curve: Curve) -> tuple[Any, ...]:
        return curve.key, curve.unit, curve.steps.tolist(), list(map(repr, curve.values)), curve.series(4)

    return {
        "state": run.state.kept(),
        "curves": sorted(map(points, run.curves.all())),
        "back": (run.curves.went_back, run.curves.clock_back),
        "samples": run.samples.after(-(2**62)),
        "place": (run._reader.offset, run._reader._tail, run._reader.unreadable),
    }


@pytest.fixture
def alone(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, Any]]:
    """What the log says when every line is read for itself."""

    def read() -> dict[str, Any]:
        with monkeypatch.context() as single:
            single.setattr(EventReader, "read_batches", EventReader.read)
            return all_of(FollowedRun(folder))

    return read


@pytest.fixture
def row_by_row(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, Any]]:
    """What it says when no rows are looked for that are alike."""

    def read() -> dict[str, Any]:
        with monkeypatch.context() as single:
            single.setattr(run_event, "_SHORT", 1 << 40)
            return all_of(FollowedRun(folder))

    return read


def columns_of(lines: list[bytes]) -> list[int | None]:
    """How many rows came as columns in each stretch; None for one to be read line by line."""
    block = b"".join(lines)
    found = list(read_columns(block))
    assert [end for end, _ in found] == sorted({end for end, _ in found})
    assert not found or found[-1][0] == len(block)
    return [columns and len(columns) for _, columns in found]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"units": {}},
        {"units": None},
        {"steps": 40, "epoch": 0.5, "tokens": 7, "memory_mb": 812.0},
        {"memory_mb": None, "steps": None},
        {"steps": 0},
        {"values": {"lo\x1b[31m": 0.5, 'a"b\\': 1}},
        {"values": {"große Länge 🙂": -1e-300}},
        {"values": {}},
        {"units": {"loss": 5}},
        {"extra": {"deep": {"er": 1.5}}},
    ],
)
def test_like_rows_come_as_columns_with_all_they_say(folder: RunFolder, alone: Any, fields: Any) -> None:
    lines = like(200, **fields)
    assert columns_of(lines) == [200]
    folder.events.write_bytes(b"".join(lines))
    assert all_of(FollowedRun(folder)) == alone()


def test_numbers_of_every_length_and_kind_are_those_that_were_written(folder: RunFolder, alone: Any) -> None:
    rng = random.Random(5)
    numbers = [rng.choice([rng.gauss(0, 10.0**power), rng.randint(-9, 9)]) for power in range(-300, 301)]
    numbers += [5e-324, 1.7976931348623157e308, 9007199254740993, 2**63, -0.0, 0, 0.1, 1e22, 1e23]
    lines = [
        row(step, t=1.0 * step, memory_mb=abs(number), values={"x": number})
        for step, number in enumerate(numbers)
    ]
    assert columns_of(lines) == [len(numbers)]
    folder.events.write_bytes(b"".join(lines))
    assert all_of(FollowedRun(folder)) == alone()


@pytest.mark.parametrize(
    "odd",
    [
        b"\n",
        b"{torn\n",
        b'{"v": 1, "t": 1.0, "kind": "metrics", "step"\n',
        row(5, values={"loss": "NaN", "kl": 1.0}),
        row(5, values={"loss": True, "kl": 1.0}),
        row(5, values={"loss": 1.0}),
        row(5, values={"kl": 1.0, "loss": 1.0}),
        row(5, units={"kl": "bits"}),
        row(5, memory_mb=1.0),
        row(5, v=2),
        row(2**63),
        row(10**25),
        row(5, steps=10**25),
        row(5).replace(b'"units"', b'"no\xffte": 1, "units"'),
        row(5).replace(b'"kind": "metrics", ', b""),
        row(5).replace(b'"step": 5', b'"step": 5.0'),
        row(5).replace(b'"step": 5', b'"step": 5 '),
        row(5).replace(b'"step": 5', b'"step": 05'),
        row(5).replace(b'"step": 5', b'"step": 5, "step": 9'),
        row(5).replace(b'"kl": 1.25', b'"kl": 1.25, "kl": 9'),
        row(5).replace(b'"kl": 1.25', b'"kl": 1' + b"0" * 400),
        row(5).replace(b'"kl": 1.25', b'"kl": 0.' + b"3" * 40),
        row(5).replace(b'"kl": 1.25', b'"kl": \n1.25'),
        encode_event(RunEvent("start", 1.0, {"attempt": 2, "steps": 9})),
        encode_event(RunEvent("sample", 1.0, {"step": 5, "prompt": "a", "completion": "b"})),
        b"x" * 100_000 + b"\n",
    ],
)
def test_one_line_that_is_unlike_costs_the_others_nothing(folder: RunFolder, alone: Any, odd: bytes) -> None:
    lines = [*like(40), odd, *like(40, 41)]
    folder.events.write_bytes(b"".join(lines))
    assert all_of(FollowedRun(folder)) == alone()
    folder.events.write_bytes(odd + b"".join(like(60)) + odd)
    assert all_of(FollowedRun(folder)) == alone()


def test_what_stands_between_like_rows_keeps_its_place() -> None:
    sample = encode_event(RunEvent("sample", 1.0, {"step": 5, "prompt": "a", "completion": "b"}))
    assert columns_of([*like(20), sample, *like(30)]) == [20, None, 30]
    assert columns_of([sample, *like(20)]) == [None, 20]
    assert columns_of([*like(20), sample]) == [20, None]


def test_rows_that_change_their_metrics_are_columns_before_and_after() -> None:
    assert columns_of([*like(50), *like(60, values={"reward": 1.0})]) == [50, 60]


def test_few_rows_are_not_worth_it() -> None:
    assert columns_of(like(FEWEST - 1)) == [None]
    assert columns_of([]) == []


def log(seed: int, lines: int = 6000) -> bytes:
    """Rows of changing metrics, and once in a while what stands in a log besides, or should not."""
    rng = random.Random(seed)
    keys: tuple[str, ...] = ("loss",)
    written, step = [], 0
    for number in range(lines):
        step += 1
        chance = rng.random()
        if chance < 0.002:
            keys = rng.choice([("loss",), ("loss", "kl"), ("reward", "loss")])
        if chance > 0.999:
            step = max(1, step - 50)
        fields = {
            "step": step,
            "values": {key: rng.gauss(0, 1) if rng.random() > 1e-4 else float("nan") for key in keys},
            "units": {"kl": "nats"} if "kl" in keys else {},
            **({"steps": lines} if number > lines // 2 else {}),
            **({"memory_mb": rng.random()} if seed else {}),
        }
        written.append(
            encode_event(RunEvent("metrics", float(number) - (100.0 if chance > 0.9995 else 0.0), fields))
        )
        if 0.5 < chance < 0.505:
            start = RunEvent("start", float(number), {"attempt": 2, "steps": 9})
            sample = RunEvent("sample", float(number), {"step": step, "prompt": "a", "completion": "b"})
            written.append(
                rng.choice(
                    [b"{torn\n", b"\n", b"x" * 9000 + b"\n", encode_event(start), encode_event(sample)]
                )
            )
    return b"".join(written)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("block", [1 << 13, 1 << 19])
def test_a_log_with_all_of_this_is_read_as_line_by_line(
    folder: RunFolder, alone: Any, monkeypatch: pytest.MonkeyPatch, seed: int, block: int
) -> None:
    monkeypatch.setattr(followed_run, "_BLOCK_BYTES", block)
    folder.events.write_bytes(log(seed) + b'{"v":1,"t":')
    found = all_of(FollowedRun(folder))
    assert found == alone()
    with folder.events.open("ab") as stream:
        stream.write(b"\n" + log(seed + 1, 500))
    assert all_of(FollowedRun(folder)) == alone()


@settings(FUZZY, max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**6),
            st.integers(0, 3),
            st.binary(max_size=3) | st.sampled_from(b'0 9 - . , e } " \n'.split(b" ")),
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([{}, {"steps": 9, "memory_mb": 1.5}]),
)
def test_whatever_a_byte_becomes_nothing_is_taken_for_a_row_that_is_none(
    folder: RunFolder, row_by_row: Any, damages: list[tuple[int, int, bytes]], fields: Any
) -> None:
    content = b"".join(like(40, **fields))
    for place, length, instead in damages:
        at = place % len(content)
        content = content[:at] + instead + content[at + length :]
    folder.events.write_bytes(content)
    assert all_of(FollowedRun(folder)) == row_by_row()
