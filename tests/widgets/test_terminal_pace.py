"""Live frames wait for the terminal's answer, and never for ever."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult

from rlft_tui.tui.widgets import terminal_pace
from rlft_tui.tui.widgets.chart import Chart
from rlft_tui.tui.widgets.terminal_pace import ASK, GIVEN_UP, TerminalPace, pace_of
from rlft_tui.tui.widgets.text_pane import TextPane
from tests.widgets.curves import series
from tests.widgets.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer is given up by itself while a slow machine runs the tests."""
    monkeypatch.setattr(terminal_pace, "PATIENCE", 3600.0)


class Paced(App[None]):
    """An app that passes the terminal's answers on, over a terminal that can be asked."""

    def compose(self) -> ComposeResult:
        yield Chart()

    @property
    def is_headless(self) -> bool:
        return False

    def on_cursor_position(self) -> None:
        pace_of(self).answered()


class Unpaced(App[None]):
    """An app that doesn't know of answers."""

    @property
    def is_headless(self) -> bool:
        return False


class Written(TerminalPace):
    """Keeps what would be written."""

    def __init__(self, app: App[None]) -> None:
        super().__init__(app)
        self.written: list[str] = []

    def _write(self, sequence: str) -> None:
        self.written.append(sequence)


async def test_a_second_live_frame_waits_for_the_answer_and_the_newest_wins() -> None:
    app = Paced()
    async with app.run_test() as pilot:
        pace = Written(app)
        drawn: list[int] = []
        pace.when_ready("chart", lambda: drawn.append(1))
        pace.frame_sent()
        assert pace.ready
        await until(pilot, lambda: pace.written == [ASK])
        pace.when_ready("chart", lambda: drawn.append(2))
        pace.when_ready("chart", lambda: drawn.append(3))
        assert drawn == [1]
        pace.answered()
        assert drawn == [1, 3]
        assert pace.ready


async def test_what_is_forgotten_is_not_drawn() -> None:
    app = Paced()
    async with app.run_test() as pilot:
        pace = Written(app)
        drawn: list[int] = []
        pace.frame_sent()
        await until(pilot, lambda: not pace.ready)
        pace.when_ready("chart", lambda: drawn.append(1))
        pace.forget("chart")
        pace.answered()
        assert drawn == []


async def test_a_terminal_that_never_answers_is_not_asked_again() -> None:
    app = Paced()
    async with app.run_test() as pilot:
        pace = Written(app)
        for _ in range(GIVEN_UP):
            pace.frame_sent()
            await until(pilot, lambda: not pace.ready)
            pace._gave_up()
            assert pace.ready
        pace.frame_sent()
        await pilot.pause()
        assert pace.ready
        assert pace.written == [ASK] * GIVEN_UP


async def test_over_a_slow_link_a_frame_is_seen_once_the_terminal_has_read_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]
    monkeypatch.setattr(terminal_pace, "monotonic", lambda: clock[0])
    app = Paced()
    async with app.run_test() as pilot:
        pace = Written(app)
        told: list[str] = []
        for trip, at_once in ((0.01, True), (0.4, True), (0.4, False)):
            told.clear()
            pace.frame_sent()
            await until(pilot, lambda: not pace.ready)
            pace.when_seen("pair", lambda: told.append("seen"))
            assert (told == ["seen"]) == at_once
            clock[0] += trip
            pace.answered()
            assert told == ["seen"]
        # A frame that follows the question is not the one that the answer is about.
        pace.frame_sent()
        await until(pilot, lambda: not pace.ready)
        asked = len(pace.written)
        told.clear()
        pace.frame_sent()
        pace.when_seen("pair", lambda: told.append("second"))
        clock[0] += 0.4
        pace.answered()
        assert told == []
        await until(pilot, lambda: len(pace.written) == asked + 1)
        pace._gave_up()
        assert told == ["second"]
        assert pace.seen, "a terminal that stopped answering holds nobody up"


async def test_an_app_without_the_handler_is_never_held_back() -> None:
    app = Unpaced()
    async with app.run_test() as pilot:
        pace = Written(app)
        pace.frame_sent()
        await pilot.pause()
        assert pace.ready
        assert pace.written == []


async def test_a_live_chart_draws_the_newest_values_after_the_answer() -> None:
    class Headless(Paced):
        is_headless = True  # type: ignore[assignment]

    app = Headless()
    async with app.run_test(size=(60, 15)) as pilot:
        chart = app.query_one(Chart)
        for count in (2, 3, 4):
            chart.show([series([float(index) for index in range(count)])], steps=10, live=True)
            await pilot.pause()
            assert f"● {count - 1}" in chart.render_line(0).text


class PacedText(Paced):
    def compose(self) -> ComposeResult:
        yield TextPane("\n\n".join(f"paragraph {number}" for number in range(300)))


async def test_pages_that_nobody_would_see_are_not_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    app = PacedText()
    async with app.run_test(size=(40, 12)) as pilot:
        pace = terminal_pace._paces[app] = Written(app)
        pane = app.query_one(TextPane)
        await until(pilot, lambda: pane.finished)
        painted: list[int] = []
        monkeypatch.setattr(pane, "refresh", lambda *_, **__: painted.append(pane.top))
        pane.scroll_page(1)
        assert painted == [11]
        await until(pilot, lambda: not pace.ready)
        for _ in range(9):
            pane.scroll_page(1)
        assert painted == [11]
        pace.answered()
        assert painted == [11, 110]
        pane.scroll_page(-1)
        assert painted == [11, 110, 99]
