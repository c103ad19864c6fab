"""What machine and runs use: read from this very machine and this very process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rlft_tui.runs.usage import UsageMeter, unit_of
from rlft_tui.server import usage_history
from rlft_tui.server.usage_history import UsageHistory
from tests.conftest import wait_for


def test_machine_and_run_are_measured_and_a_process_that_is_gone_is_left_out(tmp_path: Path) -> None:
    meter = UsageMeter(tmp_path)
    values = meter.read({"dpo-1": os.getpid(), "dpo-2": 2**22 + 1})
    assert 0 < values["dpo-1 memory"] < values["memory"]
    assert values["disk free"] > 0
    assert "dpo-2 CPU" not in values
    assert [unit_of(name) for name in ("dpo-1 CPU", "GPU 0 memory", "GPU 0 power")] == ["%", "GB", "W"]


def test_the_history_begins_with_the_first_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_history, "PERIOD", 0.05)
    history = UsageHistory(tmp_path, dict)
    assert history.series() == ()
    wait_for(lambda: history.series() and len(history.series()[0].steps) > 1, "readings")
    keys = [one.key for one in history.series()]
    assert {"CPU", "memory", "disk free"} <= set(keys)
