"""Differences between two frames are found whole and kept small."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style

from rlft_tui.tui.widgets.cells import cell_width
from rlft_tui.tui.widgets.changed_spans import NEAR, Cell, changed_cells, changed_span
from rlft_tui.tui.widgets.styled_lines import padded

RED, BLUE = Style(color="red", bgcolor="black"), Style(color="blue", bgcolor="black")
WIDTH = 24

rows = st.lists(
    st.tuples(st.text(alphabet="ab 你", max_size=5), st.sampled_from([RED, BLUE])), max_size=4
).map(
    lambda pieces: (
        padded([], WIDTH, RED)
        if sum(cell_width(text) for text, _ in pieces) > WIDTH
        else padded(pieces, WIDTH, RED)
    )
)


def cells(row: tuple[Segment, ...]) -> list[Cell]:
    made: list[Cell] = []
    for segment in row:
        for character in segment.text:
            assert segment.style is not None
            made.append((character, segment.style))
            made.extend([("", segment.style)] * (cell_width(character) - 1))
    return made


@given(rows, rows)
def test_a_span_holds_every_difference(old: tuple[Segment, ...], new: tuple[Segment, ...]) -> None:
    span = changed_span(old, new, WIDTH)
    different = [
        at for at, (one, other) in enumerate(zip(cells(old), cells(new), strict=True)) if one != other
    ]
    if span is None:
        assert not different
    else:
        assert 0 <= span[0] < span[1] <= WIDTH
        assert all(span[0] <= at < span[1] for at in different)


def test_a_changed_word_is_all_that_is_sent() -> None:
    old, new = padded([("one two four", RED)], WIDTH, RED), padded([("one six four", RED)], WIDTH, RED)
    assert changed_span(old, new, WIDTH) == (4, 7)


@given(rows, rows)
def test_changed_cells_are_covered_and_wide_ones_stay_whole(
    old: tuple[Segment, ...], new: tuple[Segment, ...]
) -> None:
    before, after = cells(old), cells(new)
    spans = changed_cells(before, after)
    covered = {at for start, end in spans for at in range(start, end)}
    assert {at for at in range(WIDTH) if before[at] != after[at]} <= covered
    for start, end in spans:
        assert after[start][0] != ""
        assert end == WIDTH or after[end][0] != ""


def test_far_changes_are_sent_apart_and_near_ones_together() -> None:
    blank: list[Cell] = [(" ", RED)] * 30
    far, near = list(blank), list(blank)
    far[2] = far[20] = ("x", RED)
    near[2] = near[2 + NEAR] = ("x", RED)
    assert changed_cells(blank, far) == [(2, 3), (20, 21)]
    assert changed_cells(blank, near) == [(2, 3 + NEAR)]
    assert changed_cells(blank, list(blank)) == []
