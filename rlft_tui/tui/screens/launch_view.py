"""What stands on the launch form: rows made from the spec, checked as one types."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING, Any

from textual import on
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Select, Static

from rlft_tui.errors import RlftError
from rlft_tui.tui import run_text
from rlft_tui.tui.launch_form import METHODS, LaunchForm, first_fields
from rlft_tui.tui.launch_notes import notes, unrunnable
from rlft_tui.tui.launch_sources import Sources, read_sources
from rlft_tui.tui.screens.base import WorkbenchScreen
from rlft_tui.tui.views.field_rows import FieldList, FieldRow, ThemeLine
from rlft_tui.tui.widgets.choice_line import ChoiceLine
from rlft_tui.tui.widgets.harmless import harmless_line

if TYPE_CHECKING:
    from rlft_tui.runs.spec_fields import SpecField

TALL = 32
"""Lines of the screen from which all settings are shown, theme after theme."""
WIDE = 130
"""Columns from which the help at each field is not cut."""
DEFAULTS = ""
CLONE = "clone"
LAUNCHING = "launching …"
READING = "reading models and data sets …"
CHECKING = "checking …"


class LaunchView(WorkbenchScreen):
    """Method, where the settings begin, the fields, what is wrong with them and the command."""

    DEFAULT_CSS = """
    LaunchView .head { height: 1; }
    LaunchView .head > .label { width: 12; padding-left: 1; color: $text-muted; }
    LaunchView .head:focus-within > .label { color: $text-accent; text-style: bold; }
    LaunchView .head > ChoiceLine { width: 1fr; }
    LaunchView #form { height: 1fr; margin-top: 1; scrollbar-size-vertical: 1; }
    LaunchView #form.-fewer .rest { display: none; }
    LaunchView #hint { height: auto; min-height: 2; max-height: 6; padding: 0 1; color: $text-muted; }
    LaunchView #state { height: 1; padding: 0 1; text-style: bold; }
    LaunchView #state.-wrong { color: $text-warning; }
    LaunchView #command { height: auto; max-height: 4; padding: 0 1; color: $text-muted; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.form: LaunchForm | None = None
        self._forms: dict[str, LaunchForm] = {}
        """What was chosen for each method, so that looking at another one loses nothing."""
        self.sources = Sources()
        self._doing = ""
        """What a launch is waiting for, as told in the state line."""
        self._unread = READING
        """Why nothing can be said about the form yet, nor launched from it; empty once it is checked."""
        self._trial = 0
        """Number of the check or dry run that is waited for; one with another number is given up."""
        self._behind_dialog = False
        self._errors: dict[str, str] = {}
        self._hinted = ""
        self._whole = False
        """Whether the settings that do not come first are there too."""

    def body(self) -> Iterable[Widget]:
        methods = [(method, method) for method in METHODS]
        with Horizontal(classes="head"):
            yield Static("method", classes="label", markup=False)
            yield ChoiceLine(methods, "dpo", id="method")
        with Horizontal(classes="head"):
            yield Static("begin with", classes="label", markup=False)
            yield ChoiceLine([("defaults", DEFAULTS)], DEFAULTS, id="begin")
        yield FieldList(id="form", classes="-fewer")
        yield Static("", id="hint", markup=False)
        yield Static(READING, id="state", markup=False)
        yield Static("", id="command", markup=False)

    def opened(self, method: str | None = None, clone: str = "", **values: Any) -> None:
        """``method``; ``clone``: id of the run to begin with; other values are fields, such as ``dataset``.

        Without any the form stands as it was left.
        """
        behind, self._behind_dialog = self._behind_dialog, False
        if behind and method is None and not clone and not values:
            return  # a dialog was closed: nothing has changed, and one is still in the same field
        self._doing = ""
        self._trial += 1
        self._unread = READING
        self._tell_state({})
        wanted = {name: str(value) for name, value in values.items()}

        def done(found: Sources) -> None:
            self.sources = found
            if found.clone is not None:
                form = LaunchForm(str(found.clone["method"]), clone=found.clone)
                self._forms = {form.method: form}  # those of other methods begin with the clone as well
            else:
                form = self._form_of(method or (self.form.method if self.form else "dpo"))
            self.run_worker(self._fill(form, wanted), group="fill", exclusive=True)

        def failed(error: RlftError) -> None:
            self.bench.show_error(error)
            self._unread = "models and data sets could not be read: leave and come again"
            self._tell_state({})

        self.call(
            lambda client: read_sources(client, clone), done, failed=failed, group="launch", latest=True
        )

    def on_screen_suspend(self) -> None:
        self._behind_dialog = self in self.app.screen_stack and self.form is not None
        if self._doing and self._doing != LAUNCHING and self not in self.app.screen_stack:
            self._give_up()
            self.notify("Nothing was launched: the form was left while it was checking", markup=False)

    def _form_of(self, method: str) -> LaunchForm:
        """The form of a method as it was left, or a new one that begins as the one in front does."""
        if method not in self._forms:
            self._forms[method] = self.form.for_method(method) if self.form else LaunchForm(method)
        return self._forms[method]

    async def _fill(self, form: LaunchForm, wanted: dict[str, str]) -> None:
        self._take_all()
        self._give_up()
        self.form = form
        settings = self.bench.settings
        for field in form.fields:
            if field.kind in ("model", "dataset"):
                names = self.sources.names(form.method, field)
                form.known[field.name] = names
                # A clone whose model or data set is gone says so: another one would not be a clone.
                if form.clone is None and form.text(field.name) not in names:
                    form.set(field.name, self.sources.first(form.method, field, settings.default_model))
            if field.name in wanted:
                form.set(field.name, wanted[field.name])
        if form.clone is None and settings.threads:
            form.typed.setdefault("threads", str(settings.threads))
        box = self.query_one("#form", FieldList)
        async with self.batch():
            await box.remove_children()
            await box.mount_all(self._row(form, field, first=True) for field in first_fields(form.method))
        self._whole = False
        self._unread = ""
        self.query_one("#method", ChoiceLine).show([(each, each) for each in METHODS], form.method)
        self._show_begin(form)
        self._check()
        self.query_one("#hint").display = self.size.width < WIDE
        if self.focused is not None and self.focused.id in ("method", "begin"):
            self.on_descendant_focus()
        else:
            self.query_one("#field-prompts" if form.method == "generate" else "#field-max_steps").focus()
        box.set_class(self.size.height < TALL, "-fewer")
        if not box.has_class("-fewer"):
            await self._fill_rest()

    async def _fill_rest(self) -> None:
        """All other settings, theme after theme: the first ones are on the screen and can be typed in."""
        form = self.form
        if form is None or self._whole:
            return
        self._whole = True
        box = self.query_one("#form", FieldList)
        first = {field.name for field in first_fields(form.method)}
        for theme, members in groupby(form.fields, key=lambda field: field.theme):
            rows = [self._row(form, field, first=False) for field in members if field.name not in first]
            if rows:
                await box.mount_all([ThemeLine(theme), *rows])
                self._check()

    def _row(self, form: LaunchForm, field: SpecField, *, first: bool) -> FieldRow:
        choices = tuple((each, each) for each in field.choices)
        if field.kind in ("model", "dataset"):
            choices = self.sources.choices(form.method, field)
        elif field.kind in ("names", "numbers"):
            choices = ()
        return FieldRow(form, field, choices, first=first)

    # where the settings begin
    def _show_begin(self, form: LaunchForm) -> None:
        from rlft_tui.runs.presets.read_presets import PRESETS

        presets = [] if form.method == "generate" else [(name, name) for name in PRESETS]
        clone = [("clone", CLONE)] if form.clone is not None else []
        chosen = CLONE if form.clone is not None else form.preset
        self.query_one("#begin", ChoiceLine).show([*clone, ("defaults", DEFAULTS), *presets], chosen)

    @on(ChoiceLine.Changed, "#method")
    def _method_chosen(self, event: ChoiceLine.Changed) -> None:
        self._unread = CHECKING
        self._tell_state({})
        self.run_worker(self._fill(self._form_of(event.value), {}), group="fill", exclusive=True)

    @on(ChoiceLine.Changed, "#begin")
    def _begin_chosen(self, event: ChoiceLine.Changed) -> None:
        form = self.form
        if form is None or event.value == CLONE:
            return
        self._take_all()
        self._give_up()
        form.begin_with(event.value)
        self._show_begin(form)
        self._put_all(form)
        self._hint_about_begin()

    def _put_all(self, form: LaunchForm) -> None:
        """Show in every field what the form holds now."""
        for row in self.query(FieldRow):
            row.put(form.text(row.field.name))
        self._check()

    # what is typed
    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._take(event.input, event.value)

    @on(Select.Changed)
    def _listed(self, event: Select.Changed) -> None:
        self._take(event.select, "" if event.value is Select.NULL else str(event.value))

    @on(ChoiceLine.Changed)
    def _chosen(self, event: ChoiceLine.Changed) -> None:
        self._take(event.line, event.value)

    def _take(self, widget: Widget, text: str) -> None:
        row = widget.parent
        if isinstance(row, FieldRow) and self._set(row, text):
            self._check()

    def _take_all(self) -> None:
        """What was typed right before a key that acts on it may not have been announced yet."""
        for row in self.query(FieldRow):
            self._set(row, row.text)

    def _set(self, row: FieldRow, text: str) -> bool:
        """Whether a setting of the form in front is another now: what is waited for is given up then.

        A row says what it holds as it is mounted, too.
        """
        before = row.form.text(row.field.name)
        row.form.set(row.field.name, text)
        changed = row.form is self.form and row.form.text(row.field.name) != before
        if changed:
            self._give_up()
        return changed

    def _give_up(self) -> None:
        """Wait for no check and no dry run any more; what is being launched cannot be called back."""
        if self._doing != LAUNCHING:
            self._trial += 1
            self._doing = ""

    def _check(self) -> dict[str, str]:
        """Help or error at each field, the state line and the command below."""
        form = self.form
        if form is None:
            return {}
        before = self._errors
        self._errors = errors = {**unrunnable(form, self.sources.machine), **form.errors()}
        better = notes(form, self.sources.datasets, self.sources.models)
        for row in self.query(FieldRow):
            name = row.field.name
            note = errors.get(name) or better.get(name) or row.field.help
            changed = name in form.typed and row.field.kind not in ("model", "dataset")
            row.tell(note, wrong=name in errors, changed=changed)
        self._tell_state(errors)
        self.query_one("#command", Static).update(Content(harmless_line(f"$ {form.command()}")))
        here = self.focused.parent if self.focused is not None else None
        if isinstance(here, FieldRow) and here.field.name in {*before, *errors}:
            self.on_descendant_focus()  # its whole reason, or its help again
        return errors

    def _tell_state(self, errors: dict[str, str]) -> None:
        line = self.query_one("#state", Static)
        line.set_class(bool(errors), "-wrong")
        if self._doing:
            line.update(self._doing)
        elif self._unread:
            line.update(self._unread)
        elif not self.sources.models:
            pulled = run_text.plain(self.bench.settings.default_model)
            line.update(f"No model yet: rlft models pull {pulled}")
        elif self.form is not None and (lack := self.sources.lack(self.form.method)):
            line.update(lack)
        elif "" in errors:
            line.update(f"✗ {errors['']}")
        elif errors:
            line.update(f"{run_text.counted(len(errors), 'field')} to put right")
        else:
            no_data = self.form is not None and self.form.method == "generate"
            does = "launches" if no_data else "checks the data and launches"
            line.update(f"Ready: {self.key_of('launch.start', 'ctrl+s')} {does}")

    def key_of(self, binding: str, default: str) -> str:
        """The key that a binding has in the key map in use."""
        return self.bench.keys.get(binding, default).partition(",")[0]

    def on_descendant_focus(self) -> None:
        """The whole help of the field one is in: at its own line it may be cut."""
        focused = self.focused
        row = focused.parent if focused is not None else None
        if isinstance(row, FieldRow):
            bounds = f" [{row.field.bounds}]" if row.field.bounds else ""
            wrong = self._errors.get(row.field.name)
            self._hint(
                f"✗ {row.field.name} {wrong}" if wrong else f"{row.field.name}: {row.field.help}{bounds}"
            )
        elif focused is not None and focused.id == "method":
            self._hint_about_method()
        elif focused is not None and focused.id == "begin":
            self._hint_about_begin()

    def _hint_about_method(self) -> None:
        from rlft_tui.runs.run_spec import SPECS

        if self.form is not None:
            about = " ".join((SPECS[self.form.method].__doc__ or "").split())
            self._hint(f"{self.form.method}: {about}")

    def _hint_about_begin(self) -> None:
        from rlft_tui.runs.presets.read_presets import preset

        form = self.form
        if form is None:
            return
        if form.clone is not None:
            self._hint(f"{form.parent}: the settings of that run; the new one names it as its parent.")
        elif form.preset:
            self._hint(f"{form.preset}: {preset(form.method, form.preset).about}")
        else:
            self._hint("defaults: the method's own. ← → choose a preset.")

    def _hint(self, text: str) -> None:
        if text != self._hinted:
            self._hinted = text
            self.query_one("#hint", Static).update(text)
