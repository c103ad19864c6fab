"""httpx without its own command line, which nobody runs here.

It would load click and rich's Markdown: a quarter of the time that ``rlft labels stats`` takes.
httpx expects the import to fail where those two are not installed.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

import httpx  # noqa: E402

__all__ = ["httpx"]
