"""Statistics: pace, biases, agreement, and how far the models are told apart."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from rlft_tui.errors import RlftError
from rlft_tui.tui import statistics_text
from rlft_tui.tui.screens.watching import WatchingScreen
from rlft_tui.tui.statistics_text import Line
from rlft_tui.tui.widgets.harmless import harmless_line

LOOK_SECONDS = 3.0
PATIENCE = 10.0
"""While verdicts come in, so many times as long as reading took passes before it is read again."""
TWO_COLUMNS_FROM = 150
STYLES = {"": "", "bold": "bold", "dim": "$text-muted", "accent": "$text-accent", "warn": "$text-warning"}
SECTIONS = ("pace", "bias", "agreement", "models")
TITLES = {
    "pace": "Pace",
    "bias": "What verdicts lean to",
    "agreement": "Agreement",
    "models": "Models",
}


class StatisticsScreen(WatchingScreen):
    """One section after the other; each is painted when it changed."""

    KEY = "statistics"
    HELP = (
        "Intervals are 95 %. Rating: Bradley-Terry, 100 points are odds of 1.8. At equal length: what the "
        "win rate would be if both answers were as long (AlpacaEval 2). The stopping rule may be looked at "
        "after every verdict."
    )
    AUTO_FOCUS = "#sections"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "whose", "mine or all", id="statistics.whose", tooltip="My verdicts or everybody's"),
        Binding("l", "app.show_screen('label')", "label", id="statistics.label", tooltip="Label pairs"),
        Binding("d", "app.show_screen('data')", "data", id="statistics.data", tooltip="Pairs and labels"),
    ]
    DEFAULT_CSS = """
    StatisticsScreen #sections { padding: 0 1; }
    StatisticsScreen Horizontal { height: auto; layout: vertical; }
    StatisticsScreen.-two Horizontal { layout: horizontal; }
    StatisticsScreen.-two Horizontal > Static { width: 1fr; }
    StatisticsScreen Static { height: auto; margin-bottom: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._everybody = False
        self._shown: dict[str, Content] = {}

    def body(self) -> Iterable[Widget]:
        with VerticalScroll(id="sections"):
            yield Static("Reading the verdicts…", id="models", markup=False)
            with Horizontal():
                yield Static(id="pace", markup=False)
                yield Static(id="bias", markup=False)
            yield Static(id="agreement", markup=False)

    def on_resize(self) -> None:  # type: ignore[override]
        self.set_class(self.size.width >= TWO_COLUMNS_FROM, "-two")
        self.look_now()

    # reading
    async def look(self) -> float:
        start = time.monotonic()
        own = self.bench.settings.labeler
        labeler = "" if self._everybody else own
        call = self.bench.link.call
        width = self.size.width - 5
        ratings = await call(lambda client: client.ratings())
        apart = await call(lambda client: client.separations())
        lines = statistics_text.rating_lines(ratings, width)
        self._paint("models", [*lines, *statistics_text.separation_lines(apart)])
        pace = await call(lambda client: client.pace(labeler=labeler))
        self._paint("pace", statistics_text.pace_lines(pace), labeler)
        bias = await call(lambda client: client.bias(labeler=labeler))
        self._paint("bias", statistics_text.bias_lines(bias), labeler)
        agreement = await call(lambda client: client.agreement())
        self._paint("agreement", statistics_text.agreement_lines(agreement))
        return max(LOOK_SECONDS, PATIENCE * (time.monotonic() - start))

    def look_failed(self, error: RlftError) -> None:
        if self._shown:
            super().look_failed(error)
        else:
            self.query_one("#models", Static).update(Content(harmless_line(str(error))))

    def _paint(self, section: str, lines: list[Line], labeler: str | None = None) -> None:
        whose = "" if labeler is None else f" · {labeler}" if labeler else " · everybody"
        width = self.query_one(f"#{section}", Static).content_size.width
        content = section_text(TITLES[section] + whose, lines, width)
        if self._shown.get(section) != content:
            self._shown[section] = content
            self.query_one(f"#{section}", Static).update(content)

    # keys
    def action_whose(self) -> None:
        self._everybody = not self._everybody
        self.look_now()


def section_text(title: str, lines: Iterable[Line], width: int) -> Content:
    """A heading and its lines, with the colours of the theme; a long one goes on below its beginning."""
    head = Content.styled(harmless_line(title), "bold $text-accent")
    pieces = ([(text, STYLES[style]) for text, style in line if text] for line in lines)
    room = max(width - 2, 20)
    parts = (part for line in pieces for part in Content.assemble(*line).wrap(room) or [Content("")])
    return Content("\n").join([head, *(Content("  ") + part for part in parts)])
