"""The rewards of a run as functions: what a trainer calls, and what a single answer earned by part.

Every list a function returns is checked. None means that it does not judge an answer; NaN and
infinities are taken for None and told once, for one of them in a group would spoil the advantages
of all its answers. A function that raises ends the run with the line at fault in the run's own copy
of the file: the last checkpoint stands, and once that copy is put right a resume goes on from it.
So does one that does not return in time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rlft_tui.datasets.rows import PromptRow
from rlft_tui.errors import RlftError
from rlft_tui.jobs.method import Rewarded
from rlft_tui.rewards.built_in import build
from rlft_tui.rewards.checked_rewards import check_rewards
from rlft_tui.rewards.freeze import file_in
from rlft_tui.rewards.python_file import last_line, load_function, told
from rlft_tui.rewards.reward_function import Reward, RewardFunction, plain_text
from rlft_tui.rewards.source import parse_source
from rlft_tui.rewards.time_limit import LIMIT_SECONDS, TookTooLong, time_limit
from rlft_tui.runs.run_folder import CALLING
from rlft_tui.runs.specs.base import ModelSource
from rlft_tui.runs.specs.rewards import RewardPart, reward_names

_CORRECT_IT = "Correct it there and resume the run, or in the workspace and launch again"
_MADE_UP = ("The answer is 42.", "")
"""Answers that a function is first tried on."""
Tell = Callable[[str, str], None]
"""Takes the name of a reward and what is wrong with one of its values."""


class ConversationScorer(Protocol):
    """A trained reward model."""

    def score(self, conversations: list[list[dict[str, str]]]) -> list[float]: ...


LoadModel = Callable[[ModelSource], ConversationScorer]


@dataclass(slots=True)
class AnswerBatch:
    """The answers that a trainer had rewarded last, and what each earned."""

    prompts: Sequence[Any] = ()
    completions: Sequence[Any] = ()
    token_ids: Sequence[Sequence[int]] = ()
    parts: dict[str, tuple[Reward, ...]] = field(default_factory=dict)


class RunRewards:
    """The weighted rewards of one run."""

    def __init__(
        self,
        parts: tuple[RewardPart, ...],
        folder: Path,
        *,
        load_model: LoadModel,
        tell: Tell = lambda name, what: None,
        seconds: float = LIMIT_SECONDS,
    ) -> None:
        """``folder`` is the run's own copy of the reward files; ``seconds`` are what one call of a function
        may take, a trained reward model's apart."""
        self.names = reward_names(parts)
        self.weights = tuple(part.weight for part in parts)
        self.last = AnswerBatch()
        """What the functions below were called with last."""
        self.step = 0
        """The training step that is being made, for whoever reads of a fault."""
        self._seconds = seconds
        self._limited = {name for name, part in zip(self.names, parts, strict=True) if part.model is None}
        self._tell = tell
        self._told: set[str] = set()
        self._folder = folder.resolve()
        self._files = {name: _file(part, folder) for name, part in zip(self.names, parts, strict=True)}
        self._functions = {
            name: _function(part, folder, load_model, seconds)
            for name, part in zip(self.names, parts, strict=True)
        }

    def functions(self) -> list[RewardFunction]:
        """One function a reward, as TRL's trainers take them, each under its own readable name.

        What they return, and for what, is kept in ``last``. A trainer calls them in this order,
        all with the same answers.
        """
        return [self._kept(name) for name in self.names]

    def reward(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        token_ids: Sequence[Sequence[int]],
        columns: Mapping[str, Sequence[Any]],
    ) -> list[Rewarded]:
        """What each answer earned: its parts, and their weighted sum over those that judge it (as TRL's)."""
        given = {
            name: self._call(name, prompts, completions, token_ids, dict(columns)) for name in self.names
        }
        return [self.earned({name: given[name][n] for name in self.names}) for n in range(len(completions))]

    def earned(self, parts: Mapping[str, Reward]) -> Rewarded:
        """The weighted sum of one answer's parts; None when no reward judges it."""
        judged = [
            weight * value
            for name, weight in zip(self.names, self.weights, strict=True)
            if (value := parts[name]) is not None
        ]
        return Rewarded(sum(judged) if judged else None, parts)

    def _kept(self, name: str) -> RewardFunction:
        def function(prompts: Any, completions: Any, completion_ids: Any = None, **columns: Any) -> Any:
            if name == self.names[0]:
                self.last = AnswerBatch(prompts, completions, completion_ids)
            given = self._call(name, prompts, completions, completion_ids, columns)
            self.last.parts[name] = given
            return list(given)

        function.__name__ = name
        return function

    def _call(
        self, name: str, prompts: Any, completions: Any, token_ids: Any, columns: dict[str, Any]
    ) -> tuple[Reward, ...]:
        columns.setdefault("trainer_state", None)
        columns.setdefault("log_extra", _nothing)
        columns.setdefault("log_metric", _nothing)
        file = self._files[name]
        try:
            limit = time_limit(self._seconds) if name in self._limited else contextlib.nullcontext()
            with _named(self._folder, file), limit:
                given = self._functions[name](prompts, completions, token_ids, **columns)
            scores = check_rewards(given, len(completions))
        except RlftError as error:
            raise RlftError(f"{error.what} (reward {name})", where=error.where, remedy=error.remedy) from None
        except TookTooLong as error:
            raise RlftError(
                f"it did not return within {self._seconds:g} s at step {self.step} (reward {name})",
                where=_place(name, file, error),
                remedy="Correct it there and resume the run, or launch again with a higher reward_seconds",
            ) from error
        except (Exception, SystemExit) as error:
            raise RlftError(
                f"{told(error)} (reward {name})", where=_place(name, file, error), remedy=_CORRECT_IT
            ) from error
        if scores.nonfinite and name not in self._told:
            self._told.add(name)
            text = plain_text(completions[scores.nonfinite[0]])[:200]
            self._tell(name, f"returned NaN or an infinity for {text!r}; such answers count as not judged")
        if len(scores.nonfinite) == len(completions) and len(completions) > 1:
            raise RlftError(
                f"every reward of a batch is NaN or infinite (reward {name})",
                where=str(file or ""),
                remedy=_CORRECT_IT,
            )
        return scores.rewards


def try_rewards(
    parts: tuple[RewardPart, ...], folder: Path, rows: Sequence[PromptRow], seconds: float = LIMIT_SECONDS
) -> None:
    """Call each function once, on made-up answers to the first rows; RlftError with the line of a fault.

    It takes no model, so a mistake ends the run in its first second. Trained reward models are left out.
    """
    tried = tuple(part for part in parts if parse_source(part.source).kind != "model")
    some = rows[: len(_MADE_UP)]
    texts = _MADE_UP[: len(some)]
    if not tried or not some:
        return
    RunRewards(tried, folder, load_model=_no_model, seconds=seconds).reward(
        [row.prompt for row in some],
        [[{"role": "assistant", "content": text}] for text in texts],
        [list(text.encode()) for text in texts],
        columns_of(some),
    )


def columns_of(rows: Sequence[PromptRow]) -> dict[str, list[Any]]:
    """The further columns of some rows, with None where a row has no such column."""
    names = dict.fromkeys(name for row in rows for name in row.columns)
    return {name: [row.columns.get(name) for row in rows] for name in names}


def _no_model(source: ModelSource) -> ConversationScorer:
    raise RlftError("no reward model is loaded here", where=source.name)


def _nothing(*values: Any) -> None:
    """Stands in for TRL's log_extra and log_metric where no trainer listens."""


@contextlib.contextmanager
def _named(folder: Path, file: Path | None) -> Iterator[None]:
    """A user's file is named on the disk while its code runs: code that ends the process tells nobody."""
    if file is None:
        yield
        return
    mark = folder / CALLING
    with contextlib.suppress(OSError):
        mark.write_text(f"rewards/{file.relative_to(folder)}", encoding="utf-8")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            mark.unlink(missing_ok=True)


def _file(part: RewardPart, folder: Path) -> Path | None:
    """The run's own copy of a Python file."""
    source = parse_source(part.source)
    return file_in(folder, source.name) if source.kind == "file" else None


def _place(name: str, file: Path | None, error: BaseException) -> str:
    """``file:line`` where an exception passed through a user's file."""
    line = last_line(file, error.__traceback__) if file else None
    return f"{file}:{line}" if file and line else f"reward {name}"


def _function(part: RewardPart, folder: Path, load_model: LoadModel, seconds: float) -> RewardFunction:
    source = parse_source(part.source)
    if source.kind == "builtin":
        return build(source.name, part.options, folder)
    if source.kind == "file":
        file = file_in(folder, source.name)
        try:
            with _named(folder.resolve(), file), time_limit(seconds):
                return load_function(file, source.function)
        except TookTooLong as error:
            raise RlftError(
                f"it was not loaded within {seconds:g} s",
                where=_place(part.source, file, error),
                remedy="Correct it there and resume the run, or launch again with a higher reward_seconds",
            ) from error
    if part.model is None:
        raise RlftError("the reward model's folder is not known", where=part.source)
    model = load_model(part.model)

    def score(prompts: Any, completions: Any, completion_ids: Any = None, **columns: Any) -> list[float]:
        return model.score([[*prompt, *answer] for prompt, answer in zip(prompts, completions, strict=True)])

    return score
