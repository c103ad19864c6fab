"""A suite against its own reference answers: what is expected has to be found right."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rlft_tui.evaluations.sandbox.sandbox import require_sandbox, run_programs
from rlft_tui.evaluations.suites.freeze import ID, FrozenTask, freeze_suite, read_frozen
from rlft_tui.evaluations.suites.prompts import (
    choice_texts,
    expected_texts,
    messages_of,
    right_choice,
)
from rlft_tui.evaluations.suites.score import blank, limits_of, score_accuracy, score_code
from rlft_tui.evaluations.suites.tasks import AccuracyTask, AnswerTask, ChoiceTask, CodeTask, SafetyTask
from rlft_tui.record import Record


class Checked(Record, frozen=True):
    """One task's references."""

    task: str
    kind: str
    n: int
    right: int
    wrong: tuple[str, ...] = ()
    """Items whose own reference is not found right, each with why."""
    remark: str = ""


def check_suite(
    name: str, workspace: Path | None, say: Callable[[str], None] = lambda line: None
) -> tuple[Checked, ...]:
    """Every task of a suite; RlftError for one that cannot be read."""
    with tempfile.TemporaryDirectory(prefix="rlft-suite-") as made:
        folder = Path(made)
        for path, content in freeze_suite(name, workspace, {}).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        _, tasks = read_frozen(folder)
        found = []
        for task in tasks:
            say(f"{task.name}: {task.spec.kind}")
            found.append(_checked(task))
    return tuple(found)


def _checked(task: FrozenTask) -> Checked:
    spec, rows = task.spec, task.items()
    about = (spec.name, spec.kind, len(rows))
    if isinstance(spec, AccuracyTask):
        wrong = [str(row[ID]) for row in rows if not _reference_is_right(spec, task.settings, row)]
        return Checked(*about, len(rows) - len(wrong), tuple(wrong))
    if isinstance(spec, CodeTask):
        return _programs(task, spec, rows)
    if isinstance(spec, ChoiceTask):
        for row in rows:
            right_choice(spec, row), choice_texts(spec, row), messages_of(spec, row)
        return Checked(*about, len(rows))
    if isinstance(spec, AnswerTask):
        for row in rows:
            messages_of(spec, row)
            if isinstance(spec, SafetyTask):
                expected_texts(spec.name, spec.expected, row)
        return Checked(*about, len(rows), remark="prompts only")
    return Checked(*about, len(rows), remark="nothing to check without a model")


def _reference_is_right(spec: AccuracyTask, settings: str, row: dict[str, Any]) -> bool:
    answer = expected_texts(spec.name, spec.expected, row)[0]
    item = score_accuracy(spec, row, answer, blank("", spec, settings, row))
    return item.scores["accuracy"] == 1.0


def _programs(task: FrozenTask, spec: CodeTask, rows: list[dict[str, Any]]) -> Checked:
    """Reference programs, put behind their prompts, against their tests."""
    require_sandbox()
    known = [row for row in rows if isinstance(row.get(spec.solution), str)]
    made = [reference_program(spec, row) for row in known]
    ended = run_programs(made, limits_of(spec))
    items = [
        score_code(spec.model_copy(update={"k": (1,)}), row, [], [one], blank("", spec, task.settings, row))
        for row, one in zip(known, ended, strict=True)
    ]
    wrong = tuple(f"{item.item} ({item.parts['why']})" for item in items if item.scores["pass@1"] != 1.0)
    remark = "" if len(known) == len(rows) else f"{len(rows) - len(known)} without {spec.solution}"
    return Checked(spec.name, spec.kind, len(rows), len(known) - len(wrong), wrong, remark)


def reference_program(spec: CodeTask, row: dict[str, Any]) -> str:
    """The row's own solution with its tests behind it; a solution that is only a body follows the prompt."""
    from rlft_tui.evaluations.programs import with_tests

    solution = str(row[spec.solution])
    whole = f"def {row.get(spec.entry_point, '')}" in solution
    program = solution if whole else str(row.get(spec.prompt, "")) + solution
    return with_tests(program, row, tests=spec.tests, entry_point=spec.entry_point)
