"""One prompt or a file of them, two to four answers side by side: streamed, judged blind, stored as pairs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.binding import BindingType
from textual.widgets import Input, TextArea

from rlft_tui.errors import RlftError
from rlft_tui.models.model import Model
from rlft_tui.prompts.prompt import Message
from rlft_tui.server.answers import AskedSide, ProviderModel
from rlft_tui.tui.chrome import KeyBar, key_name
from rlft_tui.tui.compare_keys import COMPARE_BINDINGS, COMPARE_MODES
from rlft_tui.tui.comparison import Comparison, suggested
from rlft_tui.tui.prompt_walk import PromptWalk
from rlft_tui.tui.screens.compare_form import CompareForm, Names
from rlft_tui.tui.screens.compare_reading import conversation_text
from rlft_tui.tui.screens.compare_stream import Begun
from rlft_tui.tui.screens.compare_verdicts import CompareVerdicts
from rlft_tui.tui.screens.compare_view import SEPARATOR
from rlft_tui.tui.widgets.harmless import harmless
from rlft_tui.tui.widgets.prompt_field import PromptField
from rlft_tui.tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from rlft_tui.client.workspace_client import WorkspaceClient

_WHEN_READY = frozenset({"place", "tie_next", "one_back", "store", "judge", "grade", "rate"})
_WITH_ANSWERS = frozenset({"zoom", "diff", "tokens", "page", "rows", "turn", "note", "confidence"})


class CompareScreen(CompareVerdicts):
    """Prompt on top, models and sampling in a form, then the answers."""

    DIGITS_SWITCH = False
    CHANGES_KEYS = frozenset({"leader", "confidence", "note", "release", "diff", "turn", "edit"})
    HELP = "Blind: places are shuffled and names hidden until the verdict; through a file, until its end."
    BINDINGS: ClassVar[list[BindingType]] = COMPARE_BINDINGS

    def __init__(self) -> None:
        super().__init__()
        self._models: tuple[Model, ...] = ()
        self._welcomed = False
        """Whether the form and the field were shown once without being asked for."""
        self._warmed: tuple[str, ...] = ()
        """Models that the worker was told to load."""
        self._typed: list[str] = []
        """Names that were typed, which are in no list."""
        self._wanted: Names | None = None
        """Models asked for that are not in the form yet."""
        self._kept: dict[int, Comparison] = {}
        """Rounds of the walk that were complete, by the place of their prompt."""
        self._suggested: Names = ()
        """What was put into the form unasked."""

    @classmethod
    def key_modes(cls) -> dict[str, str]:
        return COMPARE_MODES

    # opening
    def opened(self, models: Sequence[str] | None = None, prompt: str = "", **_: Any) -> None:
        """``models``: two to four to start with; ``prompt``: what to ask them.

        Also called when a dialog in front of this screen closes.
        """
        if prompt:
            self.field.text = harmless(prompt)
        if models is not None:
            self._wanted = tuple(models)
        self.call(_known_models, lambda known: self._offer(*known), group="models", latest=True)
        if not self._welcomed or (models is not None and not self.round.sides):
            self._welcomed = True
            self.add_class("-options")
            self.field.focus()
        self.paint()

    def _offer(self, known: tuple[Model, ...], provided: tuple[ProviderModel, ...]) -> None:
        """Fill the form. What was chosen stays; what was only suggested gives way to a newer model."""
        writing = (each for each in known if each.kind != "reward")
        self.models_known = True
        self._models = tuple(sorted(writing, key=lambda each: -each.created_at))
        names = [each.name for each in self._models] + [each.name for each in provided]
        chosen: Names = self.form.chosen
        given = tuple(name for name in chosen if name is not None)
        if self._wanted is not None:
            chosen, self._wanted, self._suggested = self._wanted, None, ()
            self._typed += [name for name in chosen if name is not None and name not in names]
        elif not given or (given == self._suggested and not self.round.sides):
            pair = suggested(known, self.bench.settings.default_model)
            chosen = self._suggested = pair or ()
        self.form.offer([*dict.fromkeys([*names, *self._typed])], chosen)
        self.paint()

    @on(CompareForm.NameWanted)
    def _type_name(self, event: CompareForm.NameWanted) -> None:
        from rlft_tui.tui.screens.compare_source import NameDialog

        def named(name: str | None) -> None:
            if name:
                self._typed.append(name)
                chosen = [*self.form.chosen]
                chosen[event.row] = name
                self._wanted = tuple(chosen)

        self.app.push_screen(NameDialog(), named)

    @on(CompareForm.Changed)
    def _models_changed(self) -> None:
        self._trouble = ""
        self._warm_up()
        self.paint()

    @on(TextArea.Changed, "#prompt")
    def _writing(self) -> None:
        self._warm_up()

    def _warm_up(self) -> None:
        """Have the models loaded while the prompt is written; who only looks in loads nothing."""
        names = tuple(name for name in self.form.chosen if name is not None)
        if names and names != self._warmed and self.field.text.strip():
            self._warmed = names
            # What is wrong with a model is said when it is asked.
            self.call(
                lambda client: client.warm_up(names), lambda _: None, failed=lambda _: None, group="warm"
            )

    # what can be done now
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        state, many = self.round.state, self.count > 2
        if action in _WHEN_READY and (state != "ready" or self._storing or not self.seen_at):
            return False
        if action in ("place", "tie_next", "one_back", "store"):
            return many and (action != "place" or int(str(parameters[0])) < self.count)
        if action in ("judge", "grade"):
            return not many and self.graded == (action == "grade")
        if action == "strengths":
            return not many
        if action in ("token", "surprise"):
            return self.has_class("-tokens")
        if action in _WITH_ANSWERS and action != "tokens":
            return state in ("ready", "judged") or (action in ("zoom", "page", "rows") and state != "empty")
        if action == "tokens":
            return state in ("ready", "judged")
        return self._may(action, super().check_action(action, parameters))

    def _may(self, action: str, otherwise: bool | None) -> bool | None:
        state = self.round.state
        match action:
            case "release":
                return state == "streaming" or self.focused is not None or self._in_view()
            case "blind":
                return state not in ("streaming", "ready")
            case "generate":
                return state != "streaming" and not self._storing
            case "undo" | "standing":
                return bool(self.tally.rounds) and not self._storing
            case "set_aside":
                return self.walk is not None and self.walk.current is not None and not self._storing
            case "restart":
                return bool(self.turns()) and state != "streaming" and not self._storing
            case "prompt_before":
                return self.walk is not None and self.walk.at > 0 and not self._storing
        return otherwise

    def _in_view(self) -> bool:
        views = ("-prompt", "-tokens", "-noting", "-options")
        return self._zoomed is not None or self._diff_of is not None or any(map(self.has_class, views))

    # asking
    def action_generate(self) -> None:
        """The prompt in the field; one that is not the walk's is the end of the walk."""
        current = self.walk.current if self.walk is not None else None
        if self._given is not None and (current is None or self._prompt().prompt != current.prompt):
            self.walk = None
        self.generate()

    @on(PromptField.Sent)
    @on(CompareForm.Submitted)
    def _sent(self) -> None:
        if self.round.state != "streaming" and not self._storing:
            self.action_generate()

    def action_edit(self) -> None:
        self.remove_class("-prompt", "-standing")
        self.field.focus()

    def action_options(self) -> None:
        self.toggle_class("-options")
        if self.has_class("-options"):
            self.call_after_refresh(self.query_one("#model-0").focus)
        elif self.in_field():
            self.set_focus(None)
        self.paint()

    @on(events.DescendantFocus)
    @on(events.DescendantBlur)
    def _name_form_keys(self) -> None:
        """In the form the bar names its keys: those of the answers would be written into a field."""
        if self._leader or self.has_class("-noting"):
            return
        inside = self.focused is not None and self.form in self.focused.ancestors
        self.query_one(KeyBar).hint = self._form_keys(isinstance(self.focused, Input)) if inside else ""

    def _form_keys(self, writing: bool) -> str:
        enter = "has it answered" if writing else "opens the list"
        words = [f"{self._key('label.pane', 'tab')} next field", f"⏎ {enter}"]
        words += [f"{self._key('label.release', 'escape')} leaves the form"]
        words += [f"{key_name(self.bench.keys.get('app.help', 'f12').split(',')[-1])} help"]
        return SEPARATOR.join(words)

    def action_blind(self) -> None:
        self.round.blind = not self.round.blind
        self.drop_ahead()
        self.paint()

    def action_release(self) -> None:
        """Cancel the stream; else close what was opened last."""
        if self.has_class("-noting"):
            self.close_note()
        elif self.round.state == "streaming":
            self.cancel()
        elif self.has_class("-prompt"):
            self.action_prompt()
        elif self.focused is not None:
            self.set_focus(None)
        elif self._diff_of is not None:
            self._show_diff(None)
        elif self.has_class("-tokens"):
            self.action_tokens()
        elif self._zoomed is not None:
            self._zoomed = None
        else:
            self.remove_class("-options")
        self.paint()

    # several prompts
    def action_pick(self) -> None:
        from rlft_tui.tui.screens.compare_source import CompareSource, Source

        def picked(source: Source) -> None:
            if isinstance(source, PromptWalk):
                self.drop_ahead()
                self.walk, self._kept = source, {}
                self._show_current()
            elif source is not None:
                self.walk = None
                self.drop_ahead()
                self.put_prompt(source)

        self.app.push_screen(CompareSource(self.bench.link, self.bench.workspace.root), picked)
        self.call_after_refresh(self.paint_words)

    def go_on(self) -> None:
        self._step(1)

    def action_prompt_before(self) -> None:
        self._step(-1)

    def _step(self, by: int) -> None:
        assert self.walk is not None
        at = self.walk.at
        if not self.walk.step(by):
            return
        if self.round.state in ("ready", "judged"):
            self._kept[at] = self.round
        if by < 0:
            self.drop_ahead()
        self._show_current()

    def _show_current(self) -> None:
        """The walk's prompt into the field, and its answers; at the end how the models stand."""
        assert self.walk is not None
        prompt = self.walk.current
        if prompt is None:
            lines = [f"- {line}" for line in self.tally.lines()]
            self._show_board("The prompts are through", "\n".join(lines))
            return
        self.put_prompt(prompt)
        kept = self._kept.get(self.walk.at)
        if kept is not None and Begun(kept).answers(self._sides_now(), self._prompt()):
            self.put_up(Begun(kept))
        else:
            self.generate()

    def _sides_now(self) -> tuple[AskedSide, ...]:
        try:
            return self.asked()
        except RlftError:
            return ()

    def _show_board(self, heading: str, text: str) -> None:
        """A text in place of the answers, with nothing to be judged."""
        self.cancel()
        self.drop_ahead()
        self._begun, self.round = None, Comparison(blind=self.round.blind)
        self.read_plainly()
        self.groups, self._trouble, self._remark = [], "", ""
        self._board = (heading, text)
        self.field.text = ""
        self.pane(0).show(text)
        self.paint()

    def action_standing(self) -> None:
        """How the models stand. It names them, so it is shown when asked for and at the end.

        In place of the prompt, where it hides no answer; again: the prompt.
        """
        if self.has_class("-prompt"):
            self.action_prompt()
            return
        self.add_class("-prompt", "-standing")
        whole = self.query_one("#whole", TextPane)
        whole.show("\n".join(f"- {line}" for line in self.tally.lines()))
        self.set_focus(whole)
        self.call_after_refresh(self.paint)

    # the conversation
    def action_restart(self) -> None:
        """A new conversation; a walk goes on where it was."""
        self._earlier, self._given = (), None
        if self.walk is not None and self.walk.current is not None:
            self._show_current()
            return
        self._show_board("A new conversation", "")
        self.field.focus()

    def action_turn(self) -> None:
        """The next turn, after the better answer; where none is better, the one whose number is pressed."""
        last = self.tally.rounds[-1] if self.tally.rounds else None
        if last is not None and last.shown is self.round and last.decision.winner is not None:
            self._continue(last.decision.winner)
            return
        keys = {str(place + 1): partial(self._continue, place) for place in range(self.count)}
        self.lead(f"the conversation goes on with which answer?  {' '.join(keys)}   (esc: none)", keys)

    def _continue(self, place: int) -> None:
        shown = self.round
        answer = Message("assistant", shown.answer(place).text)
        self._earlier = (*shown.context, Message("user", shown.prompt), answer)
        self._given = None
        self._show_board("The conversation so far", conversation_text(self._earlier))
        self.pane(0).scroll_finish()
        self.field.focus()
        self.paint()


def _known_models(client: WorkspaceClient) -> tuple[tuple[Model, ...], tuple[ProviderModel, ...]]:
    return client.models(), client.providers()
