"""Bytes as a person reads them."""

from __future__ import annotations


def size(count: int) -> str:
    """``812 B``, ``1.5 MB``, ``2.3 GB``: powers of 1024, as file managers count."""
    value = float(count)
    for unit in ("B", "KB", "MB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} GB"
