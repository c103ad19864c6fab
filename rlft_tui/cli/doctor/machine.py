"""The machine: Python, platform, terminal, disk, GPU."""

from __future__ import annotations

import locale
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from rlft_tui.cli.doctor.check import Check, size
from rlft_tui.runs.amd_gpu import amd_gpus, name_of
from rlft_tui.runs.machine import own_cores

OLDEST_PYTHON = (3, 11)
LEAST_COLUMNS, LEAST_LINES = 80, 24
LEAST_DISK = 1_000_000_000
"""Bytes: a base model, a run with its checkpoints and the database fit."""


def check_python() -> Check:
    good = sys.version_info >= OLDEST_PYTHON
    detail = f"{platform.python_implementation()} {platform.python_version()} at {sys.executable}"
    return Check("python", good, detail, "" if good else "Install Python 3.11 or newer", essential=True)


def check_platform() -> Check:
    import psutil

    memory = psutil.virtual_memory()
    detail = f"{platform.system()} {platform.release()} {platform.machine()}, {own_cores()} cores"
    detail += f", {size(memory.available)} of {size(memory.total)} memory free"
    good = os.name == "posix"
    return Check(
        "platform", good, detail, "" if good else "Use Linux, macOS or WSL: runs need POSIX", essential=True
    )


def check_terminal(environment: Mapping[str, str] = os.environ) -> Check:
    """Colours and size; without a terminal only the workbench is out of reach."""
    if not sys.stdout.isatty():
        return Check("terminal", True, "none here: commands work, the workbench needs one")
    columns, lines = shutil.get_terminal_size()
    detail = f"{environment.get('TERM', 'TERM unset')}, {colours(environment)}, {columns}×{lines}"
    if environment.get("TERM", "dumb") == "dumb":
        return Check("terminal", False, detail, "Set TERM to what your terminal is, such as xterm-256color")
    if columns < LEAST_COLUMNS or lines < LEAST_LINES:
        return Check("terminal", False, detail, f"Make it at least {LEAST_COLUMNS}×{LEAST_LINES}")
    return Check("terminal", True, detail)


def colours(environment: Mapping[str, str]) -> str:
    """How many colours the terminal says it has."""
    if environment.get("NO_COLOR"):
        return "no colours (NO_COLOR is set)"
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "16 million colours"
    term = environment.get("TERM", "")
    if term in ("", "dumb"):
        return "no colours"
    return "256 colours" if "256" in term or "kitty" in term else "16 colours"


def check_locale() -> Check:
    encoding = locale.getpreferredencoding(False)
    good = encoding.lower().replace("-", "") == "utf8"
    detail = f"{encoding} ({locale.setlocale(locale.LC_CTYPE, None)})"
    return Check("locale", good, detail, "" if good else "export LANG=C.UTF-8")


def check_tmux(environment: Mapping[str, str] = os.environ) -> Check | None:
    """Only inside tmux: whether escape sequences may pass through to the outer terminal."""
    if not environment.get("TMUX"):
        return None
    try:
        answer = subprocess.run(
            ["tmux", "show-options", "-gv", "allow-passthrough"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return Check("tmux", False, "does not answer", "Is tmux on the PATH?")
    state = answer.stdout.strip() or "unknown to this version"
    good = state in ("on", "all")
    remedy = "" if good else "tmux set -g allow-passthrough on (for the clipboard)"
    return Check("tmux", good, f"passthrough {state}", remedy)


def check_disk(name: str, folder: Path) -> Check:
    """Free space where ``folder`` is, or will be."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    free = shutil.disk_usage(place).free
    good = free >= LEAST_DISK
    remedy = "" if good else f"Free at least {size(LEAST_DISK)} there"
    return Check(name, good, f"{size(free)} free at {folder}", remedy, essential=True)


def check_gpu() -> Check:
    """NVIDIA devices by NVML, else AMD's by their driver; none is well, everything runs on the CPU then."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception as error:  # pynvml raises its own and OS errors where there is no driver
        if amd := [name_of(device) for device in amd_gpus()]:
            return Check("gpu", True, f"{'; '.join(amd)}: for training torch must be the build for ROCm")
        return Check("gpu", True, f"none ({' '.join(str(error).split())}): everything runs on the CPU")
    try:
        names = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            device = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = pynvml.nvmlDeviceGetMemoryInfo(device)
            name = pynvml.nvmlDeviceGetName(device)
            label = name.decode() if isinstance(name, bytes) else name
            names.append(f"{label}, {size(memory.free)} of {size(memory.total)} free")
        driver = pynvml.nvmlSystemGetDriverVersion()
        driver = driver.decode() if isinstance(driver, bytes) else driver
        return Check("gpu", True, f"{'; '.join(names) or 'none'} (driver {driver})")
    except pynvml.NVMLError as error:
        return Check("gpu", False, f"the driver answers with an error: {error}", "Look at nvidia-smi")
    finally:
        pynvml.nvmlShutdown()
