"""The launch form: what ``rlft train dpo`` and ``rlft pairs generate`` do, field by field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Select, Static

from rlft_tui.errors import RlftError
from rlft_tui.tui import run_text
from rlft_tui.tui.launch_form import NAMED, FormField, LaunchForm, Method
from rlft_tui.tui.screens.base import WorkbenchScreen

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient
    from rlft_tui.datasets.dataset import Dataset
    from rlft_tui.models.model import Model
    from rlft_tui.runs.run_status import RunSummary

PAGE = 1000
ROWS_AROUND = 10
"""Lines of the screen that are not fields: with room for all fields, all are shown."""
WIDE = 130
"""Columns from which the help at each field is not cut."""
TITLES: dict[Method, str] = {"dpo": "Train with DPO", "generate": "Generate pairs"}


class FieldList(VerticalScroll, inherit_bindings=False, can_focus=False):
    """The rows; scrolls to the field one is in, so that up and down are free to go from field to field."""


class FieldChoice(Select[str], inherit_bindings=False):
    """A list to choose from that up and down pass by, as they do every other field."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter,space", "show_overlay", "choose", show=False, id="launch.choose", tooltip="Open the list"
        ),
    ]


class FieldRow(Horizontal):
    """Label, what is typed or chosen, and one line: the field's help, or what is wrong with it."""

    DEFAULT_CSS = """
    FieldRow { height: 1; }
    FieldRow > .label { width: 17; padding-left: 1; color: $text-muted; }
    FieldRow > Input, FieldRow > Select { width: 26; }
    FieldRow:focus-within > .label { color: $text-accent; text-style: bold; }
    FieldRow > .note { width: 1fr; padding-left: 2; color: $text-muted;
                       text-wrap: nowrap; text-overflow: ellipsis; }
    FieldRow > .note.-wrong { color: $text-warning; text-style: bold; }
    FieldRow > Input.-wrong { background: $warning-muted; }
    """

    def __init__(self, field: FormField, choices: tuple[tuple[str, str], ...], text: str) -> None:
        super().__init__(classes="first" if field.first else "rest")
        self.field = field
        self._choices = choices
        self._text = text
        self._note = ""

    def compose(self) -> ComposeResult:
        yield Static(self.field.label, classes="label", markup=False)
        name = "field-" + self.field.name.replace(".", "-")
        if self._choices:
            known = self._text in [value for _, value in self._choices]
            yield FieldChoice(
                self._choices,
                value=self._text if known else Select.NULL,
                allow_blank=not known,
                compact=True,
                prompt="choose",
                id=name,
            )
        else:
            box = Input(self._text, compact=True, id=name, select_on_focus=False)
            box.cursor_blink = False
            yield box
        yield Static("", classes="note", markup=False)

    def tell(self, note: str, *, wrong: bool) -> None:
        """Show help, or the error in its place."""
        line = next(iter(self.query(".note").results(Static)), None)
        # A field may report its first value while the rows below it have not been filled yet.
        if note == self._note or line is None:
            return
        self._note = note
        line.set_class(wrong, "-wrong")
        line.update(f"✗ {note}" if wrong else note)
        for box in self.query(Input):
            box.set_class(wrong, "-wrong")


class LaunchScreen(WorkbenchScreen):
    """One form for both methods; the same call as the command shown below it."""

    KEY = "launch"
    DIGITS_SWITCH = False
    HELP = "The fields come from the run's spec. The line at the bottom is the command that does the same."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "start", "launch", id="launch.start", tooltip="Start the run and watch it"),
        Binding("ctrl+o", "more", "all settings", id="launch.more", tooltip="All settings, or the first few"),
        Binding(
            "ctrl+g", "other_method", "train/generate", id="launch.method",
            tooltip="Change between training with DPO and generating pairs",
        ),
        Binding("down", "next_field", "next", show=False, id="launch.next", tooltip="Next field"),
        Binding("up", "previous_field", "previous", show=False, id="launch.previous", tooltip="Field before"),
        Binding("escape", "leave", "back", id="launch.back", tooltip="Back to the runs"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    LaunchScreen #title { height: 1; padding: 0 1; margin-bottom: 1; text-style: bold; }
    LaunchScreen #form { height: 1fr; scrollbar-size-vertical: 1; }
    LaunchScreen #form.-fewer .rest { display: none; }
    LaunchScreen #hint { height: 2; padding: 0 1; color: $text-muted; }
    LaunchScreen #state { height: 1; padding: 0 1; text-style: bold; }
    LaunchScreen #state.-wrong { color: $text-warning; }
    LaunchScreen #command { height: auto; max-height: 4; padding: 0 1; color: $text-muted; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.form: LaunchForm | None = None
        self._models: tuple[Model, ...] = ()
        self._datasets: tuple[Dataset, ...] = ()
        self._launching = False
        self._wanted: dict[str, str] = {}
        self._behind_dialog = False

    def body(self) -> Iterable[Widget]:
        yield Static("", id="title", markup=False)
        yield FieldList(id="form", classes="-fewer")
        yield Static("", id="hint", markup=False)
        yield Static("reading models and data sets …", id="state", markup=False)
        yield Static("", id="command", markup=False)

    def opened(self, method: Method | None = None, **values: Any) -> None:
        """``method`` dpo or generate; other values are fields to start with, such as ``dataset``.

        Without any the form stands as it was left.
        """
        behind, self._behind_dialog = self._behind_dialog, False
        if behind and method is None and not values:
            return  # help was closed: nothing has changed, and one is still in the same field
        self._launching = False
        self._wanted = {name: str(value) for name, value in values.items()}
        if self.form is not None and not values and method in (None, self.form.method):
            method, self._wanted = self.form.method, dict(self.form.typed)
        wanted_method: Method = method or "dpo"

        def read(client: WorkspaceClient) -> tuple[tuple[Model, ...], tuple[Dataset, ...]]:
            return client.models(), client.datasets()

        def done(answer: tuple[tuple[Model, ...], tuple[Dataset, ...]]) -> None:
            self._models = answer[0]
            self._datasets = tuple(sorted(answer[1], key=lambda each: -each.created_at))
            self.run_worker(self._fill(wanted_method), group="fill", exclusive=True)

        self.call(read, done, group="launch", latest=True)

    def on_screen_suspend(self) -> None:
        self._behind_dialog = self in self.app.screen_stack and self.form is not None

    async def _fill(self, method: Method) -> None:
        form = LaunchForm(method)
        self.form = form
        names = tuple(model.name for model in self._models)
        newest = self._datasets[0].hash if self._datasets else ""
        for field in form.fields:
            if field.name in ("model", "model_a", "model_b"):
                form.known[field.name] = names
                form.set(field.name, self._first_model())
            elif field.name == "dataset":
                form.known[field.name] = tuple(each.hash for each in self._datasets)
                form.set(field.name, newest)
        for name, text in self._wanted.items():
            if any(field.name == name for field in form.fields):
                form.set(name, text)
        if "threads" not in self._wanted:
            form.set("threads", str(self.bench.settings.threads))
        self.query_one("#title", Static).update(TITLES[method])
        box = self.query_one("#form", FieldList)
        async with self.batch():
            await box.remove_children()
            await box.mount_all(
                FieldRow(field, self._choices(field), form.text(field.name)) for field in form.fields
            )
        self._check()
        box.set_class(self.size.height < len(form.fields) + ROWS_AROUND, "-fewer")
        self.query_one("#hint").display = self.size.width < WIDE
        first = "max_steps" if method == "dpo" else "prompts"
        self.query_one(f"#field-{first}").focus()

    def _first_model(self) -> str:
        """The default model, else a base, else any."""
        default = self.bench.settings.default_model
        ranked = sorted(self._models, key=lambda each: (each.name != default, each.kind != "base"))
        return ranked[0].name if ranked else ""

    def _choices(self, field: FormField) -> tuple[tuple[str, str], ...]:
        if field.name == "dataset":
            return tuple(
                (run_text.cut(f"{run_text.plain(each.name) or 'unnamed'} {each.hash}", 24), each.hash)
                for each in self._datasets
            )
        if field.name in NAMED and field.name != "prompts":
            return tuple((run_text.cut(run_text.plain(each.name), 24), each.name) for each in self._models)
        return tuple((choice, choice) for choice in field.choices)

    # what is typed
    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._take(event.input, event.value)

    @on(Select.Changed)
    def _chosen(self, event: Select.Changed) -> None:
        self._take(event.select, "" if event.value is Select.NULL else str(event.value))

    def _take(self, widget: Widget, text: str) -> None:
        row = widget.parent
        if self.form is None or not isinstance(row, FieldRow):
            return
        if row.field not in self.form.fields:
            return
        self.form.set(row.field.name, text)
        self._check()

    def _check(self) -> dict[str, str]:
        """Help or error at each field, the state line and the command below."""
        form = self.form
        if form is None:
            return {}
        errors = form.errors()
        for row in self.query(FieldRow):
            name = row.field.name
            wrong = name in errors
            row.tell(errors[name] if wrong else self._help(row.field), wrong=wrong)
        self._tell_state(errors)
        self.query_one("#command", Static).update(Content(f"$ {form.command()}"))
        return errors

    def _tell_state(self, errors: dict[str, str]) -> None:
        line = self.query_one("#state", Static)
        line.set_class(bool(errors), "-wrong")
        if self._launching:
            line.update("launching …")
        elif not self._models:
            line.update(f"No model yet: rlft models pull {self.bench.settings.default_model}")
        elif self.form is not None and self.form.method == "dpo" and not self._datasets:
            line.update("No data set yet: label some pairs, then rlft data build")
        elif errors:
            count = len(errors)
            line.update(f"{count} field{'s' if count > 1 else ''} to put right")
        else:
            line.update("Ready: ctrl+s launches")

    def _help(self, field: FormField) -> str:
        form = self.form
        if form is None or form.method != "dpo":
            return field.help
        data = next((each for each in self._datasets if each.hash == form.text("dataset")), None)
        if field.name == "dataset" and data is not None:
            return f"{data.train_rows:,} train · {data.heldout_rows:,} held out"
        if field.name == "max_steps" and data is not None and data.train_rows:
            try:
                rows = (
                    int(form.text("max_steps"))
                    * int(form.text("batch_size"))
                    * int(form.text("gradient_accumulation"))
                )
            except ValueError:
                return field.help
            return f"≈ {rows / data.train_rows:.1f} epochs of {data.train_rows:,} rows"
        return field.help

    def on_descendant_focus(self) -> None:
        """The whole help of the field one is in: at its own line it may be cut."""
        row = self.focused.parent if self.focused is not None else None
        if isinstance(row, FieldRow):
            self.query_one("#hint", Static).update(f"{row.field.label}: {row.field.help or 'a number'}")

    # actions
    @on(Input.Submitted)
    def action_next_field(self) -> None:
        self.focus_next("FieldRow Input, FieldRow Select")

    def action_previous_field(self) -> None:
        self.focus_previous("FieldRow Input, FieldRow Select")

    def action_more(self) -> None:
        self.query_one("#form").toggle_class("-fewer")

    def action_other_method(self) -> None:
        if self.form is not None:
            self._wanted = {}
            method: Method = "generate" if self.form.method == "dpo" else "dpo"
            self.run_worker(self._fill(method), group="fill", exclusive=True)

    def action_leave(self) -> None:
        self.bench.action_show_screen("runs")

    def action_start(self) -> None:
        """Launch, unless a field is wrong: then go there."""
        form = self.form
        if form is None or self._launching:
            return
        errors = self._check()
        if errors:
            first = next((field for field in form.fields if field.name in errors), None)
            if first is not None:
                if not first.first:
                    self.query_one("#form").remove_class("-fewer")
                self.query_one("#field-" + first.name.replace(".", "-")).focus()
            return
        values = form.values()
        count = form.prompt_count if form.method == "generate" else 0

        def launch(client: WorkspaceClient) -> RunSummary:
            if count:
                values["prompt_rows"] = prompt_rows(client, count)
            return client.launch(values)

        self._launching = True
        self._tell_state({})
        self.call(launch, self._launched, failed=self._refused, group="start", retry=False)

    def _launched(self, run: RunSummary) -> None:
        self._launching = False
        self._tell_state({})
        self.bench.show_screen("monitor", run_id=run.id)

    def _refused(self, error: RlftError) -> None:
        self._launching = False
        line = self.query_one("#state", Static)
        line.set_class(True, "-wrong")
        line.update(run_text.plain(str(error)))


def prompt_rows(client: WorkspaceClient, count: int) -> list[dict[str, Any]]:
    """The first ``count`` prompts of the store as a generate run takes them."""
    rows: list[dict[str, Any]] = []
    while len(rows) < count:
        limit = min(PAGE, count - len(rows))
        prompts = client.prompts(offset=len(rows), limit=limit).prompts
        rows += [
            {
                "id": each.id,
                "prompt": each.prompt,
                "context": [{"role": turn.role, "content": turn.content} for turn in each.context],
                "category": each.category,
            }
            for each in prompts
        ]
        if len(prompts) < limit:
            break
    if not rows:
        raise RlftError("there are no prompts yet", remedy="rlft prompts import FILE brings some in")
    return rows
