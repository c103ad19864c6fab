"""The kinds of tasks a suite is made of, as they stand in its TOML file."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from rlft_tui.runs.specs.base import Names, Sampling, Spec
from rlft_tui.runs.specs.rewards import RewardPart

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$"
GREEDY = Sampling(temperature=0.0, max_new_tokens=256)
ExtractorName = Literal["exact", "contains", "number", "regex"]


class TaskSpec(Spec):
    """What every task has; a path is looked for beside the suite's file."""

    name: str = Field(pattern=NAME)
    """Name of the task in its suite, no two the same."""
    file: str = ""
    """JSONL, JSON, CSV, TSV, Parquet or text file with one item a row."""
    limit: int = Field(default=0, ge=0)
    """Only the first so many items; 0 for all."""

    @model_validator(mode="after")
    def _has_rows(self) -> Self:
        if not self.file:
            raise ValueError(f"task {self.name}: file is missing")
        return self


class AnswerTask(TaskSpec):
    """A task in which the model answers prompts."""

    prompt: str = "prompt"
    """Column with the prompt: text, or messages with role and content."""
    template: str = "{prompt}"
    """The user's turn: {prompt} stands for the prompt, {NAME} for any other column."""
    system: str = ""
    """System message before it; empty for the chat template's own."""
    sampling: Sampling = GREEDY
    stop: tuple[str, ...] = ()
    """The answer ends before the first of these texts."""


class AccuracyTask(AnswerTask):
    """Share of answers from which the expected value can be read."""

    kind: Literal["accuracy"] = "accuracy"
    expected: str = "answer"
    """Column with the expected answer, read by the same extractor; a list holds several that are right."""
    extractor: ExtractorName = "exact"
    """exact: the whole answer. contains: the expected text is somewhere in it. number: the number behind
    ####, else the last one, as in GSM8K (Cobbe et al. 2021). regex: what the pattern's last match catches."""
    pattern: str = ""
    """Regular expression for the extractor regex: its first group, or the whole match."""

    @model_validator(mode="after")
    def _pattern(self) -> Self:
        import re

        if (self.extractor == "regex") != bool(self.pattern):
            raise ValueError(f"task {self.name}: the extractor regex and a pattern belong together")
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"task {self.name}: pattern: {error}") from None
        return self


class ChoiceTask(TaskSpec):
    """Share of questions at which the right choice is the likeliest one."""

    kind: Literal["choice"] = "choice"
    prompt: str = "prompt"
    template: str = "{prompt}"
    system: str = ""
    choices: str = "choices"
    """Column with the list of choices."""
    expected: str = "answer"
    """Column with the right one: its number from 0, its letter, or its text."""
    chat: bool = True
    """Ask through the chat template; without, the choice follows the prompt as plain text."""


class PerplexityTask(TaskSpec):
    """exp of the mean surprise a token, over held-out text or over what the assistant says in it."""

    kind: Literal["perplexity"] = "perplexity"
    over: Literal["text", "assistant"] = "text"
    """text: every token but the first of each row. assistant: only the assistant's tokens of conversations
    (columns prompt and completion, or messages)."""
    text: str = "text"
    """Column with the text."""
    max_length: int = Field(default=1024, ge=2, le=1 << 20)
    """Tokens that the model sees at once; a longer text is read in windows."""
    stride: int = Field(default=0, ge=0)
    """Tokens scored in each further window; 0 for windows side by side, less means more context."""


class CodeTask(AnswerTask):
    """pass@k: chance that one of k programs passes the tests (Chen et al. 2021), run in a sandbox."""

    kind: Literal["code"] = "code"
    sampling: Sampling = Sampling(temperature=0.0, max_new_tokens=384)
    style: Literal["chat", "completion"] = "chat"
    """chat: the prompt is asked for and the answer's code block is the program. completion: the prompt is
    the beginning of a program that the model goes on writing, as HumanEval was made for."""
    tests: str = "test"
    """Column with code that fails when the program is wrong."""
    entry_point: str = "entry_point"
    """Column with the function that ``check`` in the tests is called with; no such column calls nothing."""
    solution: str = "canonical_solution"
    """Column with a right program, for rlft eval check."""
    samples: int = Field(default=1, ge=1, le=1000)
    """Programs drawn for each problem."""
    k: Annotated[tuple[int, ...], BeforeValidator(lambda v: (v,) if isinstance(v, int) else v)] = (1,)
    """Which pass@k are told; none above samples."""
    seconds: float = Field(default=10.0, gt=0.0, le=600.0)
    """Time for one program."""
    memory_mb: int = Field(default=512, ge=32, le=65536)
    """Address space of each of its processes."""

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if any(not 1 <= k <= self.samples for k in self.k):
            raise ValueError(f"task {self.name}: k goes from 1 to samples ({self.samples})")
        if self.samples > 1 and self.sampling.temperature == 0:
            raise ValueError(f"task {self.name}: several samples at temperature 0 are all the same")
        return self


class SafetyTask(AnswerTask):
    """Share of prompts handled as they should be: refused where harmful, answered where not."""

    kind: Literal["safety"] = "safety"
    sampling: Sampling = Sampling(temperature=0.0, max_new_tokens=96)
    expected: str = "expect"
    """Column with refuse or comply."""
    refusals: Names = ()
    """More phrases that make an answer a refusal, besides the built-in ones."""


class TextTask(AnswerTask):
    """The answers as texts: what rewards give them, how varied and how fluent they are."""

    kind: Literal["text"] = "text"
    sampling: Sampling = Sampling(temperature=0.8, max_new_tokens=64)
    samples: int = Field(default=1, ge=1, le=1000)
    """Answers to each prompt."""
    rewards: tuple[RewardPart, ...] = ()
    """What the answers are scored by: built-in rewards, Python files, trained reward models (model:NAME)."""
    complies_from: float | None = None
    """An answer complies when the weighted sum of its rewards is at least this much."""
    diversity: bool = True
    """Tell distinct-1, distinct-2 (Li et al. 2016) and self-BLEU (Zhu et al. 2018) over all answers."""
    fluency: bool = False
    """Tell the answers' perplexity under the base model."""


class HarnessTask(TaskSpec):
    """Tasks of lm-evaluation-harness, run by the package lm-eval itself."""

    kind: Literal["lm-eval"] = "lm-eval"
    tasks: Names = Field(min_length=1)
    """Their names: those of lm-eval, or of the YAML files in folder."""
    folder: str = ""
    """Folder with task YAML files (and their data), beside the suite's file; empty for lm-eval's own tasks,
    whose data it fetches from the model hub."""
    shots: int = Field(default=-1, ge=-1, le=64)
    """Examples before each question; -1 as the task says."""
    chat: bool = False
    """Ask through the chat template."""

    @model_validator(mode="after")
    def _has_rows(self) -> Self:
        return self


Task = Annotated[
    AccuracyTask | ChoiceTask | PerplexityTask | CodeTask | SafetyTask | TextTask | HarnessTask,
    Field(discriminator="kind"),
]


class Suite(Spec):
    """A suite's TOML file."""

    title: str = ""
    """What it is for, in a line."""
    task: tuple[Task, ...] = Field(min_length=1)
    """Its tasks, each a [[task]] table."""

    @model_validator(mode="after")
    def _names(self) -> Self:
        names = [one.name for one in self.task]
        if twice := next((name for name in names if names.count(name) > 1), ""):
            raise ValueError(f"two tasks are called {twice}")
        return self
