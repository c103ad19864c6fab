"""Markdown becomes rows of exactly the pane's width, with everything readable in them."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rlft_tui.tui.widgets.cells import cell_width
from rlft_tui.tui.widgets.harmless import harmless
from rlft_tui.tui.widgets.markdown_chunks import MOST, Chunker
from rlft_tui.tui.widgets.markdown_lines import MarkdownLines
from rlft_tui.tui.widgets.palette import palette
from rlft_tui.tui.widgets.styled_lines import Line
from rlft_tui.tui.widgets.text_document import TextDocument
from tests.widgets.texts import EVERYTHING, documents, harmful, row_text

DARK = palette("#eeeeee", "#101010", True)
LIGHT = palette("#101010", "#eeeeee", False)
ANSI = palette("default", "default", True, True)


def rendered(text: str, width: int = 60) -> list[Line]:
    return MarkdownLines(width, DARK).render(harmless(text))


def shown(text: str, width: int = 60) -> list[str]:
    return [row_text(row).rstrip() for row in rendered(text, width)]


@given(documents, st.integers(8, 90), st.booleans())
@example("> " * 30 + "deep", 12, True)
@example("- " * 30 + "deep", 8, True)
@example("|a|b|c|d|\n|-|-|-|-|\n|" + "你" * 30 + "|x|y|z|", 20, True)
@example("```\n" + "你" * 200, 9, True)
def test_every_row_is_as_wide_as_the_pane_and_harmless(text: str, width: int, markdown: bool) -> None:
    document = TextDocument(text, width, DARK, markdown=markdown)
    document.advance(len(text) + 1)
    assert document.finished
    for row in document.lines:
        assert sum(cell_width(segment.text) for segment in row) == width
        assert harmful(row_text(row)) == ""
        assert all(segment.style is not None and segment.text for segment in row)
        assert row_text(row)[-1] == " " or width < 12


@pytest.mark.parametrize("colours", [DARK, LIGHT, ANSI])
@pytest.mark.parametrize("width", [8, 20, 39, 79, 158])
def test_a_text_with_every_block_renders_at_any_width(colours: object, width: int) -> None:
    document = TextDocument(EVERYTHING, width, colours)  # type: ignore[arg-type]
    document.advance(len(EVERYTHING))
    text = "".join(row_text(row) for row in document.lines).translate(str.maketrans("", "", " ┊▌"))
    for word in ("Title", "strong", "nested", "seven", "quote", "return", "indented", "centre", "世", "end"):
        assert word in text


def test_paragraphs_keep_their_line_breaks() -> None:
    assert shown("roses\nviolets  \nsugar") == ["roses", "violets", "sugar"]


def test_lists_are_numbered_and_nested() -> None:
    assert shown("3. a\n4. b\n   - c\n     1. d\n\n* e") == ["3. a", "4. b", "   • c", "     1. d", "", "• e"]


def test_a_loose_list_keeps_its_blank_rows() -> None:
    assert shown("1. a\n\n2. b\n\n   c") == ["1. a", "", "2. b", "", "   c"]


def test_two_lists_are_numbered_apart() -> None:
    assert shown("1. a\n2. b\n\nthen\n\n1. c") == ["1. a", "2. b", "", "then", "", "1. c"]


def test_tasks_have_boxes() -> None:
    assert shown("- [ ] open\n- [x] done\n- [y] other") == ["• ☐ open", "• ☑ done", "• [y] other"]


def test_quotes_nest() -> None:
    assert shown("> a\n>\n> > b\n\nc") == ["▌ a", "▌", "▌ ▌ b", "", "c"]


def test_links_and_images_show_where_they_lead() -> None:
    assert shown("[text](http://a.b) <http://c.d> ![pic](e.png)") == [
        "text (http://a.b) http://c.d [image: pic] (e.png)"
    ]


def test_html_and_reference_definitions_stay_text() -> None:
    assert shown("<script>alert(1)</script>\n\n[a]: http://b") == [
        "<script>alert(1)</script>",
        "",
        "[a]: http://b",
    ]


def test_entities_are_shown_and_hide_nothing() -> None:
    assert shown("a &amp; b &lt;c&gt; &#x202e;d &#8203;&#x9b; &#27;[31m") == [
        "a & b <c> ⟨U+202E⟩d ⟨U+200B⟩� �[31m"
    ]
    assert shown("[&#x202e;x](http://a/&#x202e;b)") == ["⟨U+202E⟩x (http://a/%E2%80%AEb)"]


def test_mathematics_is_text_and_not_markdown() -> None:
    assert shown(r"so $a_1 * b_2 * c$, \(x_1*y*z\), $5 and $6 and $$p_i*q*r$$.") == [
        "so a₁ * b₂ * c, x₁*y*z, $5 and $6 and pᵢ*q*r."
    ]
    assert shown("\\[\na_1\n= b * c * d\n\\]") == ["a₁ = b * c * d"]
    assert shown("\\begin{align*}\na &= b \\\\\n  &= c\n\\end{align*}\nthen") == ["a = b", "= c", "", "then"]
    assert shown("\\begin{align}a = b\\end{align}") == ["a = b"]
    assert shown("costs $5, or $6 each; $HOME and `$x_1$`") == ["costs $5, or $6 each; $HOME and $x_1$"]
    assert shown("$PATH:$HOME, US$5_a$, \\$x_1$y") == ["$PATH:$HOME, US$5_a$, $x_1$y"]


def test_code_keeps_its_spaces_and_is_coloured() -> None:
    rows = rendered("```python\ndef f():\n    return 1\n```")
    assert [row_text(row).rstrip() for row in rows] == ["┊ def f():", "┊     return 1"]
    assert len({segment.style for segment in rows[0]}) >= 3


def test_unknown_languages_are_plain_code() -> None:
    assert shown("```nonsense-language\nx  =  1\n```") == ["┊ x  =  1"]


def test_tables_are_aligned() -> None:
    assert shown("|name|n|m|\n|--|--:|:-:|\n|a|1|x|\n|bb|22|xyz|") == [
        "name │  n │  m",
        "─────┼────┼────",
        "a    │  1 │  x",
        "bb   │ 22 │ xyz",
    ]


def test_a_table_that_is_too_wide_wraps_its_cells() -> None:
    rows = shown("|word|text|\n|--|--|\n|a|one two three four five|\n|b|six|", 24)
    assert rows == [
        "word │ text",
        "─────┼─────────────────",
        "a    │ one two three",
        "     │ four five",
        "╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌",
        "b    │ six",
    ]


def test_a_table_with_too_many_columns_becomes_records() -> None:
    rows = shown("|a|b|c|d|e|\n|-|-|-|-|-|\n|1|2|3|4|5|", 20)
    assert rows == ["a: 1", "b: 2", "c: 3", "d: 4", "e: 5"]


def test_wide_cells_do_not_shift_columns() -> None:
    rows = shown("|a|b|\n|-|-|\n|你好|1|\n|x|2|")
    assert [cell_width(row.split("│")[0]) for row in (rows[0], rows[2], rows[3])] == [5, 5, 5]


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_pieces_rendered_one_by_one_are_the_text_rendered_at_once(seed: int) -> None:
    paragraph = "Lorem *ipsum* dolor " * (seed % 60)
    text = "\n\n".join([EVERYTHING, paragraph, "- a\n- b", paragraph, EVERYTHING, "1. x\n2. y", paragraph])
    document = TextDocument(text, 60, DARK)
    while not document.finished:
        document.advance(1 + seed % 700)
    assert document.lines == rendered(text)


@given(st.lists(st.integers(5, 200), min_size=1, max_size=30), documents)
@settings(max_examples=10)
def test_a_stream_ends_as_the_same_text(sizes: list[int], tail: str) -> None:
    text = EVERYTHING + tail + EVERYTHING
    stream = TextDocument("", 50, DARK, stream=True)
    position = turn = 0
    while position < len(text):
        size = sizes[turn % len(sizes)]
        stream.append(text[position : position + size])
        stream.advance()
        position, turn = position + size, turn + 1
    stream.close()
    stream.advance(len(text))
    whole = TextDocument(text, 50, DARK)
    whole.advance(len(text))
    assert stream.finished
    assert stream.lines == whole.lines


def test_frozen_rows_of_a_stream_are_not_rendered_again() -> None:
    stream = TextDocument("", 50, DARK, stream=True)
    stream.append("paragraph of text\n\n" * 200)
    stream.advance(10_000)
    before = stream.lines[:50]
    stream.append("more\n\n" * 50)
    stream.advance(10_000)
    assert all(old is new for old, new in zip(before, stream.lines, strict=False))


@pytest.mark.parametrize(
    "text",
    ["x" * 50_000, "word " * 10_000, "```\n" + "code line\n" * 5_000, "- item\n" * 8_000, "[" * 30_000,
     "> " * 20_000, "|a" * 20_000, "*a" * 20_000, "\n" * 40_000, "1. a\n\n" * 6_000, "你" * 30_000],
)  # fmt: skip
def test_no_piece_is_longer_than_its_bound(text: str) -> None:
    chunker, start, pieces = Chunker(), 0, 0
    while start < len(text):
        chunk = chunker.next(text, start)
        assert start < chunk.end <= start + MOST
        start, pieces = chunk.end, pieces + 1
    assert start == len(text)
    document = TextDocument(text, 60, DARK)
    document.advance(3_000)
    assert 0 < document.characters_done <= 3_000 + MOST


def test_a_long_fence_stays_one_block() -> None:
    text = "```python\n" + "x = 1  # note\n" * 1_500 + "```\n\nafter *it*"
    rows = shown(text)
    assert len(rows) == 1_502
    assert set(rows[:1_500]) == {"┊ x = 1  # note"}
    assert rows[1_500:] == ["", "after it"]


def test_a_long_list_goes_on_counting() -> None:
    text = "".join("1. item\n" for _ in range(2_000))
    document = TextDocument(text, 60, DARK)
    document.advance(len(text))
    rows = [row_text(row).rstrip() for row in document.lines]
    assert rows == [f"{number}. item" for number in range(1, 2_001)]


def test_a_place_is_found_again_at_another_width() -> None:
    text = "\n\n".join(f"paragraph {number} " + "word " * 40 for number in range(300))
    wide, narrow = TextDocument(text, 100, DARK), TextDocument(text, 40, DARK)
    wide.advance(len(text))
    narrow.advance(len(text))
    line = next(index for index, row in enumerate(wide.lines) if "paragraph 150 " in row_text(row))
    found = narrow.line_of(wide.character_at(line))
    near = "".join(row_text(row) for row in narrow.lines[max(0, found - 14) : found + 14])
    assert "paragraph 149 " in near or "paragraph 150 " in near or "paragraph 151 " in near


def test_a_product_keeps_its_stars_and_emphasis_stays_emphasis() -> None:
    assert shown("3! = 3*2*1 = 6, a*b*c") == ["3! = 3*2*1 = 6, a*b*c"]
    assert shown("2*3 and *yes*, **Bold**er") == ["2*3 and yes, Bolder"]
