"""The launch form: what ``rlft train METHOD`` and ``rlft pairs generate`` do, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from rlft_tui.errors import RlftError
from rlft_tui.tui import run_text
from rlft_tui.tui.launch_sources import prompt_rows
from rlft_tui.tui.screens.launch_view import LaunchView
from rlft_tui.tui.views.field_rows import FieldRow
from rlft_tui.tui.widgets.choice_line import ChoiceLine

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient
    from rlft_tui.datasets.dataset import DatasetCheck
    from rlft_tui.runs.run_status import RunSummary

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
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "start", "launch", id="launch.start", tooltip="Check the data, start, watch"),
        Binding("ctrl+g", "turn('method')", "method", id="launch.method", tooltip="Next method"),
        Binding("ctrl+n", "turn('begin')", "preset", id="launch.preset", tooltip="Next preset to begin with"),
        Binding("ctrl+o", "more", "all settings", id="launch.more", tooltip="All settings, or the first few"),
        Binding("ctrl+t", "edit", "$EDITOR", id="launch.edit", tooltip="All settings as TOML in $EDITOR"),
        Binding("ctrl+y", "copy", "copy", id="launch.copy", tooltip="Copy the command"),
        Binding("down", "next_field", "next", show=False, id="launch.next", tooltip="Next field"),
        Binding("up", "previous_field", "previous", show=False, id="launch.previous", tooltip="Field before"),
        Binding("escape", "leave", "back", id="launch.back", tooltip="Back to the runs"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._draft = ""
        """TOML that could not be taken, for the next time in the editor."""

    @on(Input.Submitted)
    def action_next_field(self) -> None:
        self.focus_next(FIELDS)

    def action_previous_field(self) -> None:
        self.focus_previous(FIELDS)

    def action_more(self) -> None:
        self.query_one("#form").toggle_class("-fewer")

    def action_turn(self, line: str) -> None:
        self.query_one(f"#{line}", ChoiceLine).action_move(1)

    def action_leave(self) -> None:
        self._doing = ""
        self.bench.action_show_screen("runs")

    def action_copy(self) -> None:
        if self.form is not None:
            self.app.copy_to_clipboard(self.form.command())
            self.notify("The command was sent to the terminal's clipboard", timeout=3, markup=False)

    def action_edit(self) -> None:
        """All settings as TOML in $EDITOR; what cannot be taken is kept for the next time."""
        from rlft_tui.runs.spec_toml import parse_toml, write_toml
        from rlft_tui.tui.outside_editor import edit_text

        form = self.form
        if form is None:
            return
        try:
            text = edit_text(
                self.bench, self._draft or write_toml(form.method, form.plain()), f"{form.method}.toml"
            )
            self._draft = text
            form.take(parse_toml(text, where="the edited settings"), where="the edited settings")
        except RlftError as error:
            self.bench.show_error(error)
            if self._draft:
                self.notify("ctrl+t opens your text again", timeout=10, markup=False)
        else:
            self._draft = ""
            self._put_all(form)

    def action_start(self) -> None:
        """Look at the data, then launch; a wrong field is gone to instead."""
        from rlft_tui.client.workspace_client import WorkspaceClient

        form = self.form
        if form is None or self._doing:
            return
        errors = self._check()
        if errors:
            self._go_to_first(errors)
            return
        values = form.values()
        if form.method == "generate" or not hasattr(WorkspaceClient, "check_launch"):
            self._launch(values, form.prompt_count if form.method == "generate" else 0)
            return
        self._say("looking at the data …")
        self.call(lambda client: client.check_launch(values), lambda found: self._checked(values, found),
                  failed=self._refused, group="start", retry=False)  # fmt: skip

    def _go_to_first(self, errors: dict[str, str]) -> None:
        for row in self.query(FieldRow):
            if row.field.name in errors:
                if not row.first:
                    self.query_one("#form").remove_class("-fewer")
                self.query_one(f"#{row.box_id}").focus()
                return

    def _checked(self, values: dict[str, Any], found: DatasetCheck) -> None:
        from rlft_tui.tui.screens.proof import ProofScreen

        if not self._doing:
            return  # one has gone elsewhere meanwhile
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

        self._say("launching …")
        self.call(launch, self._launched, failed=self._refused, group="start", retry=False)

    def _launched(self, run: RunSummary) -> None:
        self._say("")
        self.bench.show_screen("monitor", run_id=run.id)

    def _refused(self, error: RlftError) -> None:
        self._doing = ""
        line = self.query_one("#state", Static)
        line.set_class(True, "-wrong")
        line.update(run_text.plain(str(error)))

    def _say(self, doing: str) -> None:
        self._doing = doing
        self._tell_state({})
