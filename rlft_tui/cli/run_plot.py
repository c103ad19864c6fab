"""Curves of a run as text, for scripts, files and bad links."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from rlft_tui.cli.session import Session
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.errors import RlftError
from rlft_tui.runs.run_status import RunSummary, Series

POINTS = 500
CHART_ROWS = 12
MOST_UNASKED = 4
"""Charts drawn when no metric was named."""


def plots(
    client: WorkspaceClient,
    run: RunSummary,
    keys: Sequence[str],
    *,
    width: int | None = None,
    smoothing: float = 0.0,
    log: bool = False,
) -> str:
    """A chart a metric, one below the other; without names the metrics one looks at first."""
    from rlft_tui.tui.metric_pages import rank

    wanted = list(keys) or rank(run.metrics)[:MOST_UNASKED]
    if not wanted:
        raise RlftError("the run has not logged any metric yet", where=run.id)
    columns = width or min(shutil.get_terminal_size((80, 24)).columns, 160)
    series = client.series(run.id, wanted, points=POINTS)
    charts = [text_chart(one, run, columns, smoothing=smoothing, log=log) for one in series]
    return "\n\n".join(charts)


def text_chart(
    one: Series, run: RunSummary, columns: int, *, smoothing: float = 0.0, log: bool = False
) -> str:
    """Title line and chart in braille, without colour: it goes through any pipe."""
    from rlft_tui.tui.widgets.chart_axis import Axis, log_axis, short_number, step_axis, value_axis
    from rlft_tui.tui.widgets.chart_plot import LEFT, plot
    from rlft_tui.tui.widgets.chart_points import trace, value_range
    from rlft_tui.tui.widgets.chart_scale import ChartLook

    columns = max(columns, LEFT + 20)
    look = ChartLook(smoothing=smoothing, log=log)
    last = one.steps[-1] if one.steps else 0
    x = step_axis(int(last), run.steps, max(2, (columns - LEFT) // 12))
    span = value_range([one], x, look=look, bands=False)
    y = (log_axis if log else value_axis)(*span, None) if span else Axis(0, 1, (0.0, 1.0))
    line = trace(one, x, columns - LEFT, look=look)
    rows = plot([line], x, y, columns, CHART_ROWS)
    final = next((mean for mean in reversed(one.mean) if mean is not None), None)
    parts = [one.key, one.unit, short_number(final)]
    if bad := sum(one.nonfinite):
        parts.append(f"{bad} NaN or infinite")
    if line.hidden:
        parts.append(f"{line.hidden} not above 0")
    if smoothing:
        parts.append(f"smoothed {smoothing:g}")
    title = "  ".join(part for part in parts if part)
    body = ["".join(glyph.character for glyph in row).rstrip() for row in rows]
    return "\n".join([title, *body])


def picture_of(
    client: WorkspaceClient, run: RunSummary, key: str, path: str, *, smoothing: float, log: bool
) -> str:
    """Write one metric's chart as SVG or PNG; where it is."""
    from pathlib import Path

    from rlft_tui.tui.widgets.chart_picture import ChartDrawing, save_picture
    from rlft_tui.tui.widgets.chart_scale import ChartLook

    if Path(path).suffix not in (".svg", ".png"):
        raise RlftError("a picture is an .svg or a .png", where=path)
    series = client.series(run.id, [key], points=2 * POINTS)
    drawing = ChartDrawing(key, series, names=[run.id], look=ChartLook(smoothing=smoothing, log=log))
    return str(save_picture(drawing, Path(path)))


class LivePlot:
    """Charts redrawn in place on a terminal; elsewhere they are printed once, at the end."""

    def __init__(self, session: Session, keys: Sequence[str], *, smoothing: float, log: bool) -> None:
        import sys

        self._session = session
        self._keys = keys
        self._smoothing, self._log = smoothing, log
        self._rows = 0
        self._said = ""
        self._live = sys.stderr.isatty()

    def show(self, client: WorkspaceClient, run: RunSummary, line: str) -> None:
        """Draw the run as it stands now, when anything changed."""
        if not self._live or not run.metrics:
            self._session.say(line)
            return
        text = plots(client, run, self._keys, smoothing=self._smoothing, log=self._log) + "\n" + line
        if text == self._said:
            return
        self._said = text
        up = f"\x1b[{self._rows}F\x1b[J" if self._rows else ""
        self._session.say(up + text)
        self._rows = text.count("\n") + 1
