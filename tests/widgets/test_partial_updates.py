"""Partial repaints paint the same as Textual's own, in fewer bytes."""

from __future__ import annotations

import pyte
import textual
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual import _compositor
from textual._compositor import ChopsUpdate
from textual.strip import Strip

from rlft_tui.tui.widgets.partial_updates import KNOWN, CroppedUpdate, crop_updates

WIDTH, HEIGHT, CUT = 30, 4, 12
STYLES = [Style(color="red", bgcolor="black"), Style(color="green", bgcolor="black", bold=True)]

lines = st.text(alphabet="abcdefgh ", min_size=WIDTH, max_size=WIDTH)
spans = st.lists(
    st.tuples(st.integers(0, HEIGHT - 1), st.integers(0, WIDTH - 2), st.integers(1, WIDTH)).map(
        lambda span: (span[0], min(span[1], span[2] - 1), span[2])
    ),
    min_size=1,
    max_size=5,
).map(sorted)


def strip(text: str) -> Strip:
    return Strip([Segment(text[:5], STYLES[0]), Segment(text[5:], STYLES[1])], len(text))


def painted(update: ChopsUpdate) -> tuple[list[str], int]:
    """The screen after an update of a blank one, and what the update took."""
    console = Console(color_system="truecolor", force_terminal=True, width=WIDTH, height=HEIGHT)
    output = update.render_segments(console)
    screen = pyte.Screen(WIDTH, HEIGHT)
    pyte.Stream(screen).feed(output)
    return screen.display, len(output)


@given(st.lists(lines, min_size=HEIGHT, max_size=HEIGHT), spans)
def test_every_span_is_painted_and_nothing_else(
    texts: list[str], changed: list[tuple[int, int, int]]
) -> None:
    chops = [{0: strip(text[:CUT]), CUT: strip(text[CUT:])} for text in texts]
    ends = [[CUT, WIDTH]] * HEIGHT
    screen, size = painted(CroppedUpdate(chops, changed, ends))
    inside = {(x, y) for y, start, stop in changed for x in range(start, stop)}
    for y, text in enumerate(texts):
        assert screen[y] == "".join(text[x] if (x, y) in inside else " " for x in range(WIDTH))
    _, usual = painted(ChopsUpdate(chops, changed, ends))
    assert size <= usual


def test_a_cell_at_the_right_costs_one_cell() -> None:
    chops = [{0: strip("x" * WIDTH)}]
    screen, size = painted(CroppedUpdate(chops, [(0, WIDTH - 1, WIDTH)], [[WIDTH]]))
    assert screen[0] == " " * (WIDTH - 1) + "x"
    assert size < 40


def test_it_stands_in_for_the_version_that_is_pinned() -> None:
    assert textual.__version__ == KNOWN
    crop_updates()
    assert _compositor.ChopsUpdate is CroppedUpdate
