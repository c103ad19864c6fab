"""Pages of output.log: cut anywhere, they show the same text, and nothing harmful."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlft_tui.runs.log_page import read_page
from rlft_tui.runs.terminal_text import plain_text


@settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.text(st.characters(exclude_categories=("C",), include_characters="\n"), max_size=200),
    st.integers(4, 40),
)
def test_pages_put_together_are_the_log(
    tmp_path_factory: pytest.TempPathFactory, text: str, limit: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "output.log"
    path.write_text(text, encoding="utf-8")
    shown, at = "", 0
    while True:
        page = read_page(path, at, limit)
        assert page.start == at
        shown += page.text
        if page.end == page.size:
            break
        assert page.end > at
        at = page.end
    assert shown == plain_text(text)


@settings(derandomize=True, deadline=None)
@given(st.text())
def test_no_control_character_survives(text: str) -> None:
    assert not [
        char for char in plain_text(text) if char not in "\n\t" and (char < " " or "\x7f" <= char <= "\x9f")
    ]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]52;c;c2VjcmV0\x07after", "after"),
        ("\x1b]0;title\x1b\\after", "after"),
        (" 10%\r 50%\r100%\ndone\r\n", "100%\ndone\n"),
        ("bell\x07", "bell^G"),
        ("\x9b31mred", "red"),
        ("a\u202ebc", "abc"),
        ("tab\tstays", "tab\tstays"),
    ],
)
def test_what_terminals_would_obey_is_made_harmless(raw: str, shown: str) -> None:
    assert plain_text(raw) == shown


def test_the_last_page_begins_at_a_line(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_text("first line\nsecond line\nthird\n")
    page = read_page(path, -1, 12)
    assert (page.text, page.end, page.size) == ("third\n", 29, 29)


def test_a_character_or_escape_still_being_written_waits(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes("ab€".encode()[:-1])
    assert read_page(path, 0, 100).end == 2
    path.write_bytes(b"ab\x1b[3")
    page = read_page(path, 0, 100)
    path.write_bytes(b"ab\x1b[31mred")
    assert page.text + read_page(path, page.end, 100).text == "abred"


def test_a_progress_bar_drawn_over_between_two_pages_gets_its_own_line(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(b"\r 10%\r 20%")
    page = read_page(path, 0, 100)
    path.write_bytes(b"\r 10%\r 20%\r 30%\r 40%\n")
    assert page.text + read_page(path, page.end, 100).text == " 20%\n 40%\n"


def test_a_log_that_became_shorter_is_read_from_its_top(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(b"new\n")
    assert read_page(path, 1000, 100).text == "new\n"


def test_no_log_yet_is_an_empty_page(tmp_path: Path) -> None:
    page = read_page(tmp_path / "output.log", -1, 100)
    assert (page.text, page.end, page.size) == ("", 0, 0)
