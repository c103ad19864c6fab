"""What machine and runs use: read from this very machine and this very process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rlft_tui.runs.amd_gpu import amd_gpus, name_of, usage_of
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


def test_amd_gpus_are_read_from_the_files_of_their_driver(tmp_path: Path) -> None:
    files = {
        "card0/device/vendor": "0x8086",
        "card1/device/mem_info_vram_used": f"{3 * 2**30}\n",
        "card1/device/product_name": "Instinct MI300X\n",
        "card1/device/gpu_busy_percent": "87\n",
        "card1/device/hwmon/hwmon4/temp1_input": "54000\n",
        "card1/device/hwmon/hwmon4/power1_average": "211000000\n",
        "card1-DP-1/device/mem_info_vram_used": "1",
        "card2/device/mem_info_vram_used": "0\n",
        "card2/device/gpu_busy_percent": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    first, second = amd_gpus(tmp_path)
    assert usage_of(0, first) == {
        "GPU 0 use": 87.0, "GPU 0 memory": 3.0, "GPU 0 temperature": 54.0, "GPU 0 power": 211.0,
    }  # fmt: skip
    assert usage_of(1, second) == {"GPU 1 memory": 0.0}
    assert [name_of(first), name_of(second)] == ["Instinct MI300X", "AMD GPU"]
    assert amd_gpus(tmp_path / "nowhere") == []


def test_the_history_begins_with_the_first_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_history, "PERIOD", 0.05)
    history = UsageHistory(tmp_path, dict)
    assert history.series() == ()
    wait_for(lambda: history.series() and len(history.series()[0].steps) > 1, "readings")
    keys = [one.key for one in history.series()]
    assert {"CPU", "memory", "disk free"} <= set(keys)
