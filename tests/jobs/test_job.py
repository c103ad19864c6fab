"""Errors that no code of ours raised still end in one line that says what to do."""

from __future__ import annotations

import errno

import pytest
import torch

from rlft_tui.jobs.job import explained


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
