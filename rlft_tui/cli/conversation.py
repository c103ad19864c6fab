"""A conversation with one model: its turns, its settings, and the commands that change them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rlft_tui.errors import RlftError
from rlft_tui.prompts.prompt import Message
from rlft_tui.server.answers import GenerateRequest
from rlft_tui.tui.comparison_sides import SETTINGS, SideText, asked_sides

COMMANDS = {
    "/help": "these lines",
    "/again": "another answer to the last message, with the next seed",
    "/undo": "take the last message and its answer back",
    "/new": "forget the conversation",
    "/system TEXT": "set the system prompt; alone it shows it, with - there is none",
    "/set NAME VALUE": f"set {', '.join(SETTINGS)}; alone it shows them",
    "/model NAME": "go on with another model",
    "/quit": "leave; so does ctrl+d",
}


@dataclass
class Conversation:
    """What the next message is asked with."""

    model: str
    system: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    turns: list[Message] = field(default_factory=list)
    """User and assistant in turn, oldest first."""
    left: bool = False
    """Whether it was asked to end."""
    check_model: Callable[[str], None] = lambda _: None
    """Raises RlftError for a name that no model has."""

    def request(self, prompt: str) -> GenerateRequest:
        """What the model is asked. RlftError for a setting that cannot be."""
        context = [Message("system", self.system)] if self.system else []
        return GenerateRequest(
            prompt,
            sides=asked_sides([SideText(self.model, self.settings)]),
            context=tuple({"role": turn.role, "content": turn.content} for turn in (*context, *self.turns)),
        )

    def answered(self, prompt: str, answer: str) -> None:
        self.turns += [Message("user", prompt), Message("assistant", answer)]

    def take_back(self) -> str:
        """Drop the last message and its answer; the message."""
        if not self.turns:
            raise RlftError("nothing was asked yet")
        self.turns, (asked, _) = self.turns[:-2], self.turns[-2:]
        return asked.content

    def command(self, line: str) -> tuple[str, str]:
        """Do what a line that begins with / says: what to tell, and a message to be asked anew."""
        word, _, rest = line.partition(" ")
        does: dict[str, Callable[[str], tuple[str, str]]] = {
            "/help": lambda _: (help_text(), ""),
            "/again": lambda _: self._again(),
            "/undo": lambda _: (f"taken back: {self.take_back()}", ""),
            "/new": lambda _: self._new(),
            "/system": self._system,
            "/set": self._set,
            "/model": self._model,
            "/quit": lambda _: self._quit(),
            "/exit": lambda _: self._quit(),
        }
        if word not in does:
            raise RlftError(
                f"no command {word}", remedy="/help lists them; a blank before / sends it as text"
            )
        return does[word](rest.strip())

    def _again(self) -> tuple[str, str]:
        asked = self.take_back()
        seed = int(self.settings.get("seed") or 1) + 1
        self.settings["seed"] = str(seed)
        return f"seed {seed}", asked

    def _new(self) -> tuple[str, str]:
        self.turns = []
        return "a new conversation", ""

    def _quit(self) -> tuple[str, str]:
        self.left = True
        return "", ""

    def _system(self, text: str) -> tuple[str, str]:
        if text:
            self.system = "" if text == "-" else text
        return f"system prompt: {self.system or 'none, the template has its own'}", ""

    def _model(self, name: str) -> tuple[str, str]:
        if name:
            self.check_model(name)
            self.model = name
        return f"model: {self.model}", ""

    def _set(self, text: str) -> tuple[str, str]:
        if text:
            name, _, value = text.replace("=", " ").partition(" ")
            name = name.replace("-", "_")
            if name not in SETTINGS or not value.strip():
                raise RlftError(f"no setting {text!r}", remedy=f"Settings: {', '.join(SETTINGS)}")
            changed = {**self.settings, name: value.strip()}
            asked_sides([SideText(self.model, changed)])
            self.settings = changed
        (side,) = asked_sides([SideText(self.model, self.settings)])
        return ", ".join(f"{name} {getattr(side, name)}" for name in SETTINGS), ""


def help_text() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"{command:<{width}}  {what}" for command, what in COMMANDS.items()]
    return "\n".join([*lines, "A line that ends with \\ goes on in the next. ctrl+c stops an answer."])
