"""Untrusted text never reaches the terminal as it came."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlft_tui.tui.widgets.cells import break_lines, cell_width, cut, fit
from rlft_tui.tui.widgets.harmless import harmless, harmless_line
from tests.widgets.texts import documents, harmful


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("bell\x07 null\x00 delete\x7f", "bell^G null^@ delete^?"),
        ("a\r\nb\rc", "a\nb^Mc"),
        ("\x9b31m", "⟨U+009B⟩31m"),
        ("ab\u202edc", "ab⟨U+202E⟩dc"),
        ("zero\u200bwidth\ufeff", "zero⟨U+200B⟩width⟨U+FEFF⟩"),
        ("lone\ud800", "lone⟨U+D800⟩"),
        ("line\u2028break", "line⟨U+2028⟩break"),
        ("soft\u00adhyphen", "soft‧hyphen"),
        ("tag\U000e0041", "tag⟨U+E0041⟩"),
        ("heart ❤\ufe0f", "heart ❤"),
        ("👩\u200d👧 👍🏽", "👩👧 👍"),
        ("flag 🇩🇪", "flag ⟨DE⟩"),
        ("می\u200cخواهم", "میخواهم"),
        ("a\u200db", "a⟨U+200D⟩b"),
        ("\u0301x", "◌\u0301x"),
        ("e\u0301", "e\u0301"),
        ("e" + "\u0301" * 8, "e" + "\u0301" * 6 + "⟨+2 marks⟩"),
        ("a\tb", "a   b"),
    ],
)
def test_each_dangerous_character_is_shown(raw: str, shown: str) -> None:
    assert harmless(raw) == shown


def test_ordinary_text_is_not_touched() -> None:
    text = "Hello, wörld! 你好 – “quoted” ☃ مرحبا नमस्ते\n  indented\n"
    assert harmless(text) == text


def test_one_line_stays_one_line() -> None:
    assert harmless_line("a\nb\tc\r\nd") == "a⏎b c⏎d"


@given(st.one_of(st.text(), documents))
def test_nothing_harmful_is_left(text: str) -> None:
    assert harmful(harmless(text).replace("\n", "")) == ""


@given(st.one_of(st.text(), documents))
def test_harmless_text_is_left_alone_the_second_time(text: str) -> None:
    once = harmless(text)
    if "marks⟩" not in once:
        assert harmless(once) == once


@given(documents, st.integers(2, 40))
def test_lines_fit_and_lose_only_spaces(text: str, width: int) -> None:
    safe = harmless(text)
    spans = break_lines(safe, width)
    assert all(cell_width(safe[start:end]) <= width for start, end in spans)
    together = "".join(safe[start:end] for start, end in spans)
    assert together.replace(" ", "") == safe.replace(" ", "").replace("\n", "")


def test_words_stay_whole_and_wide_characters_may_part() -> None:
    text = "one two three 你好世界"
    assert [text[start:end] for start, end in break_lines(text, 10)] == ["one two", "three 你好", "世界"]


@given(st.text(alphabet="ab 你é", max_size=30), st.integers(0, 20))
def test_fitted_text_has_exactly_its_width(text: str, width: int) -> None:
    assert cell_width(fit(text, width)) == width
    assert cell_width(fit(text, width, right=True)) == width
    assert cell_width(cut(text, width)) <= width
