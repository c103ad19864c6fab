"""The launch form: what ``rlft train METHOD`` and ``rlft pairs generate`` do, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static

from rlft_tui.errors import RlftError
from rlft_tui.tui import run_text
from rlft_tui.tui.launch_sources import prompt_rows
from rlft_tui.tui.screens.estimate import EstimateScreen
from rlft_tui.tui.screens.launch_view import LAUNCHING, LaunchView
from rlft_tui.tui.screens.proof import ProofScreen
from rlft_tui.tui.views.field_rows import FieldChoice, FieldRow
from rlft_tui.tui.widgets.choice_line import ChoiceLine

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient
    from rlft_tui.datasets.dataset import DatasetCheck
    from rlft_tui.runs.estimate import Estimate
    from rlft_tui.runs.run_status import RunSummary
    from rlft_tui.tui.launch_form import LaunchForm

FIELDS = "FieldRow Input, FieldRow Select, FieldRow ChoiceLine, Horizontal.head ChoiceLine"
EDITED = "the edited settings"


class LaunchScreen(LaunchView):
    """One form for every method; the same call as the command shown below it."""

    KEY = "launch"
    DIGITS_SWITCH = False
    HELP = (
        "Settings come from the run's spec; a preset or a run that was cloned is where they begin. "
        "The line at the bottom is the command that does the same."
    )
    PARTS: ClassVar[Mapping[str, tuple[type[Widget], ...]]] = {
        "list": (FieldChoice,), "line": (ChoiceLine,), "proof": (ProofScreen,), "estimate": (EstimateScreen,),
    }  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "start", "launch", id="launch.start", tooltip="Check the data, start, watch"),
        Binding("ctrl+r", "estimate", "dry run", id="launch.estimate", tooltip="Time and memory, tried"),
        Binding("ctrl+g", "turn('method')", "method", id="launch.method", tooltip="Next method"),
        Binding("ctrl+n", "turn('begin')", "preset", id="launch.preset", tooltip="Next preset to begin with"),
        Binding("ctrl+o", "more", "all settings", id="launch.more", tooltip="All settings, or the first few"),
        Binding("ctrl+t", "edit", "editor", id="launch.edit", tooltip="All settings as TOML in $EDITOR"),
        Binding("ctrl+y", "copy", "copy", id="launch.copy", tooltip="Copy the command"),
        # With priority a key moves on before the next one is given to a field: people type ahead.
        Binding("down,tab", "next_field", "next", show=False, priority=True, id="launch.next",
                tooltip="Next field"),
        Binding("up,shift+tab", "previous_field", "previous", show=False, priority=True,
                id="launch.previous", tooltip="Field before"),
        Binding("enter", "entered", "next", show=False, priority=True, id="launch.entered",
                tooltip="What is typed stands; the next field"),
        Binding("escape", "leave", "back", id="launch.back", tooltip="Back to the runs"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._drafts: dict[str, str] = {}
        """By method: TOML that could not be taken, for the next time in the editor."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "entered":
            return isinstance(self.focused, Input)
        if action in ("next_field", "previous_field") and isinstance(self.focused, OptionList):
            return False
        return super().check_action(action, parameters)

    def action_entered(self) -> None:
        self.action_next_field()

    def action_next_field(self) -> None:
        self.focus_next(FIELDS)

    def action_previous_field(self) -> None:
        self.focus_previous(FIELDS)

    def action_more(self) -> None:
        self.query_one("#form").toggle_class("-fewer")
        self.run_worker(self._fill_rest(), group="fill-rest")

    def action_turn(self, line: str) -> None:
        self.query_one(f"#{line}", ChoiceLine).action_move(1)

    def action_leave(self) -> None:
        if self._doing and self._doing != LAUNCHING:
            self._give_up()
            self._check()
            return
        self.bench.action_show_screen("runs")

    def action_copy(self) -> None:
        if self.form is not None:
            self.app.copy_to_clipboard(self.form.command())
            self.notify("The command was sent to the terminal's clipboard", timeout=3, markup=False)

    def action_edit(self) -> None:
        """All settings as TOML in $EDITOR; what cannot be taken is kept for the next time."""
        from rlft_tui.runs.spec_toml import parse_toml, write_toml
        from rlft_tui.tui.outside_editor import edit_text

        self._take_all()
        form = self.form
        if form is None:
            return
        text = self._drafts.get(form.method) or write_toml(form.method, form.plain())
        try:
            self._drafts[form.method] = edit_text(self.bench, text, f"{form.method}.toml")
            form.take(parse_toml(self._drafts[form.method], where=EDITED), where=EDITED)
            self._give_up()
        except RlftError as error:
            self.bench.show_error(error)
            if form.method in self._drafts:
                key = self.key_of("launch.edit", "ctrl+t")
                self.notify(f"{key} opens your text again", timeout=10, markup=False)
        else:
            del self._drafts[form.method]
            self._put_all(form)

    def action_estimate(self) -> None:
        """Take a few real steps in a run that is thrown away; left meanwhile, it ends."""
        if self._not_yet():
            return
        self._take_all()
        form = self.form
        if form is None or form.method == "generate":
            self.notify("A dry run is for training", timeout=3, markup=False)
            return
        if self._doing or self._stopped(self._check()):
            return
        values = form.values()
        number = self._trial

        def told(stage: str) -> None:
            if number != self._trial:
                raise RlftError("the dry run was given up")
            self.app.call_from_thread(self._say, f"dry run: {stage} … (esc gives it up)")

        def done(found: Estimate) -> None:
            if number == self._trial:
                self._estimated(form, found)

        def failed(error: RlftError) -> None:
            if number == self._trial:
                self._refused(error)

        self._say("dry run: starting … (esc gives it up)")
        self.call(
            lambda client: client.dry_run(values, told), done, failed=failed, group="estimate", retry=False
        )

    def _estimated(self, form: LaunchForm, found: Estimate) -> None:
        from rlft_tui.runs.spec_fields import as_text

        self._say("")

        def answered(use: bool | None) -> None:
            if use:
                for name, value in found.instead.items():
                    form.set(name, as_text(value))
                self._put_all(form)

        self.app.push_screen(EstimateScreen(found), answered)

    def action_start(self) -> None:
        """Look at the data, then launch; a wrong field is gone to instead."""
        if self._not_yet():
            return
        self._take_all()
        form = self.form
        if form is None or self._doing:
            return
        if self._stopped(self._check()):
            return
        values = form.values()
        if form.method == "generate":
            self._launch(values, form.prompt_count)
            return
        number = self._trial

        def done(found: DatasetCheck) -> None:
            self._take_all()  # what is typed at this moment
            if number == self._trial:
                self._checked(values, found)
            else:
                self._check()

        def failed(error: RlftError) -> None:
            if number == self._trial:
                self._refused(error)

        self._say("checking the data … (esc gives it up)")
        self.call(lambda client: client.check_launch(values), done, failed=failed, group="start", retry=False)

    def _not_yet(self) -> bool:
        """Whether the form in front may still become another one; the key that came too early is told so."""
        if self._unread:
            self.notify(f"Not yet: {self._unread}", timeout=4, markup=False)
        return bool(self._unread)

    def _stopped(self, errors: dict[str, str]) -> bool:
        """Whether something is wrong; one is taken to it then."""
        if errors:
            self.run_worker(self._go_to_first(errors), group="go")
        return bool(errors)

    async def _go_to_first(self, errors: dict[str, str]) -> None:
        """Into the first field that is wrong, wherever it stands."""
        if not any(row.field.name in errors for row in self.query(FieldRow) if row.first):
            self.query_one("#form").remove_class("-fewer")
            await self._fill_rest()
        for row in self.query(FieldRow):
            if row.field.name in errors:
                self.query_one(f"#{row.box_id}").focus()
                return

    def _checked(self, values: dict[str, Any], found: DatasetCheck) -> None:
        if not found.errors and not found.warnings:
            self._launch(values, 0)
            return
        self._say("")

        def answered(go: bool | None) -> None:
            if go:
                self._launch(values, 0)

        self.app.push_screen(ProofScreen(found), answered)

    def _launch(self, values: dict[str, Any], prompts: int) -> None:
        def launch(client: WorkspaceClient) -> RunSummary:
            if prompts:
                values["prompt_rows"] = prompt_rows(client, prompts)
            return client.launch(values)

        self._say(LAUNCHING)
        self.call(launch, self._launched, failed=self._refused, group="start", retry=False)

    def _launched(self, run: RunSummary) -> None:
        self._say("")
        if self in self.app.screen_stack:
            self.bench.show_screen("monitor", run_id=run.id)
        else:
            self.notify(f"{run.id} was launched", markup=False)

    def _refused(self, error: RlftError) -> None:
        self._doing = ""
        line = self.query_one("#state", Static)
        line.set_class(True, "-wrong")
        line.update(run_text.plain(str(error)))

    def _say(self, doing: str) -> None:
        self._doing = doing
        self._tell_state(self._errors)
