"""A whole report as one HTML file that needs nothing else: tables, pictures, judges, single items."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from html import escape

from msgspec import field

from rlft_tui.evaluations.evaluation import Item, ItemPair
from rlft_tui.evaluations.judge.request import Calibration
from rlft_tui.evaluations.report.board import (
    MARKS,
    Board,
    BoardRow,
    Cell,
    cell_text,
    interval_text,
    p_text,
    row_title,
)
from rlft_tui.evaluations.report.picture import intervals_svg
from rlft_tui.evaluations.report.tables import LEGEND, correction
from rlft_tui.evaluations.report.visible import visible
from rlft_tui.labels.intervals import Share
from rlft_tui.record import Record

MOST_TEXT = 2000
"""Characters of a prompt or answer that are shown."""
_STYLE = """
body { font: 15px/1.5 "DejaVu Sans", Helvetica, Arial, sans-serif; max-width: 70em; margin: 2em auto;
  padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: .8em 0 }
td, th { border: 1px solid #ccc; padding: .3em .6em; text-align: left; vertical-align: top }
th { background: #f3f3f3 }
small { color: #555; display: block }
.better { background: #dceefb }
.worse { background: #fde6cf }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f7f7f7; padding: .6em; margin: .3em 0 }
details { margin: .5em 0 }
figure { margin: 1em 0 }
figcaption { font-weight: bold }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1em }
@media (prefers-color-scheme: dark) {
  body { background: #161616; color: #ddd }
  th { background: #2a2a2a }
  pre { background: #222 }
  td, th { border-color: #444 }
  .better { background: #123a56 }
  .worse { background: #5a3410 }
  small { color: #aaa }
  figure svg { background: #fff; border-radius: 4px }
}
"""


class Report(Record, frozen=True):
    """What goes into the page."""

    title: str
    workspace: str
    board: Board
    made: float
    """Unix seconds."""
    pairs: Mapping[tuple[str, str], Sequence[ItemPair]] = field(default_factory=dict)
    """(model, task) → items on which it and the baseline differ."""
    calibrations: Sequence[Calibration] = ()


def html(report: Report) -> str:
    """The page."""
    board = report.board
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(report.made))
    against = f"Baseline: <b>{_text(board.baseline)}</b>. " if board.baseline else ""
    parts = [
        "<!doctype html><html lang=en><head><meta charset=utf-8>",
        '<meta name=viewport content="width=device-width">',
        f"<title>{_text(report.title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{_text(report.title)}</h1>",
        f"<p>{against}Workspace {_text(report.workspace)}, {when}. {LEGEND}.{_text(correction(board))}</p>",
    ]
    for suite in board.suites():
        rows = [row for row in board.rows if row.suite == suite]
        parts.append(f"<h2>{_text(suite)}</h2>{_table(board, rows)}")
        parts += [_figure(row, board.baseline) for row in rows]
    if report.calibrations:
        parts.append("<h2>Judges against people</h2>")
        parts += [_calibration(one) for one in report.calibrations]
    if report.pairs:
        parts.append("<h2>Items on which a model and the baseline differ</h2>")
        for (model, task), pairs in report.pairs.items():
            parts.append(f"<h3>{_text(model)} on {_text(task)}</h3>")
            parts += [_pair(pair, model, board.baseline) for pair in pairs]
    return "".join([*parts, _runs(board), "</body></html>\n"])


def _table(board: Board, rows: Sequence[BoardRow]) -> str:
    heads = "".join(
        f"<th>{_text(model)}{' (baseline)' if model == board.baseline else ''}</th>" for model in board.models
    )
    body = "".join(
        f"<tr><td>{_text(row_title(row))}</td>{''.join(_cell(row, cell) for cell in row.cells)}</tr>"
        for row in rows
    )
    return f"<table><tr><th>metric</th>{heads}</tr>{body}</table>"


def _cell(row: BoardRow, cell: Cell) -> str:
    one = cell.evaluation
    if one is None:
        return "<td>–</td>"
    notes = [f"n {one.n:,}", interval_text(one, share=row.is_share), p_text(cell.change)]
    if one.errors:
        notes.append(f"{one.errors:,} could not be judged")
    said = f"{MARKS[cell.standing]} {cell_text(row, cell)}".strip()
    shown = _text("; ".join(filter(None, notes)))
    return f'<td class="{cell.standing}">{_text(said)}<small>{shown}</small></td>'


def _figure(row: BoardRow, baseline: str) -> str:
    picture = intervals_svg(row, baseline)
    return f"<figure><figcaption>{_text(row_title(row))}</figcaption>{picture}</figure>" if picture else ""


def _calibration(one: Calibration) -> str:
    person = one.labeler or "people"
    kappa = "" if one.met.kappa is None else f"{one.met.kappa:.2f}"
    rows = [
        (f"agreement with {person}", _share(one.met.agreed)),
        (
            "Cohen's kappa",
            kappa + (f" ({one.met.ci95[0]:.2f} – {one.met.ci95[1]:.2f})" if one.met.ci95 else ""),
        ),
        ("where neither said tie", _share(one.decided)),
        ("judge: for the answer shown first", _share(one.first_shown)),
        ("judge: verdict went with the order", _share(one.orders_disagree)),
        ("judge: for the longer answer", _share(one.judge_longer)),
        (f"{person}: for the longer answer", _share(one.labeler_longer)),
        ("judge: no verdict", _share(one.unparsable)),
        ("rubrics", ", ".join(one.rubrics)),
    ]
    body = "".join(f"<tr><td>{_text(name)}</td><td>{_text(value)}</td></tr>" for name, value in rows if value)
    return f"<h3>judge:{_text(one.judge)}</h3><table>{body}</table>"


def _share(one: Share) -> str:
    if one.rate is None:
        return ""
    return f"{100 * one.rate:.0f} % ({100 * one.low:.0f}–{100 * one.high:.0f}), {one.count:,} of {one.n:,}"


def _pair(pair: ItemPair, model: str, baseline: str) -> str:
    sides = "".join(
        f"<div><b>{_text(name)}</b> {_text(_scores(item))}{_pre(item.output)}{_reason(item)}</div>"
        for name, item in ((model, pair.model), (baseline, pair.baseline))
    )
    expected = f"<b>expected</b>{_pre(pair.model.expected)}" if pair.model.expected else ""
    head = " ".join(pair.model.prompt.split())[:100]
    return (
        f"<details><summary>{_text(head)}</summary><b>prompt</b>{_pre(pair.model.prompt)}{expected}"
        f'<div class="pair">{sides}</div></details>'
    )


def _scores(item: Item) -> str:
    shown = [f"{name} {'–' if value is None else f'{value:g}'}" for name, value in item.scores.items()]
    return ", ".join(shown) or item.error


def _reason(item: Item) -> str:
    reason = item.parts.get("reason")
    return f"<b>reason</b>{_pre(reason)}" if isinstance(reason, str) and reason else ""


def _runs(board: Board) -> str:
    """Where every figure comes from."""
    seen = dict.fromkeys(
        (cell.model, cell.evaluation.suite, cell.evaluation.run_id)
        for row in board.rows
        for cell in row.cells
        if cell.evaluation is not None and cell.evaluation.run_id
    )
    if not seen:
        return ""
    rows = "".join(f"<tr>{''.join(f'<td>{_text(part)}</td>' for part in each)}</tr>" for each in seen)
    return f"<h2>Runs</h2><table><tr><th>model</th><th>suite</th><th>run</th></tr>{rows}</table>"


def _pre(text: str) -> str:
    cut = text if len(text) <= MOST_TEXT else text[:MOST_TEXT] + " …"
    return f"<pre>{_text(cut)}</pre>"


def _text(text: str) -> str:
    """Escaped, and nothing in it that is not seen."""
    return escape(visible(text))
