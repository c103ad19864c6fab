"""Errors that no code of ours raised still end in one line that says what to do."""

from __future__ import annotations

import errno
import signal
from pathlib import Path

import pytest
import torch

from rlft_tui.errors import RlftError
from rlft_tui.jobs.job import Job, explained, run_job
from rlft_tui.runs.exit_reason import error_line
from rlft_tui.runs.run_event import EventReader
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import ModelSource, write_spec
from rlft_tui.runs.specs.sft import SftSpec


def test_out_of_memory_on_the_cpu_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**15)
    kind, line = explained(caught.value)
    assert kind == "OutOfMemory"
    assert "Lower batch_size" in line


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_recognised(error: Exception) -> None:
    kind, line = explained(error)
    assert kind == "DiskFull"
    assert "resume" in line


def test_anything_else_keeps_its_name_and_first_line() -> None:
    assert explained(KeyError("weight")) == ("KeyError", "KeyError: 'weight'")
    assert explained(ValueError("one\ntwo"))[1] == "ValueError: one"
    assert explained(ValueError())[1] == "ValueError: no message"


def test_an_error_that_explains_another_keeps_the_traceback_of_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(job: Job, spec: SftSpec) -> int:
        try:
            return int("none")
        except ValueError as error:
            raise RlftError("rewards/mine.py:3: it failed", remedy="Correct it there") from error

    folder = RunFolder(tmp_path)
    model = ModelSource(name="tiny", path="/tiny")
    write_spec(SftSpec(id="run", model=model, dataset="abc"), folder.spec)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        assert run_job([str(tmp_path)], SftSpec, work) == 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    said = capsys.readouterr().err
    assert said.startswith("Traceback (most recent call last)")
    assert said.splitlines()[-1] == "rewards/mine.py:3: it failed. Correct it there"
    (error,) = [event.fields for event in EventReader(folder.events).read() if event.kind == "error"]
    assert 'int("none")' in error["traceback"]
    assert error_line(error) == "RlftError: rewards/mine.py:3: it failed. Correct it there"
