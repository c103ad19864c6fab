"""Which pairs come, and in which order: a small form over the label screen."""

from __future__ import annotations

from typing import ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widgets import Input, Select, Static

from rlft_tui.labels.queue_view import ORDERS, Order, QueueChoices, QueueView
from rlft_tui.tui.run_text import cut, plain

FIELDS = (
    ("category", "Category", ""),
    ("models", "Models", "one name, or two with a comma"),
    ("source", "From", "a file, or run:ID"),
    ("search", "Text", "in the prompt or an answer"),
    ("overlap", "Labellers a pair", "0: everybody judges every pair"),
)
SHOWN = 5
HINT_CELLS = 58


class QueueViewScreen(ModalScreen[QueueView | None]):
    """Order and filters; Enter applies them, Escape leaves them as they were."""

    DEFAULT_CSS = """
    QueueViewScreen { align: center middle; background: $background 60%; }
    QueueViewScreen > Vertical {
        width: 68; max-width: 96%; height: auto; max-height: 100%;
        background: $surface; border: round $primary; padding: 0 1;
    }
    QueueViewScreen Horizontal { height: 1; }
    QueueViewScreen .name { width: 18; color: $text-muted; }
    QueueViewScreen Input { width: 1fr; background: $boost; }
    QueueViewScreen Select { width: 1fr; }
    QueueViewScreen #known { height: 1; color: $text-muted; margin-top: 1; }
    QueueViewScreen #problem { height: auto; color: $text-warning; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave", id="queue.leave", tooltip="Leave the queue as it is"),
        Binding("ctrl+s", "apply", "apply", id="queue.apply", tooltip="Show these pairs"),
        Binding("ctrl+r", "reset", "all pairs", id="queue.reset", tooltip="Every pair, in random order"),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(self, view: QueueView, choices: QueueChoices) -> None:
        super().__init__()
        self.view = view
        self._choices = choices
        self._known = {
            "category": choices.categories,
            "models": choices.models,
            "source": choices.sources,
        }

    def compose(self) -> ComposeResult:
        values = {
            "category": self.view.category,
            "models": ", ".join(self.view.models),
            "source": self.view.source,
            "search": self.view.search,
            "overlap": str(self.view.overlap),
        }
        with Vertical() as box:
            box.border_title = "Which pairs come next"
            box.border_subtitle = "enter applies · ctrl+r all pairs · esc leaves"
            with Horizontal():
                yield Static("Order", classes="name", markup=False)
                yield Select(
                    [(words, order) for order, words in ORDERS.items()],
                    value=self.view.order,
                    allow_blank=False,
                    compact=True,
                    id="order",
                )
            for name, label, hint in FIELDS:
                known = self._known.get(name, ())
                with Horizontal():
                    yield Static(label, classes="name", markup=False)
                    box_ = Input(
                        values[name],
                        id=name,
                        compact=True,
                        placeholder=hint,
                        suggester=SuggestFromList(known, case_sensitive=False) if known else None,
                    )
                    box_.cursor_blink = False
                    yield box_
            yield Static("", id="known", markup=False)
            yield Static("", id="problem", markup=False)

    def on_mount(self) -> None:
        self.set_focus(self.query_one("#category", Input))

    def on_descendant_focus(self) -> None:
        """The names that there are, for the field one is in."""
        focused = self.focused
        names = self._known.get(focused.id or "", ()) if focused is not None else ()
        some = ", ".join(plain(name) for name in names[:SHOWN])
        more = f" … {len(names)} in all" if len(names) > SHOWN else ""
        self.query_one("#known", Static).update(
            Content(cut(f"there are {some}", HINT_CELLS) + more if some else "")
        )

    @on(Input.Submitted)
    def action_apply(self) -> None:
        problem, view = self._read()
        if view is None:
            self.query_one("#problem", Static).update(problem)
        else:
            self.dismiss(view)

    def _read(self) -> tuple[str, QueueView | None]:
        text = {name: self.query_one(f"#{name}", Input).value.strip() for name, _, _ in FIELDS}
        models = tuple(part.strip() for part in text["models"].split(",") if part.strip())
        if len(models) > 2:
            return "Name one model, or two", None
        if not text["overlap"].isdecimal():
            return "Labellers a pair is a number: 0 for everybody", None
        wanted = {"category": (text["category"],), "models": models, "source": (text["source"],)}
        for name, values in wanted.items():
            known = self._known[name]
            for value in values:
                if value and not self._choices.cut and value not in known:
                    return f"No pair with {name} {plain(value)}", None
        order = cast(Order, self.query_one("#order", Select).value)
        return "", QueueView(
            category=text["category"],
            models=models,
            source=text["source"],
            search=text["search"],
            order=order,
            overlap=int(text["overlap"]),
            repeats=self.view.repeats,
        )

    def action_reset(self) -> None:
        self.dismiss(QueueView(repeats=self.view.repeats))

    def action_leave(self) -> None:
        self.dismiss(None)
