"""Packages fetched for what is inside them, never installed: checked by SHA-256 before anything is read."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from rlft_tui.errors import RlftError, UnavailableError


def download_wheel(requirement: str, sha256: str, scratch: Path, *, otherwise: str) -> Path:
    """The wheel of ``name==version``, fetched with pip without its dependencies into ``scratch``.

    ``otherwise``: the remedy where the package index cannot be reached.
    """
    command = [sys.executable, "-m", "pip", "download", requirement, "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--retries", "1", "--timeout", "15", "--quiet"]
    result = subprocess.run(
        [*command, "--dest", str(scratch)], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    wheels = list(scratch.glob("*.whl"))
    if result.returncode != 0 or not wheels:
        lines = [line for line in result.stderr.splitlines() if line.strip()]
        remedy = otherwise
        if lines and "No module named pip" in lines[-1]:
            remedy = f"Run: {sys.executable} -m ensurepip"
        reason = lines[-1].removeprefix("ERROR: ") if lines else f"pip ended with {result.returncode}"
        raise UnavailableError(f"cannot download {requirement}: {reason}", remedy=remedy)
    digest = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    if digest != sha256:
        raise RlftError(
            f"the downloaded wheel is not the one that was checked: SHA-256 {digest}",
            where=wheels[0].name,
            remedy="Ask whoever runs your package index",
        )
    return wheels[0]
