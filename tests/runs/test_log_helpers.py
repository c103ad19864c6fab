"""Long logs read together with other processes: nothing is read otherwise than alone."""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rlft_tui.metrics.curve import Curve
from rlft_tui.runs import log_helpers
from rlft_tui.runs.log_helpers import LogHelpers, _Helper
from rlft_tui.runs.run_event import MetricsColumns, RunEvent, encode_event
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import parse_spec, write_spec
from rlft_tui.server.followed_run import FollowedRun

LINES = 12_000


@pytest.fixture(autouse=True)
def several_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two helpers for any log at all, in small parts."""
    monkeypatch.setattr(log_helpers, "SMALLEST", 1)
    monkeypatch.setattr(log_helpers, "PART", 1 << 14)
    monkeypatch.setattr(log_helpers, "own_cores", lambda: 3)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path / "run")
    made.root.mkdir()
    model = {"name": "m", "path": "/m"}
    write_spec(parse_spec({"id": "run", "method": "dpo", "model": model, "dataset": "d"}), made.spec)
    return made


def log(seed: int, lines: int = LINES) -> bytes:
    """Rows of changing metrics, and once in a while what stands in a log besides, or should not."""
    rng = random.Random(seed)
    keys: tuple[str, ...] = ("loss",)
    written = []
    step = 0
    for number in range(lines):
        step += 1
        chance = rng.random()
        if chance < 0.002:
            keys = rng.choice([("loss",), ("loss", "kl"), ("reward", "loss")])
        if chance > 0.999:
            step = max(1, step - 50)
        event = RunEvent(
            "metrics",
            float(number) if chance < 0.9995 else number - 100.0,
            {
                "step": step,
                "values": {key: rng.gauss(0, 1) if rng.random() > 1e-4 else float("nan") for key in keys},
                "units": {"kl": "nats"} if "kl" in keys else {},
                **({"steps": lines} if number > lines // 2 else {}),
                **({"memory_mb": rng.random()} if seed else {}),
            },
        )
        written.append(encode_event(event))
        if 0.5 < chance < 0.501:
            written.append(
                rng.choice(
                    [
                        b"{torn\n",
                        b"\n",
                        b"x" * 100_000 + b"\n",
                        encode_event(RunEvent("start", float(number), {"attempt": 2, "steps": 9})),
                        encode_event(
                            RunEvent(
                                "sample", float(number), {"step": step, "prompt": "a", "completion": "b"}
                            )
                        ),
                    ]
                )
            )
    return b"".join(written)


def all_of(run: FollowedRun) -> dict[str, Any]:
    run.read_events()

    def points(curve: Curve) -> tuple[Any, ...]:
        return curve.key, curve.unit, curve.steps.tobytes(), curve.values.tobytes()

    return {
        "state": run.state.kept(),
        "curves": [points(curve) for curve in run.curves.all()],
        "back": (run.curves.went_back, run.curves.clock_back),
        "samples": run.samples.after(-1),
        "place": (run._reader.offset, run._reader._tail, run._reader.unreadable),
    }


@pytest.fixture
def alone(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What a single process reads in the log as it is now."""

    def read() -> dict[str, Any]:
        with monkeypatch.context() as single:
            single.setattr(log_helpers, "SMALLEST", 1 << 40)
            return all_of(FollowedRun(folder))

    return read


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The parts that helpers were handed, and took the reading of off this process."""
    parts: list[int] = []
    real = LogHelpers.rest

    def rest(helpers: LogHelpers) -> Iterator[tuple[int, bytes, MetricsColumns | None]]:
        for read in real(helpers):
            if read[2] is not None:
                parts.append(read[0])
            yield read

    monkeypatch.setattr(LogHelpers, "rest", rest)
    return parts


@pytest.mark.parametrize("seed", range(3))
def test_helpers_read_what_one_process_reads(
    folder: RunFolder, alone: Any, handed: list[int], seed: int
) -> None:
    folder.events.write_bytes(log(seed) + b'{"v":1,"t":')
    assert all_of(FollowedRun(folder)) == alone()
    assert handed


def test_the_log_goes_on_behind_what_helpers_have_read(folder: RunFolder, alone: Any) -> None:
    folder.events.write_bytes(log(0))
    run = FollowedRun(folder)
    run.read_events()
    with folder.events.open("ab") as stream:
        stream.write(log(1, 50))
    assert all_of(run) == alone()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_helper_that_fails_costs_nothing_but_time(
    folder: RunFolder, alone: Any, monkeypatch: pytest.MonkeyPatch, after: int, how: signal.Signals
) -> None:
    monkeypatch.setattr(log_helpers, "_PATIENCE_SECONDS", 0.1)
    folder.events.write_bytes(log(0))
    real, count = _Helper.hand, [0]

    def hand(helper: _Helper, part: int, begin: int, end: int) -> None:
        real(helper, part, begin, end)
        count[0] += 1
        if count[0] > after:
            helper._process.send_signal(how)

    monkeypatch.setattr(_Helper, "hand", hand)
    assert all_of(FollowedRun(folder)) == alone()


def test_without_room_for_helpers_the_log_is_read_all_the_same(
    folder: RunFolder, alone: Any, handed: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    folder.events.write_bytes(log(0))
    assert all_of(FollowedRun(folder)) == alone()
    assert not handed


@pytest.mark.parametrize("in_place", [True, False], ids=["rewritten", "another file"])
def test_a_log_that_is_replaced_meanwhile_is_read_again(
    folder: RunFolder, alone: Any, monkeypatch: pytest.MonkeyPatch, in_place: bool
) -> None:
    folder.events.write_bytes(log(0))
    other = folder.root / "other"
    other.write_bytes(log(1))
    real = LogHelpers.rest

    def rest(helpers: LogHelpers) -> Iterator[tuple[int, bytes, MetricsColumns | None]]:
        read = list(real(helpers))
        if in_place:
            shutil.copyfile(other, folder.events)
        else:
            os.replace(other, folder.events)
        yield from read

    monkeypatch.setattr(LogHelpers, "rest", rest)
    run = FollowedRun(folder)
    run.read_events()
    assert run._reader.restarts == 1
    assert all_of(run) == alone()
