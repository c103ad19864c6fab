"""One of a thing is not told in the plural."""

from __future__ import annotations

from rlft_tui.counted import counted, plural


def test_one_is_told_in_the_singular_and_everything_else_in_the_plural() -> None:
    assert [counted(n, "row") for n in (0, 1, 2, 2000)] == ["0 rows", "1 row", "2 rows", "2,000 rows"]
    assert [plural(n, "is", "are") for n in (0, 1, 2)] == ["are", "is", "are"]
    assert counted(1, "set of answers", "sets of answers") == "1 set of answers"
