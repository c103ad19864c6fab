"""rlft eval texts: files of completions side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlft_tui.cli.session import Session, table
from rlft_tui.counted import counted
from rlft_tui.errors import NotFoundError, RlftError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rlft_tui.client.workspace_client import WorkspaceClient
    from rlft_tui.evaluations.statistics import Estimate
    from rlft_tui.evaluations.text_sets import Measured, TextRow, TextSet

_TEXT = ("text", "completion", "response", "output")
"""Columns in which the text is looked for, in this order."""


def evaluate_texts(
    session: Session,
    sources: Sequence[str],
    *,
    reward: str,
    threshold: float | None,
    under: str,
    plot: bool,
    picture: Path | None,
) -> None:
    """Measure the sets and show their figures; with ``plot`` or ``picture`` drawn, too."""
    from rlft_tui.evaluations.text_sets import measure, same_size

    if picture is not None and picture.suffix not in (".svg", ".png"):
        raise RlftError("a picture is an .svg or a .png", where=str(picture))
    read = [read_set(source) for source in sources]
    names = [one.name for one in read]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RlftError(f"two files are called {twice[0]}", remedy="Name them: NAME=FILE")
    sets = same_size(read)
    for before, after in zip(read, sets, strict=True):
        if left := len(before.rows) - len(after.rows):
            session.say(
                f"{before.name}: {counted(left, 'text')} left out, so that all have as many of each prompt"
            )
    if reward:
        sets = tuple(_rewarded(session, one, reward, threshold) for one in sets)
    if under:
        with session.connect() as client:
            session.say(f"fluency: {counted(sum(len(one.rows) for one in sets), 'text')} under {under} …")
            sets = tuple(_weighed(client, one, under) for one in sets)
    measured = measure(sets)
    session.show(measured, lambda: _text(measured, plot=plot))
    if picture is not None:
        from rlft_tui.cli.text_plot import save_picture

        session.say(f"picture: {save_picture(measured, picture)}")


def read_set(source: str) -> TextSet:
    """``NAME=FILE`` or ``FILE``: CSV, JSON lines or Parquet with prompt, text and, if any, reward."""
    from rlft_tui.evaluations.text_sets import TextRow, TextSet
    from rlft_tui.prompts.import_report import LineReport
    from rlft_tui.prompts.row_reader import read_rows

    name, equals, file = source.partition("=")
    path = Path(file if equals else source).expanduser()
    if not path.is_file():
        raise NotFoundError("no such file", where=str(path), remedy="Check the name")
    rows: list[TextRow] = []
    for row in read_rows(path.name, path):
        if isinstance(row, LineReport):
            raise RlftError(row.reason, where=f"{path}:{row.line}")
        if _is_false(row.values.get("kept")):
            continue
        column = next((each for each in _TEXT if each in row.values), None)
        prompt = row.values.get("prompt")
        if column is None or not isinstance(prompt, str):
            raise RlftError(
                "no prompt and text in it",
                where=f"{path}:{row.line}",
                remedy=f"Columns prompt and one of {', '.join(_TEXT)}",
            )
        rows.append(TextRow(prompt, str(row.values[column] or ""), _number(row.values.get("reward"))))
    if not rows:
        raise RlftError("there are no texts in it", where=str(path))
    return TextSet(name if equals else path.stem, tuple(rows))


def _is_false(value: Any) -> bool:
    return value is False or value == "false"


def _number(value: Any) -> float | None:
    try:
        return None if value in (None, "") else float(value)
    except (TypeError, ValueError):
        return None


def _rewarded(session: Session, one: TextSet, reward: str, threshold: float | None) -> TextSet:
    """The set with each text's reward, and the constraints that the reward is made of."""
    from msgspec.structs import replace

    from rlft_tui.rewards.built_in import build
    from rlft_tui.rewards.occupational import OccupationalReward
    from rlft_tui.rewards.source import parse_reward, parse_source

    asked = parse_reward(reward)
    source = parse_source(asked["source"])
    if source.kind == "file":
        raise RlftError(
            "a Python file rewards texts where they are written",
            where="--reward",
            remedy="rlft generate --reward FILE writes a reward column, which is read without --reward",
        )
    if source.kind == "model":
        with session.connect() as client:
            scores: list[float | None] = list(
                client.score(source.name, [_conversation(row.prompt, row.text) for row in one.rows])
            )
        found = [(score, _above(score, threshold)) for score in scores]
    else:
        function = build(source.name, asked.get("options", {}), session.own_workspace().rewards)
        given = function([row.prompt for row in one.rows], [row.text for row in one.rows])
        parts = function if isinstance(function, OccupationalReward) and threshold is None else None
        found = [
            (score, parts.constraints(row.text) if parts else _above(score, threshold))
            for score, row in zip(given, one.rows, strict=True)
        ]
    rows = tuple(
        replace(row, reward=score, constraints=constraints)
        for row, (score, constraints) in zip(one.rows, found, strict=True)
    )
    return replace(one, rows=rows)


def _above(score: float | None, threshold: float | None) -> dict[str, bool]:
    """A reward that is one number is kept by what reaches the threshold."""
    if threshold is None:
        return {}
    return {f"reward ≥ {threshold:g}": score is not None and score >= threshold}


def _conversation(prompt: str, text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": text}]


def _weighed(client: WorkspaceClient, one: TextSet, model: str) -> TextSet:
    """The set with -log p and tokens of each text under the model."""
    from msgspec.structs import replace

    asked = [([{"role": "user", "content": row.prompt}], row.text) for row in one.rows]
    weighed = client.answer_nats(model, asked)
    rows = [
        replace(row, nats=nats, tokens=tokens) for row, (nats, tokens) in zip(one.rows, weighed, strict=True)
    ]
    return replace(one, rows=tuple(rows))


def _text(measured: Sequence[Measured], *, plot: bool) -> str:
    """One table, a line a measure and two columns a set; with ``plot`` the intervals drawn below it."""
    names = list(dict.fromkeys(figure.name for one in measured for figure in one.figures))
    head = ["measure"]
    for at, one in enumerate(measured):
        head += [one.name, "95 %"] if not at else [one.name, "95 %", "change"]
    rows = []
    for name in names:
        row = [name]
        for at, one in enumerate(measured):
            figure = next((each for each in one.figures if each.name == name), None)
            row += ["", ""] if figure is None else [_short(figure.estimate.value), _interval(figure.estimate)]
            if at:
                row.append(_change(figure.change) if figure else "")
        rows.append(row)
    sizes = ", ".join(
        f"{one.name}: {counted(one.texts, 'text')} of {counted(one.prompts, 'prompt')}" for one in measured
    )
    first = measured[0].name
    parts = [table(head, rows), f"{sizes}. change: prompt by prompt against {first}, * where 0 is outside."]
    if plot:
        from rlft_tui.cli.text_plot import interval_chart

        parts.append(interval_chart(measured))
    return "\n\n".join(parts)


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _interval(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{estimate.low:.3g}–{estimate.high:.3g}"


def _change(change: Estimate) -> str:
    if change.value is None:
        return ""
    sure = change.low is not None and change.high is not None and (change.low > 0 or change.high < 0)
    return f"{change.value:+.3g}{'*' if sure else ''}"
