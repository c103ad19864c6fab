"""The shapes of the server's own answers; everything else is a domain type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlft_tui.datasets.dataset import Dataset
from rlft_tui.evaluations.stopping_rule import Separation
from rlft_tui.models.model import Model
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.prompts.prompt import Prompt
from rlft_tui.runs.run_status import RunSummary


@dataclass(frozen=True, slots=True)
class Health:
    """The server's answer to who it is."""

    pid: int
    version: str
    socket: str
    workspace: str
    started: float
    warnings: tuple[str, ...] = ()
    """What was repaired or lost at the start, such as verdicts replayed from the journal."""
    active_runs: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """A window of a list and how many rows there are in all."""

    total: int
    pairs: tuple[ResponsePair, ...] = ()
    prompts: tuple[Prompt, ...] = ()


@dataclass(frozen=True, slots=True)
class Home:
    """What the first screen needs, in one answer."""

    pairs: int
    prompts: int
    labels: int
    labels_since_dataset: int
    unlabelled: int
    datasets: tuple[Dataset, ...]
    runs: tuple[RunSummary, ...]
    """Newest first, at most twenty."""
    models: tuple[Model, ...]
    warnings: tuple[str, ...] = ()
    separation: Separation | None = None
    """Of the two models with the most verdicts between them; may be some seconds old."""


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """What the inference worker is asked: one prompt, one or two models."""

    prompt: str
    models: tuple[str, ...]
    """Registry names."""
    context: tuple[dict[str, str], ...] = ()
    temperature: float = 0.7
    top_p: float = 1.0
    max_new_tokens: int = 256
    seed: int = 0


@dataclass(frozen=True, slots=True)
class StreamedText:
    """A piece of an answer. kind: loading, text, done or error."""

    kind: Literal["loading", "text", "done", "error"]
    side: int = 0
    """Index into GenerateRequest.models."""
    text: str = ""
    """The new piece (text), what is loading, or the error's line."""
    tokens: int = 0
    """Tokens of this side so far."""
    tokens_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class RemoteState:
    """Whether the workspace is served on a TCP port as well, and where."""

    listening: bool
    host: str = ""
    port: int = 0

    @property
    def url(self) -> str:
        """What another machine connects to, as far as the server knows its own name."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}" if self.listening else ""
