"""The remedy for a name that nothing has."""

from __future__ import annotations

import difflib


def name_hint(name: str, names: list[str]) -> str:
    """The nearest of some names, or all of them when there are few, as a remedy."""
    if near := difflib.get_close_matches(name, names, n=1):
        return f"Did you mean {near[0]}?"
    if not names:
        return "There is none yet: rlft models pull smollm2-135m"
    known = list(dict.fromkeys(names))
    return f"Known: {', '.join(known[:10])}{' …' if len(known) > 10 else ''}"
