"""What the machine that runs the jobs has, as far as it shows without loading torch.

Whether a package works is only known by using it; what is not there is known at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from shutil import which
from typing import Any

from rlft_tui.record import Record

_LOOKED_FOR = ("torch", "bitsandbytes", "unsloth", "vllm", "tensorboard", "wandb", "trackio")

VLLM_VARIABLE = "RLFT_VLLM"
"""Path of vLLM's program, where it is not ``vllm`` on the PATH."""


class Machine(Record, frozen=True):
    """GPUs by name, and the versions of the packages that a setting may need."""

    gpus: tuple[str, ...] = ()
    packages: dict[str, str] | None = None

    def has(self, package: str) -> bool:
        return package in (self.packages or {})


def own_cores() -> int:
    """Cores that this process may use; macOS does not say which, and there all are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def look_at_machine() -> Machine:
    """This machine, now."""
    from importlib.metadata import PackageNotFoundError, version  # the workbench starts without it

    found: dict[str, str] = {}
    for name in _LOOKED_FOR:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return Machine(_gpus(), found)


def cannot_run(values: Mapping[str, Any], machine: Machine) -> dict[str, str]:
    """Settings, by name, that cannot run on the machine, each with one line of what to do instead."""
    found: dict[str, str] = {}
    for name, reason in _RULES.items():
        value = values.get(name)
        if value is not None and (line := reason(value, machine)):
            found[name] = line
    return found


def _backend(value: Any, machine: Machine) -> str:
    if value != "unsloth":
        return ""
    if not machine.gpus:
        return "needs a GPU, and there is none here: take plain"
    return "" if machine.has("unsloth") else "not installed: pip install 'rlft_tui[unsloth]', or take plain"


def _vllm(value: Any, machine: Machine) -> str:
    if str(value).lower() != "true":
        return ""
    if not machine.gpus:
        return "needs a GPU, and there is none here: take false"
    return "" if machine.has("vllm") else "not installed: pip install 'trl[vllm]', or take false"


def vllm_name() -> str:
    """vLLM's program, which may lie in an environment of its own."""
    return os.environ.get(VLLM_VARIABLE) or "vllm"


def _rollouts(value: Any, machine: Machine) -> str:
    program = vllm_name()
    if value != "vllm" or which(program):
        return ""
    return f"no program {program}: name one in {VLLM_VARIABLE} and rlft server restart, or take own"


def _quantization(value: Any, machine: Machine) -> str:
    missing = value != "none" and not machine.has("bitsandbytes")
    return "bitsandbytes is not installed: pip install 'rlft_tui[train]', or take none" if missing else ""


def _optimizer(value: Any, machine: Machine) -> str:
    missing = ("8bit" in str(value) or "paged" in str(value)) and not machine.has("bitsandbytes")
    return "bitsandbytes is not installed: pip install 'rlft_tui[train]', or take adamw" if missing else ""


def _precision(value: Any, machine: Machine) -> str:
    return "needs a GPU, and there is none here: take auto" if value == "fp16" and not machine.gpus else ""


def _device(value: Any, machine: Machine) -> str:
    return "there is no GPU here: take auto" if value == "cuda" and not machine.gpus else ""


def _trackers(value: Any, machine: Machine) -> str:
    names = value.split(",") if isinstance(value, str) else value
    missing = [
        name.strip() for name in names if name.strip() in _LOOKED_FOR and not machine.has(name.strip())
    ]
    return f"not installed: pip install {' '.join(missing)}" if missing else ""


_RULES: dict[str, Callable[[Any, Machine], str]] = {
    "backend": _backend,
    "vllm": _vllm,
    "rollouts": _rollouts,
    "quantization": _quantization,
    "optimizer": _optimizer,
    "precision": _precision,
    "device": _device,
    "trackers": _trackers,
}


def _gpus() -> tuple[str, ...]:
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # pynvml raises its own and OS errors where there is no driver
        return ()
    try:
        names = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            name = pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(index))
            names.append(name.decode() if isinstance(name, bytes) else str(name))
        return tuple(names)
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()
