"""Event logs that no job should write: the run stays readable, and what is wrong is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlft_tui.cli.session import moment
from rlft_tui.runs.run_event import EventReader, RunEvent, encode_event
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import parse_spec, write_spec
from rlft_tui.runs.run_status import Exit
from rlft_tui.server import followed_run
from rlft_tui.server.followed_run import FollowedRun

START = encode_event(RunEvent("start", 9.0, {"attempt": 2, "steps": 9}))


def row(step: int, t: float = 0.0, **values: object) -> bytes:
    return encode_event(RunEvent("metrics", t, {"step": step, "values": values}))


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "dpo-test")
    folder.root.mkdir()
    model = {"name": "m", "path": "/m"}
    spec = parse_spec({"id": "dpo-test", "method": "dpo", "model": model, "dataset": "d", "max_steps": 9})
    write_spec(spec, folder.spec)
    return folder


def loss(run: FollowedRun) -> list[float | None]:
    run.read_events()
    (series,) = run.curves.series(["loss"], 100)
    return series.mean


def test_torn_lines_foreign_values_and_nan_cost_only_themselves(folder: RunFolder) -> None:
    good = [row(1, loss=0.5), row(2, loss="NaN"), row(3, loss=0.3)]
    bad = [b"{torn\n", b"\xff\xfe\x00\n", b"[]\n", b'{"v":1,"t":"now","kind":"metrics"}\n', b"\n"]
    odd = [
        b'{"v":1,"t":4,"kind":"metrics","step":"four","values":{"loss":9}}\n',
        b'{"v":1,"t":4,"kind":"metrics","step":4,"values":[1,2]}\n',
        b'{"v":1,"t":4,"kind":"metrics","step":4,"values":{"loss":0.2,"text":"x","list":[1]},"units":3}\n',
        b'{"v":1,"t":4,"kind":"metrics","step":99999999999999999999,"values":{"loss":1}}\n',
        b'{"v":1,"t":4,"kind":"unheard of","what":{"ever":1}}\n',
        b'{"v":1,"t":5,"kind":"metrics","step":5,"values":{"loss":NaN}}\n',
    ]
    folder.events.write_bytes(b"".join(line for pair in zip(good, bad, strict=False) for line in pair))
    with folder.events.open("ab") as stream:
        stream.writelines([*bad[3:], *odd, b'{"v":1,"t":6,"kind":"metr'])
    run = FollowedRun(folder)
    assert loss(run) == [0.5, None, 0.3, 0.2, None]
    assert run.summary().trouble == "4 lines of the event log cannot be read"
    with folder.events.open("ab") as stream:
        stream.write(b'ics","step":6,"values":{"loss":0.1}}\n')
    assert loss(run)[-1] == 0.1


def test_a_log_that_is_cut_or_replaced_is_read_again_and_that_is_told(folder: RunFolder) -> None:
    folder.events.write_bytes(row(1, loss=0.5) + row(2, loss=0.4))
    run = FollowedRun(folder)
    assert loss(run) == [0.5, 0.4]
    folder.events.write_bytes(row(1, loss=0.9))
    assert loss(run) == [0.9]
    assert "replaced or cut" in run.summary().trouble


def test_steps_that_go_back_are_put_in_order_and_told_but_not_those_of_a_new_attempt(
    folder: RunFolder,
) -> None:
    folder.events.write_bytes(b"".join(row(step, loss=float(step)) for step in (1, 5, 3, 4)))
    run = FollowedRun(folder)
    assert loss(run) == [1.0, 3.0, 4.0, 5.0]
    assert run.summary().trouble == "steps went back once"
    with folder.events.open("ab") as stream:
        stream.write(encode_event(RunEvent("start", 9.0, {"attempt": 2})))
        stream.write(row(3, loss=-3.0))
    assert loss(run) == [1.0, -3.0]
    assert run.summary().trouble == "steps went back once"


def test_a_clock_that_jumps_takes_no_time_away(folder: RunFolder) -> None:
    times = (100.0, 110.0, 50.0, 60.0)
    folder.events.write_bytes(b"".join(row(step, t, loss=1.0) for step, t in enumerate(times)))
    run = FollowedRun(folder)
    run.read_events()
    (elapsed,) = run.curves.series(["@elapsed"], 10)
    assert elapsed.mean == [0.0, 10.0, 10.0, 20.0]
    assert run.summary().trouble == "the clock went back once"
    assert "@elapsed" not in [series.key for series in run.curves.series([], 10)]


def test_a_log_that_is_rewritten_after_its_run_has_ended_is_what_the_run_is(folder: RunFolder) -> None:
    folder.events.write_bytes(
        row(1, 1e9, loss=0.5) + encode_event(RunEvent("end", 1e9, {"status": "finished"}))
    )
    folder.write_exit(Exit(0, None, "ended by itself", 1e9))
    run = FollowedRun(folder)
    run.settle(run.summary())
    folder.events.write_bytes(b"".join(row(step, 1e9 + step, loss=1.0 + step) for step in (5, 6, 7)))
    assert loss(run) == [6.0, 7.0, 8.0]
    assert (run.summary().step, run.summary().metrics) == (7, {"loss": 8.0})
    assert run.summary().trouble == "the event log was replaced or cut and read again"


def test_names_and_numbers_that_no_text_or_format_can_hold(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed_run, "SMALLEST_LOG", 1)
    folder.events.write_bytes(
        b'{"v":1,"t":1e300,"kind":"start","attempt":1,"steps":%d}\n' % 10**25
        + row(10**25, loss=1.0)
        + row(2, **{"lo\ud800ss": 0.5})
    )
    run = FollowedRun(folder)
    (series,) = (run.read_events(), run.curves.series(["lo?ss"], 10))[1]
    assert series.mean == [0.5]
    run.keep()
    assert (run.summary().step, run.summary().steps) == (2, 9)
    assert moment(1e300) == "1e+300 s after 1970"


def test_ten_thousand_metrics_and_a_sample_of_a_megabyte(folder: RunFolder) -> None:
    values = {f"metric/{number}": float(number) for number in range(10_000)}
    sample = {"step": 1, "index": 0, "prompt": "p", "completion": "word " * 200_000, "reward": "NaN"}
    content = [encode_event(RunEvent("metrics", 1.0, {"step": 1, "values": values}))]
    content += [encode_event(RunEvent("sample", 1.0, sample)), row(2, loss=0.5)]
    folder.events.write_bytes(b"".join(content))
    run = FollowedRun(folder)
    assert loss(run) == [0.5]
    assert len(run.summary().metrics) == 10_001
    (kept,) = run.samples.at(1)
    assert len(kept.completion) < 210_000
    assert "800,000 more characters stand in events.jsonl" in kept.completion
    assert kept.reward is None


def test_batches_hold_what_single_events_hold(folder: RunFolder) -> None:
    lines = [
        row(1, loss=0.5),
        b"{torn\n",
        row(2, loss=0.4),
        encode_event(RunEvent("stage", 2.0, {"name": "x"})),
    ]
    folder.events.write_bytes(b"".join(lines) + row(3, loss=0.3)[:-5])
    batches = EventReader(folder.events)
    found = list(batches.read_batches())
    steps = [[each.step for each in part] if isinstance(part, list) else part for part in found]
    assert steps[:2] == [[1], [2]]
    assert isinstance(found[2], RunEvent)
    assert found[2].kind == "stage"
    single = EventReader(folder.events)
    assert len(list(single.read())) == 3
    assert (batches.offset, batches.unreadable) == (single.offset, 1)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # A new attempt that has logged nothing yet, then goes over old steps.
        ([START], [row(2, loss=7.0, kl=7.0)]),
        # One that has logged the loss, and not yet what is measured rarely.
        ([START, row(1, loss=7.0)], [row(2, loss=7.0, kl=7.0)]),
        # A step that goes back without a new attempt.
        ([], [row(1, loss=7.0)]),
    ],
    ids=["attempt", "part of an attempt", "step back"],
)
def test_a_copy_is_gone_on_from_as_if_it_had_never_been_left(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, before: list[bytes], after: list[bytes]
) -> None:
    monkeypatch.setattr(followed_run, "SMALLEST_LOG", 1)
    folder.events.write_bytes(
        b"".join([row(step, float(step), loss=1.0, kl=1.0) for step in (1, 2, 3)] + before)
    )
    first = FollowedRun(folder)
    first.read_events()
    first.keep()
    with folder.events.open("ab") as stream:
        stream.writelines(after)
    second, whole = FollowedRun(folder), FollowedRun(folder)
    second.read_events()
    folder.curves.unlink()
    whole.read_events()
    points = [[(each.key, each.steps, each.values) for each in run.curves.all()] for run in (second, whole)]
    assert points[0] == points[1]
    assert second.summary() == whole.summary()


def test_an_active_runs_copy_is_gone_on_from_and_a_changed_log_is_read_again(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed_run, "SMALLEST_LOG", 1)
    log = row(1, 10.0, loss=0.5) + row(2, 11.0, loss=0.4)
    folder.events.write_bytes(log)
    first = FollowedRun(folder)
    first.read_events()
    assert first.unkept is not None
    first.keep()
    with folder.events.open("ab") as stream:
        stream.write(row(3, 12.0, loss=0.3))
    second = FollowedRun(folder)
    assert loss(second) == [0.5, 0.4, 0.3]
    assert (second.state.step, second.state.metrics, second.state.first) == (3, {"loss": 0.3}, {"loss": 0.5})
    (elapsed,) = second.curves.series(["@elapsed"], 10)
    assert elapsed.mean == [0.0, 1.0, 2.0]
    folder.events.write_bytes(log.replace(b"0.5", b"0.7").replace(b"0.4", b"0.6"))
    assert loss(FollowedRun(folder)) == [0.7, 0.6]
    (folder.root / "curves.cache").write_bytes(json.dumps({}).encode())
    assert loss(FollowedRun(folder)) == [0.7, 0.6]
