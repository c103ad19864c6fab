"""What the machine and the runs on it use: processor, memory, disk, GPU."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from rlft_tui.runs.amd_gpu import amd_gpus, usage_of


class UsageMeter:
    """Reads how much is used now. Processor shares are since the reading before."""

    def __init__(self, place: Path) -> None:
        """``place``: a folder on the disk whose free space counts."""
        self._place = place
        self._processes: dict[int, psutil.Process] = {}
        self._gpus = _nvidia()
        self._amd = amd_gpus()
        psutil.cpu_percent()

    def read(self, runs: Mapping[str, int]) -> dict[str, float]:
        """Values by name; ``runs`` gives the job's pid of each active run."""
        memory = psutil.virtual_memory()
        values = {"CPU": psutil.cpu_percent(), "memory": (memory.total - memory.available) / 2**30}
        with contextlib.suppress(OSError):
            values["disk free"] = shutil.disk_usage(self._place).free / 2**30
        for run_id, pid in runs.items():
            values |= self._of_process(run_id, pid)
        for number, handle in enumerate(self._gpus):
            values |= _of_gpu(number, handle)
        for number, card in enumerate(self._amd, len(self._gpus)):
            values |= usage_of(number, card)
        self._processes = {pid: self._processes[pid] for pid in runs.values() if pid in self._processes}
        return values

    def _of_process(self, run_id: str, pid: int) -> dict[str, float]:
        try:
            process = self._processes.setdefault(pid, psutil.Process(pid))
            with process.oneshot():
                return {
                    f"{run_id} CPU": process.cpu_percent(),
                    f"{run_id} memory": process.memory_info().rss / 2**30,
                }
        except psutil.Error:
            return {}


UNITS = {"CPU": "%", "memory": "GB", "disk free": "GB", "use": "%", "temperature": "°C", "power": "W"}
"""Unit by the last words of a name."""


def unit_of(name: str) -> str:
    return next((unit for words, unit in UNITS.items() if name.endswith(words)), "")


def _nvidia() -> list[Any]:
    """Handles of the NVIDIA GPUs; none where there is no driver."""
    try:
        import pynvml

        pynvml.nvmlInit()
        return [pynvml.nvmlDeviceGetHandleByIndex(at) for at in range(pynvml.nvmlDeviceGetCount())]
    except Exception:  # a missing library, no driver, a driver of another version: no GPU to read
        return []


def _of_gpu(number: int, handle: Any) -> dict[str, float]:
    import pynvml

    name, values = f"GPU {number}", {}
    with contextlib.suppress(pynvml.NVMLError):
        values[f"{name} use"] = float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    with contextlib.suppress(pynvml.NVMLError):
        values[f"{name} memory"] = pynvml.nvmlDeviceGetMemoryInfo(handle).used / 2**30
    with contextlib.suppress(pynvml.NVMLError):
        values[f"{name} temperature"] = float(
            pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)
        )
    with contextlib.suppress(pynvml.NVMLError):
        values[f"{name} power"] = pynvml.nvmlDeviceGetPowerUsage(handle) / 1000
    return values
