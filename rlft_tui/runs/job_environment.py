"""The environment that a job is started in, where what it says is read before any of its code runs."""

from __future__ import annotations

import os

_TUNABLES = (
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432:"
    "glibc.malloc.trim_threshold=268435456:glibc.malloc.top_pad=67108864"
)
"""A training step takes and gives back thousands of buffers of a megabyte or two. glibc hands them back
to the kernel, which clears every page again: with pages of 2 MB, and up to 256 MB kept, an update of
PPO takes a tenth less processor time."""


def job_environment() -> dict[str, str]:
    """This process's, and what jobs want besides; what the user has set stays."""
    return {"GLIBC_TUNABLES": _TUNABLES, **os.environ, "PYTHONUNBUFFERED": "1"}
