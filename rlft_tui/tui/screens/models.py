"""The models of the workspace: where each comes from and how it fares against the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Static

from rlft_tui.datasets.dataset import Dataset
from rlft_tui.evaluations.round_standing import RoundStanding
from rlft_tui.models.exports import Export
from rlft_tui.models.lineage import Node
from rlft_tui.models.model import Model, Rating
from rlft_tui.models.model_files import ModelUse
from rlft_tui.models.removal import Removal
from rlft_tui.runs.remarks import split_tags
from rlft_tui.tui import run_text
from rlft_tui.tui.list_pane import ListPane, ListRow, fitting, table_head, table_line
from rlft_tui.tui.model_export import ask_export, exported
from rlft_tui.tui.model_text import FITS, judges_and_round, lineage, record, remarks, win_rate
from rlft_tui.tui.screens.watching import WatchedListScreen

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient

LOOK_SECONDS = 3.0
MEASURE_SECONDS = 60.0
"""Between two looks at what the models take on the disk."""
COLUMNS: tuple[tuple[str, int], ...] = (
    ("model", 22),
    ("kind", 7),
    ("win rate, 95 %", 16),
    ("size", 8),
    ("fits", 4),
    ("made", 9),
    ("verdicts", 8),
    ("base", 22),
    ("data set", 12),
)


class ModelsScreen(WatchedListScreen):
    """Models with their ratings; below, the lineage of the one under the cursor."""

    KEY = "models"
    HELP = (
        "Win rates count every verdict between two models; a tie counts half. Rating: Bradley-Terry, "
        "100 points are odds of 1.8."
    )
    AUTO_FOCUS = LIST = "#models"
    CHANGES_KEYS = frozenset({"leader", "note", "tags"})
    KEPT_BACK = frozenset({"train", "note", "tags", "remove", "export"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter", "compare", "compare", id="models.compare", tooltip="Compare it with its base, blind"
        ),
        Binding("o", "open_run", "its run", id="models.run", tooltip="Open the run that made it"),
        Binding("t", "train", "train", id="models.train", tooltip="Launch form with this model"),
        Binding("w", "app.show_screen('rounds')", "rounds", id="models.rounds", tooltip="Promote and reject"),
        Binding(
            "e",
            "app.show_screen('evaluations')",
            "evaluations",
            id="models.evaluations",
            tooltip="What was measured, against a baseline",
        ),
        Binding("l", "lineage", "lineage", id="models.lineage", tooltip="What it was made from, as a tree"),
        Binding("n", "note", "note", id="models.note", tooltip="Write a note about it"),
        Binding("number_sign", "tags", "tags", key_display="#", id="models.tags", tooltip="Tag it"),
        Binding("d", "remove", "delete", id="models.remove", tooltip="Remove it, when nothing rests on it"),
        Binding(
            "E",
            "export",
            "export",
            key_display="E",
            id="models.export",
            tooltip="Write it out as safetensors, GGUF, ONNX or adapter, and prove it",
        ),
        Binding("p", "path", "path", id="models.path", tooltip="Show or hide where its weights are"),
    ]
    DEFAULT_CSS = """
    ModelsScreen #models { height: 1fr; }
    ModelsScreen #detail { height: 6; padding: 0 1; background: $surface; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.models: tuple[Model, ...] = ()
        self.exports: tuple[Export, ...] = ()
        self.ratings: dict[str, Rating] = {}
        self.judged: dict[str, Rating] = {}
        """By the verdicts of judges."""
        self.rounds: dict[str, RoundStanding] = {}
        """The newest of each model."""
        self.datasets: dict[str, Dataset] = {}
        self.use: dict[str, ModelUse] = {}
        self._measured = 0.0
        """time.monotonic of the last look at the disk."""
        self._paths = False

    def body(self) -> Iterable[Widget]:
        yield ListPane(empty="reading models …", id="models")
        yield Static("", id="detail")

    async def look(self) -> float:
        models, ratings, judged, rounds, datasets, self.exports = await asyncio.gather(
            self.bench.link.call(lambda client: client.models()),
            self.bench.link.call(lambda client: client.ratings()),
            self.bench.link.call(lambda client: client.ratings(by="judge")),
            self.bench.link.call(lambda client: client.rounds("")),
            self.bench.link.call(lambda client: client.datasets()),
            self.bench.link.call(lambda client: client.exports()),
        )
        self.models = tuple(sorted(models, key=lambda each: -each.created_at))
        self.ratings = {each.model: each for each in ratings}
        self.judged = {each.model: each for each in judged}
        self.rounds = {each.round.model: each for each in reversed(rounds)}
        self.datasets = {each.hash: each for each in datasets}
        self.show()
        new = any(each.name not in self.use for each in self.models)
        if self.models and (new or time.monotonic() - self._measured > MEASURE_SECONDS):
            self._measured = time.monotonic()
            use = await self.bench.link.call(lambda client: client.disk_use())
            self.use = {each.name: each for each in use.models}
            self.paint()
        return LOOK_SECONDS

    # drawing
    def draw(self) -> None:
        now = time.time()
        columns = fitting(COLUMNS, self.size.width)
        default = self.bench.settings.default_model
        self.pane.show(
            [ListRow(each.name, self._row(each, columns, now)) for each in self.models],
            table_head(columns),
            empty=f"No models yet: rlft models pull {default}",
        )
        self._show_detail()

    def _row(self, model: Model, columns: tuple[tuple[str, int], ...], now: float) -> Text:
        rating, use = self.ratings.get(model.name), self.use.get(model.name)
        return table_line(
            columns,
            {
                "model": (("● " if model.current_of else "") + model.name, ""),
                "size": (run_text.size(use.bytes) if use and use.bytes else "–", "dim"),
                "fits": (FITS[use.fits if use else None], ""),
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
                # First: what was just asked for must not be what does not fit.
                *([model.path] if self._paths else []),
                *lineage(model, self.datasets.get(model.dataset), self.size.width - 2),
                record(self.ratings.get(model.name)),
                judges_and_round(self.judged.get(model.name), self.rounds.get(model.name)),
                remarks(model, self.use.get(model.name)),
                exported(self.exports, model.name),
                *self._hints(model),
            ]
            width = self.size.width - 2
            text = Text("\n".join(run_text.cut(run_text.plain(line), width) for line in lines if line))
        self.say("#detail", text)

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
        key = self.pane.key
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
            name = run_text.plain(model.name)
            hint = f"A reward model writes no text. Score answers with it: rlft models score {name}"
            self.notify(hint, markup=False)
        elif model.kind == "adapter":
            self.bench.show_screen("compare", models=(model.base, model.name))
        else:
            tuned = (m for m in self.models if m.base == model.name and m.kind == "adapter")
            newest = next(tuned, model)
            self.bench.show_screen("compare", models=(model.name, newest.name))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("compare", "open_run", "train", "path", "lineage", "note", "tags", "remove", "export"):
            model = self.selected if self.is_mounted else None
            return model is not None and (action != "open_run" or bool(model.run_id))
        return super().check_action(action, parameters)

    def action_export(self) -> None:
        if (model := self.selected) is not None:
            ask_export(self, model)

    def action_open_run(self) -> None:
        if (model := self.selected) is not None and model.run_id:
            self.bench.show_screen("monitor", run_id=model.run_id)

    def action_train(self) -> None:
        if (model := self.selected) is not None:
            self.bench.show_screen("launch", model=model.name)

    def action_lineage(self) -> None:
        if (model := self.selected) is not None:
            name = model.name
            self.call(lambda client: client.lineage(name), self._show_lineage, group="lineage", latest=True)

    def _show_lineage(self, root: Node) -> None:
        from rlft_tui.tui.screens.lineage import LineageScreen

        def chosen(node: Node | None) -> None:
            if node is None:
                return
            if node.kind == "run":
                self.bench.show_screen("monitor", run_id=node.name)
            elif node.kind in ("dataset", "labels"):
                self.bench.show_screen("data")
            else:
                self.pane.go_to(node.name)

        self.bench.push_screen(LineageScreen(root), chosen)

    def action_note(self) -> None:
        if (model := self.selected) is not None:
            name = model.name
            self._ask(
                f"Note on {name}",
                model.note,
                "Nothing takes the note away",
                lambda client, text: client.remark_model(name, note=text),
            )

    def action_tags(self) -> None:
        if (model := self.selected) is not None:
            name, before = model.name, model.tags

            def retag(client: WorkspaceClient, text: str) -> Model:
                after = split_tags(text.split())
                dropped = tuple(tag for tag in before if tag not in after)
                return client.remark_model(name, add_tags=after, drop_tags=dropped)

            self._ask(f"Tags of {name}", " ".join(before), "Words with spaces or commas between them", retag)

    def _ask(self, title: str, text: str, hint: str, change: Callable[[WorkspaceClient, str], Model]) -> None:
        from rlft_tui.tui.screens.remark import RemarkScreen

        def kept(new: str | None) -> None:
            if new is not None and new != text:
                self.call(lambda client: change(client, new), lambda _: self.look_now(), retry=False)

        self.bench.push_screen(RemarkScreen(run_text.plain(title), text, hint), kept)

    def action_remove(self) -> None:
        if (model := self.selected) is not None:
            name = model.name
            self.call(lambda client: client.removal(name), self._ask_removal, group="removal", latest=True)

    def _ask_removal(self, planned: Removal) -> None:
        from rlft_tui.tui.screens.agree import AgreeScreen

        name = planned.name
        if planned.rests:
            lines = ["Something still needs it:", *(f"- {line}" for line in planned.rests)]
        else:
            what = f"{planned.folder} is deleted: {run_text.size(planned.frees)} are freed"
            lines = [what if planned.folder else "It is only forgotten here"]
            lines += [f"- stays: {line}" for line in planned.stays]

        def answered(yes: bool | None) -> None:
            if yes:
                self.call(lambda client: client.remove_model(name), lambda _: self.look_now(), retry=False)

        title = run_text.plain(f"Remove {name}?" if not planned.rests else f"{name} is not removed")
        self.bench.push_screen(
            AgreeScreen(lines, title=title, agree="" if planned.rests else "y removes"), answered
        )

    def action_path(self) -> None:
        self._paths = not self._paths
        self._show_detail()
