"""Status and summary follow from events, exit record and living processes, and from nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from rlft_tui.runs.run_event import RunEvent
from rlft_tui.runs.run_folder import Attempt
from rlft_tui.runs.run_state import Processes, RunState
from rlft_tui.runs.run_status import Exit, RunSummary, Status
from rlft_tui.samples.samples import RunSamples
from tests.runs.scripted import dpo_spec

ENDED = Exit(code=0, signal=None, reason="ended by itself", ended=50.0)
KILLED = Exit(code=None, signal="SIGKILL", reason="killed", ended=50.0)
TERMINATED = Exit(code=None, signal="SIGTERM", reason="stopped", ended=50.0)
FAILED = Exit(code=1, signal=None, reason="exit code 1: ValueError: x", ended=50.0)
START = RunEvent("start", 1.0, {"attempt": 1, "steps": 10, "device": "cpu", "pid": 7})


def end(status: str) -> RunEvent:
    return RunEvent("end", 40.0, {"status": status})


def summary(
    events: list[RunEvent],
    exit: Exit | None = None,
    *,
    alive: bool = False,
    asked: bool = False,
    attempt: int = 1,
    job_pid: int = 7,
) -> RunSummary:
    state = RunState(dpo_spec(), "/runs/dpo-test", 0.5)
    for event in events:
        state.apply(event)
    record = Attempt(attempt, keeper_pid=6, keeper_started=0.0, job_pid=job_pid)
    return state.summary(Processes(record, exit, alive, asked))


@pytest.mark.parametrize(
    ("events", "exit", "alive", "asked", "status"),
    [
        ([], None, True, False, "starting"),
        ([START], None, True, False, "running"),
        ([START], None, True, True, "stopping"),
        ([START, RunEvent("control", 2.0, {"asked": "stop"})], None, True, False, "stopping"),
        ([START, end("finished")], None, True, False, "running"),
        ([START, end("finished")], ENDED, False, False, "finished"),
        ([START, end("finished")], KILLED, False, False, "finished"),
        ([START, end("stopped")], ENDED, False, True, "stopped"),
        ([START], ENDED, False, False, "failed"),
        ([START, end("failed")], FAILED, False, False, "failed"),
        ([START], KILLED, False, False, "killed"),
        ([START], KILLED, False, True, "killed"),
        ([START], TERMINATED, False, True, "stopped"),
        ([START], TERMINATED, False, False, "killed"),
        ([START], replace(TERMINATED, asked=True), False, False, "stopped"),
        ([START, end("stopped")], None, False, False, "stopped"),
        ([START], None, False, False, "lost"),
        ([], None, False, False, "lost"),
    ],
)
def test_status(events: list[RunEvent], exit: Exit | None, alive: bool, asked: bool, status: Status) -> None:
    assert summary(events, exit, alive=alive, asked=asked).status == status


def test_a_lost_run_says_so() -> None:
    lost = summary([START])
    assert lost.exit is not None
    assert "gone" in lost.exit.reason
    assert lost.ended == START.t


def test_the_end_of_an_earlier_attempt_is_not_the_end_of_this_one() -> None:
    earlier = [START, RunEvent("error", 3.0, {"type": "ValueError", "message": "x"}), end("failed")]
    assert summary(earlier, alive=True, attempt=2, job_pid=8).status == "starting"
    assert summary(earlier, KILLED, attempt=2, job_pid=8).status == "killed"
    assert summary(earlier, KILLED, attempt=2, job_pid=8).error == ""
    again = [*earlier, RunEvent("start", 60.0, {"attempt": 2, "pid": 8})]
    assert summary(again, alive=True, attempt=2, job_pid=8).status == "running"


def test_a_job_that_counts_its_attempts_wrongly_is_known_by_its_process() -> None:
    assert summary([START], alive=True, attempt=2, job_pid=7).status == "running"


def metrics(step: int, t: float, **values: Any) -> RunEvent:
    return RunEvent("metrics", t, {"step": step, "values": values, "memory_mb": 100.0 + step})


def test_numbers_are_first_and_last_and_nan_is_never_hidden() -> None:
    events = [
        START,
        metrics(1, 2.0, loss=0.7),
        metrics(2, 3.0, loss="NaN", kl=float("inf"), odd="text", none=None),
    ]
    run = summary(events, alive=True)
    assert run.first == {"loss": 0.7, "kl": "Infinity"}
    assert run.metrics == {"loss": "NaN", "kl": "Infinity"}
    assert (run.step, run.steps, run.memory_mb) == (2, 10, 102.0)


def test_time_left_is_reckoned_from_the_pace_of_the_last_steps() -> None:
    slow_start = [START, metrics(1, 2.0), *(metrics(step, 100.0 + 2 * step) for step in range(2, 8))]
    state = summary([*slow_start[:2], *slow_start[2:]], alive=True)
    assert state.seconds_left == pytest.approx(3 * (114.0 - 2.0) / 6)
    assert summary([START, metrics(1, 2.0)], alive=True).seconds_left is None
    assert summary(slow_start, ENDED).seconds_left is None


def test_only_a_verified_checkpoint_counts() -> None:
    good = RunEvent("checkpoint", 2.0, {"path": "checkpoints/5", "verified": True})
    bad = RunEvent("checkpoint", 3.0, {"path": "checkpoints/10", "verified": False})
    assert summary([START, good, bad], alive=True).checkpoint == "checkpoints/5"


def test_stage_error_and_alert_texts_cannot_reach_the_terminal_raw() -> None:
    events = [
        START,
        RunEvent("stage", 2.0, {"name": "load\x1b[2Jing", "progress": 7}),
        RunEvent("alert", 2.5, {"step": 3, "name": "nan", "message": "loss \x1b]0;x\x07is NaN"}),
        RunEvent("error", 3.0, {"type": "E", "message": "m", "traceback": "Trace\n\x1b[31mE: red\x1b[0m\n"}),
    ]
    run = summary(events, alive=True)
    assert (run.stage, run.stage_progress) == ("loading", 1.0)
    assert run.alerts[0].message == "loss is NaN"
    assert summary([*events, end("failed")], FAILED).error == "E: red"


def test_unknown_kinds_and_malformed_fields_are_passed_over() -> None:
    odd = [
        RunEvent("news", 1.0, {"x": 1}),
        RunEvent("metrics", 1.0, {"step": "one", "values": [1]}),
        RunEvent("stage", 1.0, {"name": None, "progress": "half"}),
        RunEvent("alert", 1.0),
        RunEvent("start", 1.0, {"attempt": "first", "steps": None}),
        RunEvent("end", 1.0, {"status": 5}),
    ]
    assert summary(odd, ENDED).status == "failed"


def test_samples_by_step_with_the_newer_attempt_in_place_of_the_older() -> None:
    samples = RunSamples("dpo-test")
    for step, text in ((5, "old"), (0, "zero"), (5, "new")):
        samples.apply(RunEvent("sample", 1.0, {"step": step, "index": 0, "completion": text, "kl": "NaN"}))
    samples.apply(RunEvent("sample", 1.0, {"step": "x"}))
    assert [(sample.step, sample.completion, sample.kl) for sample in samples.after(-1)] == [
        (0, "zero", None),
        (5, "new", None),
    ]
    assert [sample.step for sample in samples.after(0)] == [5]
