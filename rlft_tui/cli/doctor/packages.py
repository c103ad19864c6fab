"""The packages: what rlft needs, and the training stack, which is looked up but not imported.

Only with ``deep`` are torch, bitsandbytes and unsloth imported, each in a process
of its own: a version number does not tell whether they work on this machine, and
a failing one may raise anything or end the process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires, version

from rlft_tui.cli.doctor.check import Check

TRAINING = ("torch", "transformers", "trl", "peft", "bitsandbytes")
INSTALL_TRAINING = "pip install 'rlft_tui[train]'"
OPTIONAL = {
    "unsloth": "Optional: pip install 'rlft_tui[unsloth]' (needs a GPU)",
    "llama-cpp-python": "Optional, for asking GGUF files: pip install llama-cpp-python (it is compiled)",
}
PROBE_SECONDS = 120
_PROBES = {
    "torch": "import torch; torch.ones(2) @ torch.ones(2);"
    "print('CUDA', torch.version.cuda if torch.cuda.is_available() else 'not available')",
    "bitsandbytes": "import bitsandbytes, torch;"
    "bitsandbytes.functional.quantize_4bit(torch.randn(64, 64)); print('4-bit quantising works')",
    "unsloth": "import unsloth; print('imports')",
    "llama-cpp-python": "import llama_cpp; llama_cpp.llama_backend_init(); print('imports')",
}


def check_dependencies() -> Check:
    """What rlft itself is made of, by its own list of requirements."""
    try:
        wanted = [line for line in requires("rlft_tui") or [] if "extra ==" not in line]
    except PackageNotFoundError:
        return Check("packages", False, "rlft_tui is not installed", "pip install .", essential=True)
    names = [_name(line) for line in wanted]
    missing = [name for name in names if installed(name) is None]
    if missing:
        detail = f"missing: {', '.join(missing)}"
        return Check("packages", False, detail, f"pip install {' '.join(missing)}", essential=True)
    shown = ("textual", "duckdb", "fastapi")
    detail = ", ".join(f"{name} {installed(name)}" for name in shown)
    return Check("packages", True, detail, essential=True)


def check_training(*, deep: bool) -> list[Check]:
    """The training stack, and what may be added to it: optional for labelling and monitoring."""
    checks = []
    for name in (*TRAINING, *OPTIONAL):
        found = installed(name)
        if found is None:
            checks.append(Check(name, False, "not installed", OPTIONAL.get(name, INSTALL_TRAINING)))
        elif deep and name in _PROBES:
            checks.append(probe(name, found))
        else:
            checks.append(Check(name, True, found))
    return checks


def probe(name: str, found: str) -> Check:
    """Import a package in another process and use it once."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    try:
        result = subprocess.run(
            [sys.executable, "-P", "-c", _PROBES[name]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROBE_SECONDS,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Check(name, False, f"{found}, did not answer in {PROBE_SECONDS} s", f"Reinstall {name}")
    except OSError as error:
        return Check(name, False, f"{found}, cannot be tried: {error.strerror}")
    if result.returncode == 0:
        return Check(name, True, f"{found}, {_last_line(result.stdout) or 'works'}")
    reason = _last_line(result.stderr) or f"ended with {result.returncode}"
    return Check(name, False, f"{found}, does not work here: {reason}", _remedy(name, result.stderr))


def installed(name: str) -> str | None:
    """The version of an installed package."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _name(requirement: str) -> str:
    for end, character in enumerate(requirement):
        if not (character.isalnum() or character in "-_."):
            return requirement[:end]
    return requirement


def _remedy(name: str, errors: str) -> str:
    if "torchvision" in errors:
        return "torchvision does not fit this torch: pip uninstall torchvision"
    if name == "unsloth":
        return "Training does not need it; it wants a GPU"
    return f"pip install --force-reinstall {name}"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""
