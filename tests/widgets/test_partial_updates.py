"""Partial repaints paint the same as Textual's own, in fewer bytes."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from itertools import product
from unittest.mock import patch

import pyte
import pytest
import textual
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual import _compositor
from textual._compositor import ChopsUpdate
from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.geometry import Region
from textual.strip import Strip
from textual.widgets import Static

from rlft_tui.tui.widgets.cells import cell_width
from rlft_tui.tui.widgets.partial_updates import (
    KNOWN,
    CroppedUpdate,
    WholeUpdate,
    crop_updates,
    renders_within,
)
from rlft_tui.tui.widgets.sent_frame import frame_of

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
    return Strip([Segment(text[:5], STYLES[0]), Segment(text[5:], STYLES[1])])


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
    assert _compositor.LayoutUpdate is WholeUpdate


def whole(texts: list[str]) -> WholeUpdate:
    return WholeUpdate([[strip(text)] for text in texts], Region(0, 0, WIDTH, len(texts)))


def test_what_the_terminal_shows_is_not_sent_again_until_it_may_have_changed() -> None:
    console = Console(color_system="truecolor", force_terminal=True, width=WIDTH, height=HEIGHT)
    texts = ["a" * WIDTH] * HEIGHT
    first = whole(texts).render_segments(console)
    assert whole(texts).render_segments(console) == ""
    changed = whole([*texts[:-1], "a" * (WIDTH - 1) + "z"]).render_segments(console)
    assert changed.startswith(f"\x1b[{HEIGHT};{WIDTH}H")
    assert "a" not in changed
    assert CroppedUpdate([{0: strip(texts[0])}], [(0, 3, 9)], [[WIDTH]]).render_segments(console) == ""
    assert whole(texts[:2]).render_segments(console).count("a" * 5) == whole(texts[:2]).render_segments(
        Console(color_system="truecolor", force_terminal=True)
    ).count("a" * 5)
    whole(texts).render_segments(console)
    frame_of(console).forget()
    assert whole(texts).render_segments(console) == first


wide = st.lists(st.sampled_from(["a", "b", " ", "語", "é", "e\u0301"]), min_size=1, max_size=15).map("".join)
swaps = st.lists(st.integers(0, HEIGHT - 1), min_size=1)
"""Rows whose letters change their case: all are dirty, only these are sent."""


@given(st.lists(st.lists(lines | wide, min_size=HEIGHT, max_size=HEIGHT) | swaps, max_size=6))
def test_any_frames_one_after_another_leave_the_last_one_on_screen(
    frames: list[list[str] | list[int]],
) -> None:
    console = Console(color_system="truecolor", force_terminal=True, width=WIDTH, height=HEIGHT)
    screen, expected = pyte.Screen(WIDTH, HEIGHT), pyte.Screen(WIDTH, HEIGHT)
    texts = [" " * WIDTH] * HEIGHT
    for frame in [texts, *frames]:
        texts = [
            each.swapcase() if y in frame else each if isinstance(frame[0], int) else str(frame[y])
            for y, each in enumerate(texts)
        ]
        rows = [strip(text).adjust_cell_length(WIDTH, STYLES[1]) for text in texts]
        update = (
            CroppedUpdate(
                [{0: row} for row in rows], [(y, 0, WIDTH) for y in range(HEIGHT)], [[WIDTH]] * HEIGHT
            )
            if isinstance(frame[0], int)
            else WholeUpdate([[row] for row in rows], Region(0, 0, WIDTH, HEIGHT))
        )
        pyte.Stream(screen).feed(update.render_segments(console))
        whole_rows = (f"\x1b[{y + 1};1H{row.render(console)}" for y, row in enumerate(rows))
        pyte.Stream(expected).feed("".join(whole_rows))
        assert characters(screen) == characters(expected)


@pytest.mark.parametrize("text", ["नमस्ते क्षत्रिय", "\uffff\ufdd0\ue000 end", "a\u0301e\u0301", "کتاب\u200cها"])
@pytest.mark.parametrize("counted", [0, 1, 2])
def test_what_follows_a_text_of_doubtful_width_stands_in_its_column(text: str, counted: int) -> None:
    """Whatever a terminal makes of the characters: here each takes so many cells."""
    console = Console(color_system="truecolor", force_terminal=True, width=WIDTH, height=HEIGHT)
    screen = pyte.Screen(WIDTH, HEIGHT)
    pyte.Stream(screen).feed(whole(["x" * WIDTH] * HEIGHT).render_segments(console))
    row = Strip([Segment(text, STYLES[0]), Segment("|", STYLES[1])])
    row = row.adjust_cell_length(WIDTH, STYLES[1])
    written = CroppedUpdate([{0: row}], [(0, 0, WIDTH)], [[WIDTH]]).render_segments(console)
    for character in set(text):
        if not character.isascii():
            written = written.replace(character, "?" * counted)
    pyte.Stream(screen).feed(written)
    assert screen.display[0][cell_width(text)] == "|"
    assert "x" not in screen.display[0]


cut_frames = st.tuples(
    st.lists(st.integers(1, WIDTH - 1), max_size=3, unique=True).map(sorted),
    st.lists(lines, min_size=HEIGHT, max_size=HEIGHT),
    spans,
)
"""Where the rows are cut, what stands in them, and which cells are dirty."""


@given(st.lists(cut_frames, max_size=6))
def test_rows_may_be_cut_in_other_places_in_every_frame(
    frames: list[tuple[list[int], list[str], list[tuple[int, int, int]]]],
) -> None:
    console = Console(color_system="truecolor", force_terminal=True, width=WIDTH, height=HEIGHT)
    screen = pyte.Screen(WIDTH, HEIGHT)
    expected = [" " * WIDTH] * HEIGHT
    pyte.Stream(screen).feed(whole(expected).render_segments(console))
    for cuts, texts, changed in frames:
        ends = [*cuts, WIDTH]
        chops = [
            {start: strip(text[start:end]) for start, end in zip([0, *cuts], ends, strict=True)}
            for text in texts
        ]
        update = CroppedUpdate(chops, changed, [ends] * HEIGHT)
        pyte.Stream(screen).feed(update.render_segments(console))
        for y, start, stop in changed:
            expected[y] = expected[y][:start] + texts[y][start:stop] + expected[y][stop:]
        assert screen.display == expected


class Layers(App[None]):
    """Panes beside and over each other, one of them scrolled and one half outside the screen."""

    CSS = """
    Screen { layers: below above; }
    #left { width: 10; } #right { width: 1fr; border: solid red; }
    #long { height: 3; } #long Static { height: 9; }
    #over { layer: above; width: 12; height: 4; offset: 5 2; background: blue; }
    #out { layer: above; width: 9; height: 3; offset: 24 6; background: green; }
    """

    def compose(self) -> ComposeResult:
        text = "\n".join(f"{n} {'abcdefgh' * 9}" for n in range(9))
        with Horizontal():
            yield Static(text, id="left")
            with Vertical(id="right"):
                yield VerticalScroll(Static(text), id="long")
                yield Static(text)
        yield Static("over " * 9, id="over")
        yield Static("out " * 9, id="out")


@pytest.mark.anyio
async def test_the_rows_of_a_crop_are_drawn_as_textual_draws_them() -> None:
    specification = importlib.util.find_spec("textual._compositor")
    assert specification is not None
    assert specification.loader is not None
    own = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(own)
    app = Layers()
    async with app.run_test(size=(WIDTH, 8)) as pilot:
        app.query_one("#long").scroll_to(y=4, animate=False)
        await pilot.pause()
        compositor = app.screen._compositor

        def drawn(renders: Callable[..., object], crop: Region) -> list[list[Segment]]:
            with patch.object(_compositor.Compositor, "_get_renders", renders):
                chops = compositor._render_chops(crop, lambda y: crop.y <= y < crop.bottom)
            ends = [cuts[1:] for cuts in compositor.cuts]
            rows = [(y, crop.x, crop.right) for y in crop.line_range]
            return [
                list(Strip.join([part for _, _, part in CroppedUpdate(chops, [row], ends)._strips()]))
                for row in rows
            ]

        for x, y, width, height in product((0, 4, 11, 23), range(8), (1, 6, 30), (1, 3, 8)):
            crop = Region(x, y, width, height).intersection(app.screen.region)
            assert drawn(renders_within, crop) == drawn(own.Compositor._get_renders, crop)


def characters(screen: pyte.Screen) -> list[list[str]]:
    return [[screen.buffer[y][x].data for x in range(WIDTH)] for y in range(HEIGHT)]
