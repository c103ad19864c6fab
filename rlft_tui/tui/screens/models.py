"""The models of the workspace: where each comes from and how it fares against the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Static

from rlft_tui.datasets.dataset import Dataset
from rlft_tui.errors import RlftError
from rlft_tui.models.model import Model, Rating
from rlft_tui.tui import run_text
from rlft_tui.tui.list_pane import ListPane, ListRow, fitting, table_head, table_line
from rlft_tui.tui.screens.watching import WatchingScreen

LOOK_SECONDS = 3.0
COLUMNS: tuple[tuple[str, int], ...] = (
    ("model", 24),
    ("kind", 7),
    ("win rate, 95 %", 17),
    ("verdicts", 8),
    ("made", 9),
    ("base", 22),
    ("data set", 12),
)


class ModelsScreen(WatchingScreen):
    """Models with their ratings; below, the lineage of the one under the cursor."""

    KEY = "models"
    HELP = (
        "Win rates count every verdict between two models; a tie counts half. Rating: Bradley-Terry, "
        "100 points are odds of 1.8."
    )
    AUTO_FOCUS = "#models"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter", "compare", "compare", id="models.compare", tooltip="Compare it with its base, blind"
        ),
        Binding("o", "open_run", "its run", id="models.run", tooltip="Open the run that made it"),
        Binding("t", "train", "train", id="models.train", tooltip="Launch form with this model"),
        Binding("p", "path", "path", id="models.path", tooltip="Show or hide where its weights are"),
    ]
    DEFAULT_CSS = """
    ModelsScreen #models { height: 1fr; }
    ModelsScreen #detail { height: 5; padding: 0 1; background: $surface; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.models: tuple[Model, ...] = ()
        self.ratings: dict[str, Rating] = {}
        self.datasets: dict[str, Dataset] = {}
        self._read = False
        self._paths = False
        self._detail: Text | None = None

    def body(self) -> Iterable[Widget]:
        yield ListPane(empty="reading models …", id="models")
        yield Static("", id="detail")

    async def look(self) -> float:
        models, ratings, datasets = await asyncio.gather(
            self.bench.link.call(lambda client: client.models()),
            self.bench.link.call(lambda client: client.ratings()),
            self.bench.link.call(lambda client: client.datasets()),
        )
        self.models = tuple(sorted(models, key=lambda each: -each.created_at))
        self.ratings = {each.model: each for each in ratings}
        self.datasets = {each.hash: each for each in datasets}
        first, self._read = not self._read, True
        self.paint()
        if first:
            self.refresh_bindings()
        return LOOK_SECONDS

    def look_failed(self, error: RlftError) -> None:
        if not self._read:
            self.query_one(ListPane).show((), empty=run_text.plain(str(error)))
        else:
            super().look_failed(error)

    def on_resize(self) -> None:  # type: ignore[override]
        if self._read:
            self.paint()

    # drawing
    def paint(self) -> None:
        now = time.time()
        columns = fitting(COLUMNS, self.size.width)
        default = self.bench.settings.default_model
        self.query_one(ListPane).show(
            [ListRow(each.name, self._row(each, columns, now)) for each in self.models],
            table_head(columns),
            empty=f"No models yet: rlft models pull {default}",
        )
        self._show_detail()

    def _row(self, model: Model, columns: tuple[tuple[str, int], ...], now: float) -> Text:
        rating = self.ratings.get(model.name)
        return table_line(
            columns,
            {
                "model": (model.name, ""),
                "kind": (model.kind, "dim"),
                "win rate, 95 %": (win_rate(rating), ""),
                "verdicts": (f"{rating.n:,}" if rating else "–", ""),
                "made": (run_text.ago(model.created_at, now), ""),
                "base": (model.base or "–", "dim"),
                "data set": (model.dataset or "–", "dim"),
            },
        )

    def _show_detail(self) -> None:
        model = self.selected
        text = Text()
        if model is not None:
            lines = [
                *lineage(model, self.datasets.get(model.dataset), self.size.width - 2),
                record(self.ratings.get(model.name)),
                *self._hints(model),
                *([model.path] if self._paths else []),
            ]
            width = self.size.width - 2
            text = Text("\n".join(run_text.cut(run_text.plain(line), width) for line in lines if line))
        if text != self._detail:
            self._detail = text
            self.query_one("#detail", Static).update(text)

    def _hints(self, model: Model) -> list[str]:
        names = {each.name for each in self.models}
        if model.base and model.base not in names:
            return [f"! its base is not here: rlft models pull {model.base}"]
        default = self.bench.settings.default_model
        return (
            [f"! the default model is not here: rlft models pull {default}"] if default not in names else []
        )

    @property
    def selected(self) -> Model | None:
        key = self.query_one(ListPane).key
        return next((each for each in self.models if each.name == key), None)

    @on(ListPane.Moved)
    def _moved(self) -> None:
        self._show_detail()
        self.refresh_bindings()

    # actions
    @on(ListPane.Chosen)
    def action_compare(self) -> None:
        model = self.selected
        if model is None:
            return
        if model.kind == "reward":
            hint = f"A reward model writes no text. Score answers with it: rlft models score {model.name}"
            self.notify(hint, markup=False)
        elif model.kind == "adapter":
            self.bench.show_screen("compare", models=(model.base, model.name))
        else:
            tuned = (m for m in self.models if m.base == model.name and m.kind == "adapter")
            newest = next(tuned, model)
            self.bench.show_screen("compare", models=(model.name, newest.name))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("compare", "open_run", "train", "path"):
            model = self.selected if self.is_mounted else None
            return model is not None and (action != "open_run" or bool(model.run_id))
        return super().check_action(action, parameters)

    def action_open_run(self) -> None:
        if (model := self.selected) is not None and model.run_id:
            self.bench.show_screen("monitor", run_id=model.run_id)

    def action_train(self) -> None:
        if (model := self.selected) is not None:
            self.bench.show_screen("launch", model=model.name)

    def action_path(self) -> None:
        self._paths = not self._paths
        self._show_detail()


def win_rate(rating: Rating | None) -> str:
    """``61 % (48–73)``, or a dash before the first verdict."""
    if rating is None or not rating.n:
        return "–"
    low, high = rating.ci95
    return f"{rating.win_rate:.0f} % ({low:.0f}–{high:.0f})"


def record(rating: Rating | None) -> str:
    if rating is None or not rating.n:
        return "no verdicts on its answers yet"
    parts = [f"{rating.wins:,} won · {rating.losses:,} lost · {rating.ties:,} tied of {rating.n:,}"]
    if rating.bt is not None and rating.bt_ci95 is not None:
        low, high = rating.bt_ci95
        parts.append(f"rating {rating.bt:+.0f} ({low:+.0f} to {high:+.0f})")
    if rating.lc_win_rate is not None:
        parts.append(f"{rating.lc_win_rate:.0f} % at equal length")
    return " · ".join(parts)


def lineage(model: Model, dataset: Dataset | None, width: int) -> list[str]:
    """model ← base ← run ← data set ← labels, in as many lines as that takes."""
    parts = [model.name]
    if model.base:
        parts.append(model.base)
    if model.run_id:
        parts.append(f"run {model.run_id}")
    if model.dataset:
        name = f" {dataset.name}" if dataset and dataset.name else ""
        parts.append(f"data set{name} {model.dataset}")
    if dataset is not None:
        parts.append(f"{dataset.train_rows + dataset.heldout_rows:,} labels")
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) + 3 <= width:
            lines[-1] += f" ← {part}"
        else:
            lines.append(f"  ← {part}")
    return lines
