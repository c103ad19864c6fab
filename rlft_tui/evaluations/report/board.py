"""Models × metrics: every figure beside the baseline's, and whether the difference is more than chance.

A paired test decides where both models answered the same items; a win rate is set against one half
by its own interval. What neither can decide stays undecided: it is shown as a change, never as one
that counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from rlft_tui.counted import counted
from rlft_tui.evaluations.evaluation import Evaluation, MetricChange
from rlft_tui.models.model import Rating
from rlft_tui.record import Record

Standing = Literal["better", "worse", "undecided", "none"]
"""better, worse: surely so. undecided: it could be chance. none: there is nothing to compare with."""
MARKS: dict[Standing, str] = {"better": "✓", "worse": "✗", "undecided": "≈", "none": " "}
"""A standing is told by its mark as well as by its colour."""
PEOPLE = "people"
_NO_SHARES = ("perplexity", "distinct", "bleu", "reward", "nats", "rating", "words", "tokens", "bits")
_RATES = ("win_rate", "lc_win_rate")


class Cell(Record, frozen=True):
    """One model's figure of one metric."""

    model: str
    evaluation: Evaluation | None = None
    """None where the model was not measured."""
    change: MetricChange | None = None
    """Against the baseline, over the items that both answered."""
    standing: Standing = "none"
    before: float | None = None
    """The baseline's value."""

    @property
    def value(self) -> float | None:
        return self.evaluation.value if self.evaluation is not None else None


class BoardRow(Record, frozen=True):
    """One metric of one task, over all models."""

    suite: str
    task: str
    metric: str
    cells: tuple[Cell, ...]
    """The baseline's first."""

    @property
    def key(self) -> str:
        return "\x1f".join((self.suite, self.task, self.metric))

    @property
    def is_share(self) -> bool:
        """Whether the values are shares, shown in percent."""
        return is_share(self.metric, (cell.value for cell in self.cells))

    def cell(self, model: str) -> Cell | None:
        return next((cell for cell in self.cells if cell.model == model), None)


class Board(Record, frozen=True):
    """What the dashboard and every report show."""

    baseline: str
    models: tuple[str, ...]
    """The baseline first."""
    rows: tuple[BoardRow, ...]
    compared: int
    """Tests behind it: with many some would look like more than chance, so p is corrected (Holm)."""

    def suites(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.suite for row in self.rows))


def make_board(
    found: Iterable[Evaluation],
    changes: Iterable[MetricChange],
    *,
    baseline: str,
    models: Sequence[str] = (),
    ratings: Iterable[Rating] = (),
) -> Board:
    """``changes`` of each model against the baseline; ``ratings`` of people against it.

    ``models`` in the order of the columns; without any all that were measured.
    """
    rows = list(found)
    rated = {rating.model: rating for rating in ratings}
    named = list(models) or sorted({one.model for one in rows} | set(rated))
    columns = tuple(dict.fromkeys([*([baseline] if baseline else []), *named]))
    by_change = {(one.model, one.suite, one.task, one.metric): one for one in changes}
    groups: dict[tuple[str, str, str], dict[str, Evaluation]] = {}
    for one in rows:
        if one.model in columns:
            groups.setdefault((one.suite, one.task, one.metric), {})[one.model] = one
    made = [
        BoardRow(suite, task, metric, _cells(columns, baseline, (suite, task, metric), own, by_change))
        for (suite, task, metric), own in groups.items()
        if not (baseline and _is_rate(metric) and set(own) == {baseline})
    ]
    if people := _people(columns, baseline, rated):
        made.insert(0, people)
    tests = sum(one.p is not None for one in by_change.values() if one.model in columns)
    return Board(baseline, columns, tuple(made), tests)


def standing_of(one: Evaluation, change: MetricChange | None) -> Standing:
    """What is known of a figure against the baseline."""
    if change is not None and change.p is not None:
        if not change.significant or change.improved is None:
            return "undecided"
        return "better" if change.improved else "worse"
    if _is_rate(one.metric) and one.low is not None and one.high is not None:
        return "better" if one.low > 0.5 else "worse" if one.high < 0.5 else "undecided"
    return "none"


def is_share(metric: str, values: Iterable[float | None]) -> bool:
    """Whether values of a metric are shares of one."""
    name = metric.rpartition("/")[2]
    known = [value for value in values if value is not None]
    return (
        not any(part in name for part in _NO_SHARES) and bool(known) and all(0 <= one <= 1 for one in known)
    )


def figure(value: float | None, *, share: bool) -> str:
    """``67.3 %``, ``3.21`` or a dash."""
    if value is None:
        return "–"
    if share:
        return f"{100 * value:.1f} %"
    size = abs(value)
    return f"{value:.2f}" if 0.1 <= size < 1000 or value == 0 else f"{value:.3g}"


def cell_text(row: BoardRow, cell: Cell) -> str:
    """``3.21 (↓ from 3.89)``; a win rate already is a comparison and stands alone."""
    share = row.is_share
    text = figure(cell.value, share=share)
    if cell.value is None or cell.before is None or _is_rate(row.metric):
        return text
    before = figure(cell.before, share=share)
    if before == text and cell.value != cell.before:
        # A small difference over many items may be sure all the same: it is to be seen.
        text, before = (f"{100 * one:.2f} %" if share else f"{one:.5g}" for one in (cell.value, cell.before))
    if before == text:
        return f"{text} (= baseline)"
    return f"{text} ({'↑' if cell.value > cell.before else '↓'} from {before})"


def interval_text(one: Evaluation, *, share: bool) -> str:
    """``2.9 – 3.5``; empty where there is none."""
    if one.low is None or one.high is None:
        return ""
    scale = 100 if share else 1
    return f"{scale * one.low:.3g} – {scale * one.high:.3g}{' %' if share else ''}"


def p_text(change: MetricChange | None) -> str:
    """``p 0.003 (McNemar's exact test, 120 items)``; empty without a test."""
    if change is None or change.p_holm is None:
        return ""
    p = "p < 0.001" if change.p_holm < 0.001 else f"p {change.p_holm:.3f}"
    return f"{p} ({change.test}, {counted(change.n, 'item')})"


def row_title(row: BoardRow) -> str:
    """``arithmetic accuracy``; the suite goes before it where it is a judge or people."""
    metric = row.metric.replace("_", " ")
    if row.suite == PEOPLE:
        return f"human {metric}"
    head = f"{row.suite} " if row.suite.startswith("judge:") else ""
    return f"{head}{row.task} {metric}"


def _cells(
    columns: Sequence[str],
    baseline: str,
    key: tuple[str, str, str],
    own: dict[str, Evaluation],
    changes: dict[tuple[str, str, str, str], MetricChange],
) -> tuple[Cell, ...]:
    base = own.get(baseline)
    cells = []
    for model in columns:
        one = own.get(model)
        if one is None:
            cells.append(Cell(model))
            continue
        change = changes.get((model, *key)) if model != baseline else None
        standing = standing_of(one, change) if model != baseline else "none"
        comparable = base is not None and model != baseline and base.settings == one.settings
        cells.append(Cell(model, one, change, standing, base.value if base and comparable else None))
    return tuple(cells)


def _people(columns: Sequence[str], baseline: str, rated: dict[str, Rating]) -> BoardRow | None:
    """People's win rate against the baseline, as a row like any other."""
    cells = []
    for model in columns:
        rating = rated.get(model)
        if rating is None or not rating.n or model == baseline:
            cells.append(Cell(model))
            continue
        one = Evaluation(
            model=model,
            suite=PEOPLE,
            task=f"verdicts vs {baseline}" if baseline else "verdicts",
            metric="win_rate",
            value=rating.win_rate / 100,
            n=rating.n,
            low=rating.ci95[0] / 100,
            high=rating.ci95[1] / 100,
            stderr=rating.stderr / 100,
        )
        cells.append(Cell(model, one, None, standing_of(one, None)))
    task = f"verdicts vs {baseline}" if baseline else "verdicts"
    return (
        BoardRow(PEOPLE, task, "win_rate", tuple(cells)) if any(cell.evaluation for cell in cells) else None
    )


def _is_rate(metric: str) -> bool:
    return metric in _RATES
