"""The shapes of the server's own answers; everything else is a domain type."""

from __future__ import annotations

import zlib
from typing import Literal

from rlft_tui.datasets.dataset import Dataset
from rlft_tui.evaluations.round_standing import RoundStanding
from rlft_tui.evaluations.stopping_rule import Separation
from rlft_tui.models.model import Model
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.prompts.prompt import Prompt
from rlft_tui.record import Record
from rlft_tui.runs.run_status import RunSummary


class Health(Record, frozen=True):
    """The server's answer to who it is."""

    pid: int
    version: str
    socket: str
    workspace: str
    started: float
    warnings: tuple[str, ...] = ()
    """What was repaired or lost at the start, such as verdicts replayed from the journal."""
    active_runs: int = 0


class Page(Record, frozen=True):
    """A window of a list and how many rows there are in all."""

    total: int
    pairs: tuple[ResponsePair, ...] = ()
    prompts: tuple[Prompt, ...] = ()


class Home(Record, frozen=True):
    """What the first screen needs, in one answer."""

    pairs: int
    prompts: int
    labels: int
    labels_since_dataset: int
    unlabelled: int
    datasets: tuple[Dataset, ...]
    runs: tuple[RunSummary, ...]
    """Newest first: those that are not over, and the last twenty of the others that are not put away."""
    models: tuple[Model, ...]
    warnings: tuple[str, ...] = ()
    separation: Separation | None = None
    """Of the two models with the most verdicts between them; may be some seconds old."""
    round: RoundStanding | None = None
    """The newest training run's, while it waits for a decision."""
    run_count: int = 0
    """All runs of the workspace."""
    labels_by_judges: int = 0
    """These count as ``labels`` no more than data sets take them unasked."""


class Totals(Record, frozen=True):
    """How many there are of each; current verdicts of people and judges alike."""

    prompts: int
    pairs: int
    labels: int
    datasets: int


MOST_SIDES = 4


class AskedSide(Record, frozen=True):
    """One answer of a request: a model and how it is to draw. None: as the request says."""

    model: str
    """Registry name, pulled model, folder or hub id; PROVIDER or PROVIDER:MODEL for one of rlft.toml."""
    temperature: float | None = None
    top_p: float | None = None
    max_new_tokens: int | None = None
    seed: int | None = None
    """None: made from the request's seed and the side's number, so that two sides differ."""
    top_k: int = 0
    """Only this many of the likeliest tokens; 0 for all."""
    repetition_penalty: float = 1.0
    """Divides the logits of tokens that came before (Keskar et al. 2019); 1 for none."""
    system: str | None = None
    """System prompt of this side alone."""


class GenerateRequest(Record, frozen=True):
    """One conversation and who answers it: one to four sides, which stream at the same time.

    Sides are given as ``sides``, or as ``models`` when all draw alike. The same model may come twice.
    """

    prompt: str
    models: tuple[str, ...] = ()
    """Names as in AskedSide; not used when ``sides`` is given."""
    context: tuple[dict[str, str], ...] = ()
    """The turns before the prompt, oldest first; each with role and content."""
    temperature: float = 0.7
    top_p: float = 1.0
    max_new_tokens: int = 256
    seed: int = 0
    sides: tuple[AskedSide, ...] = ()
    system: str = ""
    """System prompt; in place of one that begins ``context``. Empty: that one, or the template's own."""
    stop: tuple[str, ...] = ()
    """An answer ends before the first of these texts."""
    probabilities: bool = False
    """Whether each token comes with its probability and its likeliest rivals."""

    def asked(self) -> tuple[AskedSide, ...]:
        """The sides with every setting filled in, as they are answered and as they are to be stored."""
        sides = self.sides or tuple(AskedSide(name) for name in self.models)
        return tuple(
            AskedSide(
                side.model,
                self.temperature if side.temperature is None else side.temperature,
                self.top_p if side.top_p is None else side.top_p,
                self.max_new_tokens if side.max_new_tokens is None else side.max_new_tokens,
                seed_of_side(self.seed, number) if side.seed is None else side.seed,
                side.top_k,
                side.repetition_penalty,
                self.system if side.system is None else side.system,
            )
            for number, side in enumerate(sides)
        )


def seed_of_side(seed: int, number: int) -> int:
    """A seed for each side of a request; the first one's is the request's own."""
    return seed if number == 0 else zlib.crc32(f"{seed} side {number}".encode())


class TokenProbability(Record, frozen=True):
    """One token of an answer and what the model held of it, before temperature and top_p."""

    text: str
    """What it adds to the answer; empty inside a character of several tokens, and at the answer's end."""
    probability: float
    top: tuple[tuple[str, float], ...] = ()
    """The five likeliest tokens with their probabilities, the likeliest first."""


class StreamedText(Record, frozen=True):
    """A piece of an answer. kind: loading, text, done or error."""

    kind: Literal["loading", "text", "done", "error"]
    side: int = 0
    """Index into GenerateRequest.sides, or .models."""
    text: str = ""
    """The new piece (text), what is loading, or the error's line."""
    tokens: int = 0
    """Tokens of this side so far."""
    tokens_per_second: float | None = None
    probabilities: tuple[TokenProbability, ...] = ()
    """Of the tokens in this piece, where they were asked for; their texts make up ``text``."""
    ended: Literal["", "eos", "length", "stop"] = ""
    """With ``done``: why the answer ended. length: it was cut."""
    prompt_tokens: int = 0
    """With ``done``: tokens of the conversation before the answer."""
    memory_mb: float | None = None
    """With ``done``: what the worker holds; None for a provider."""
    seconds_to_first: float | None = None
    """With ``done``: from the request's arrival to the first token."""
    restarts: bool = False
    """With ``error``: the worker died, and the next request starts another."""


class ProviderModel(Record, frozen=True):
    """A provider as it can be asked, by its ``name`` or as NAME:MODEL."""

    name: str
    kind: str
    model: str
    """What is asked without a :MODEL; empty where one has to be named."""
    url: str
    ready: bool
    """Whether its key is there, or none is needed. Nothing was asked."""
    note: str = ""
    """Why it is not ready."""


class RemoteState(Record, frozen=True):
    """Whether the workspace is served on a TCP port as well, and where."""

    listening: bool
    host: str = ""
    port: int = 0
    openai: bool = False
    """Whether models can be asked there, as OpenAI's are."""

    @property
    def url(self) -> str:
        """What another machine connects to, as far as the server knows its own name."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}" if self.listening else ""
