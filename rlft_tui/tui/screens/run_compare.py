"""Runs side by side: what differs in settings and data, how they ended, what they answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Static

from rlft_tui.runs.compare_runs import RunComparison
from rlft_tui.runs.run_status import RunSummary, Sample
from rlft_tui.tui import run_text
from rlft_tui.tui.list_pane import ListPane, ListRow, table_head, table_line
from rlft_tui.tui.metric_pages import rank
from rlft_tui.tui.run_comparison_text import data_text
from rlft_tui.tui.screens.base import WorkbenchScreen
from rlft_tui.tui.widgets.chart_colours import line_mark, line_style
from rlft_tui.tui.widgets.text_pane import TextPane
from rlft_tui.tui.widgets.widget_palette import palette_of
from rlft_tui.tui.widgets.word_diff import diff_words, marked_pieces

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient

TABS: dict[str, str] = {"settings": "c", "data": "d", "samples": "s"}
NAME_CELLS = 30
"""Width of a setting's or metric's name."""
LEAST_CELLS = 12
"""Of a run's column; runs for which there is no room come with the key for another run."""
LEGEND_ROWS = 6


class RunCompareScreen(WorkbenchScreen):
    """Two runs or more; the first marked is what the others are set beside."""

    KEY = "run_compare"
    HELP = "The first run is what the others are compared with."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "view('settings')", "settings", show=False, id="run_compare.settings",
                tooltip="Settings that differ, and the last metrics"),
        Binding("d", "view('data')", "data", show=False, id="run_compare.data",
                tooltip="Training data: shared, judged differently, in one only"),
        Binding("s", "view('samples')", "samples", show=False, id="run_compare.samples",
                tooltip="Answers to identical prompts"),
        Binding("enter,u", "curves", "curves", id="run_compare.curves", tooltip="The curves in one chart"),
        Binding("comma", "prompt(-1)", "prompt before", show=False, id="run_compare.prompt_back",
                tooltip="The prompt before"),
        Binding("full_stop", "prompt(1)", "next prompt", id="run_compare.prompt", tooltip="The next prompt"),
        Binding("right_square_bracket", "other(1)", "other run", id="run_compare.other",
                tooltip="Another run beside the first"),
        Binding("escape", "leave", "runs", id="run_compare.leave", tooltip="Back to the list of runs"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    RunCompareScreen #compared { height: auto; padding: 0 1; }
    RunCompareScreen #compare-tabs { height: 1; background: $surface; }
    RunCompareScreen #compare-views { height: 1fr; }
    RunCompareScreen #compare-data { padding: 0 1; }
    RunCompareScreen #compare-prompt { height: auto; max-height: 3; padding: 0 1; background: $surface; }
    RunCompareScreen Horizontal TextPane { padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.runs: tuple[RunSummary, ...] = ()
        self.comparison: RunComparison | None = None
        self._samples: list[dict[str, Sample]] = []
        """Each run's last answers by prompt."""
        self._prompts: list[str] = []
        """Prompts that the first run and the chosen other one both answered."""
        self._other = 1
        self._at = 0

    def body(self) -> Iterable[Widget]:
        yield Static(" reading …", id="compared")
        yield Static("", id="compare-tabs")
        with ContentSwitcher(initial="settings", id="compare-views"):
            yield ListPane(id="settings", empty="all settings are the same")
            yield TextPane(id="data")
            with Vertical(id="samples"):
                yield Static("", id="compare-prompt", markup=False)
                with Horizontal():
                    yield TextPane(id="left")
                    yield TextPane(id="right")

    def opened(self, runs: tuple[str, ...] = (), **values: Any) -> None:
        """``runs``: ids, the first one first; without them what was compared before."""
        if runs:
            self.comparison, self._other, self._at = None, 1, 0
            self.query_one("#compared", Static).update(" reading …")
            self.call(lambda client: _read(client, runs), self._came, group="compare", latest=True)
        elif not self.runs:
            self.query_one("#compared", Static).update(
                " Mark runs in Runs (4) with space, then c compares them"
            )
        self.query_one(ListPane).focus()

    def _came(self, answer: tuple[tuple[RunSummary, ...], RunComparison, list[dict[str, Sample]]]) -> None:
        self.runs, self.comparison, self._samples = answer
        self._choose_prompts()
        self._paint()

    def on_resize(self) -> None:  # type: ignore[override]
        if self.comparison is not None:
            self._paint()

    # drawing
    def _paint(self) -> None:
        comparison = self.comparison
        if comparison is None:
            return
        self.query_one("#compared", Static).update(self._legend())
        self._paint_tabs()
        self._paint_settings(comparison)
        self.query_one("#data", TextPane).show(data_text(comparison, self.runs))
        self._paint_samples()

    def _in_view(self) -> list[int]:
        """The runs whose columns fit: the first, and others from the chosen one on."""
        fitting = max(2, (self.size.width - NAME_CELLS - 3) // (LEAST_CELLS + 2))
        others = len(self.runs) - 1
        if others < fitting:
            return list(range(len(self.runs)))
        return [0, *(sorted((self._other - 1 + by) % others + 1 for by in range(fitting - 1)))]

    def _legend(self) -> Text:
        legend, colours = Text(), palette_of(self)
        view = self._in_view()
        for number in view[: min(LEGEND_ROWS, max(2, self.size.height // 4))]:
            run = self.runs[number]
            color = line_style(colours, number).color
            name = run_text.plain(run.id)
            legend.append(f"{line_mark(number)} {name}", style=color.name if color else "")
            tags = "".join(f" #{tag}" for tag in run.tags)
            said = f"{run_text.label(run)}  {run_text.steps(run)}  {run.model}{tags}"
            legend.append(f"  {run_text.plain(said)}\n")
        if hidden := len(self.runs) - len(view):
            legend.append(f"{hidden} more of {len(self.runs)} runs: ] goes on to them\n", style="dim")
        legend.right_crop(1)
        return legend

    def _paint_tabs(self) -> None:
        current = self.query_one(ContentSwitcher).current
        line = Text(no_wrap=True)
        for name, key in TABS.items():
            line.append(f" {key} {name.capitalize()} ", style="bold reverse" if name == current else "none")
        if current == "samples" and self._prompts:
            other = self.runs[self._other].id
            place = f"  prompt {self._at + 1} of {len(self._prompts)} · {self.runs[0].id} beside {other}"
            line.append(run_text.plain(place), style="dim")
        self.query_one("#compare-tabs", Static).update(line)

    def _paint_settings(self, comparison: RunComparison) -> None:
        view = self._in_view()
        width = (self.size.width - NAME_CELLS - 3) // len(view) - 2
        names = [f"{line_mark(number)} {_end_of(self.runs[number].id, width - 2)}" for number in view]
        columns = (("setting", NAME_CELLS), *((name, width) for name in names))
        rows = []

        def add(key: str, name: str, values: Sequence[str]) -> None:
            cells = {"setting": (name, "")} | {
                title: (values[number], "") for title, number in zip(names, view, strict=True)
            }
            rows.append(ListRow(key, table_line(columns, cells)))

        for one in comparison.settings:
            add(f"s:{one.setting}", one.setting, one.values)
        if any(run.metrics for run in self.runs):
            rows.append(ListRow("last", Text(" ── last values ──", style="bold dim", no_wrap=True)))
        for key in rank({key for run in self.runs for key in run.metrics}):
            unit = next((run.units[key] for run in self.runs if run.units.get(key)), "")
            title = f"{key} [{unit}]" if unit else key
            add(f"m:{key}", title, [run_text.figure(run.metrics.get(key)) for run in self.runs])
        self.query_one("#settings", ListPane).show(rows, table_head(columns))

    def _choose_prompts(self) -> None:
        if len(self._samples) > self._other:
            theirs = self._samples[self._other]
            self._prompts = [prompt for prompt in self._samples[0] if prompt in theirs]
        self._at = min(self._at, max(len(self._prompts) - 1, 0))

    def _paint_samples(self) -> None:
        left, right = self.query_one("#left", TextPane), self.query_one("#right", TextPane)
        if not self._prompts:
            self.query_one("#compare-prompt", Static).update("no prompt was answered by both runs")
            left.show("")
            right.show("")
            return
        prompt = self._prompts[self._at]
        first, second = self._samples[0][prompt], self._samples[self._other][prompt]
        self.query_one("#compare-prompt", Static).update(Text(run_text.plain(prompt)))
        marks = diff_words(first.completion, second.completion)
        for pane, sample, spans in ((left, first, marks[0]), (right, second, marks[1])):
            pane.show(sample.completion, marks=marked_pieces(sample.completion, spans, fold=False))

    # actions
    def action_view(self, name: str) -> None:
        self.query_one(ContentSwitcher).current = name
        focus = {"settings": "#settings", "data": "#data", "samples": "#right"}[name]
        self.query_one(focus).focus()
        self._paint_tabs()

    def action_prompt(self, by: int) -> None:
        if self._prompts:
            self._at = min(max(self._at + by, 0), len(self._prompts) - 1)
            self._paint_samples()
            self._paint_tabs()

    def action_other(self, by: int) -> None:
        """Another run beside the first: its samples, and where not all have room its settings."""
        if len(self.runs) > 2:
            self._other = (self._other - 1 + by) % (len(self.runs) - 1) + 1
            self._choose_prompts()
            self._paint()

    def action_curves(self) -> None:
        if self.runs:
            self.bench.show_screen("monitor", run_id=self.runs[0].id, over=self.runs[1:])

    def action_leave(self) -> None:
        self.bench.show_screen("runs")


def _end_of(run_id: str, width: int) -> str:
    """By its end a run is told from others of the same day."""
    return run_id if len(run_id) <= width else f"…{run_id[1 - width :]}"


def _read(
    client: WorkspaceClient, ids: tuple[str, ...]
) -> tuple[tuple[RunSummary, ...], RunComparison, list[dict[str, Sample]]]:
    """Summaries, differences, and each run's last samples by prompt."""
    runs = tuple(client.run(run_id) for run_id in ids)
    samples = []
    for run in runs:
        heads = client.sample_heads(run.id)
        last = client.samples_at(run.id, heads[-1].step) if heads else ()
        samples.append({one.prompt: one for one in last})
    return runs, client.compare_runs(*ids), samples
