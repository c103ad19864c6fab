"""Searching a run's output: the same lines as a plain loop finds, in either direction, in pieces."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlft_tui.errors import RlftError
from rlft_tui.runs import log_search
from rlft_tui.runs.log_search import search_log

LINES = st.lists(
    st.sampled_from(
        ["", "step 1", "ERROR: a", "WARNING b", "needle", "Needle é", "Traceback (most recent call last):"]
    ),
    max_size=30,
)


def offsets(text: str, holds: str) -> list[int]:
    """Where the lines begin that hold a text, whatever the case."""
    at, found = 0, []
    for line in text.split("\n"):
        if holds.lower() in line.lower():
            found.append(at)
        at += len(line.encode()) + 1
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(LINES, st.booleans(), st.sampled_from([40, 64, 1 << 20]))
def test_both_directions_find_the_lines_that_a_loop_finds(
    tmp_path: Path, lines: list[str], ended: bool, block: int
) -> None:
    path = tmp_path / "output.log"
    text = "\n".join(lines) + ("\n" if ended and lines else "")
    path.write_text(text)
    whole, log_search._BLOCK = log_search._BLOCK, block
    try:
        for words, level, wanted in (
            ("needle", "", "needle"),
            ("", "tracebacks", "traceback"),
            ("", "errors", "r"),
        ):
            expected = offsets(text, wanted)
            if level == "errors":
                expected = sorted({*offsets(text, "error"), *offsets(text, "traceback")})
            for backwards in (False, True):
                start = -1 if backwards else 0
                found = search_log(path, text=words, level=level, start=start, backwards=backwards)
                assert [line.start for line in found.lines] == expected
    finally:
        log_search._BLOCK = whole


@pytest.mark.parametrize("budget", [{"_BUDGET": 20_000}, {"_BUDGET_SECONDS": 0.0}], ids=str)
def test_a_long_file_is_searched_in_pieces_and_one_call_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget: dict[str, float]
) -> None:
    path = tmp_path / "output.log"
    path.write_text("filler line\n" * 5000 + "ERROR the one\n" + "filler line\n" * 5000)
    monkeypatch.setattr(log_search, "_BLOCK", 4096)
    for name, most in budget.items():
        monkeypatch.setattr(log_search, name, most)
    start, calls = -1, 0
    while not (found := search_log(path, level="errors", start=start, backwards=True, limit=1)).lines:
        assert found.searched < (found.size if start < 0 else start), "every call comes further"
        start, calls = found.searched, calls + 1
    assert found.lines[0].text == "ERROR the one"
    assert calls >= 2
    # Onward from the line after it there is nothing, and that is known at the end of the file.
    start = found.lines[0].start + 1
    while (found := search_log(path, level="errors", start=start)).searched != found.size:
        start = found.searched
    assert found.lines == ()


def test_words_expressions_and_levels_together(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(
        b"INFO loss 0.5\nUserWarning: slow\n\x1b[31mERROR\x1b[0m loss is NaN\nValueError: bad loss\nthe end\n"
    )
    texts = [line.text for line in search_log(path, level="warnings").lines]
    assert texts == ["UserWarning: slow", "ERROR loss is NaN", "ValueError: bad loss"]
    assert [line.text for line in search_log(path, text="LOSS", level="errors").lines] == texts[1:]
    assert [line.text for line in search_log(path, text="/^the .nd$/").lines] == ["the end"]
    with pytest.raises(RlftError, match="not a regular expression"):
        search_log(path, text="/(/")
    assert search_log(tmp_path / "none.log", text="x").lines == ()
