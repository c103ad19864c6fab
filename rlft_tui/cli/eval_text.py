"""Figures, changes and items of evaluations as text."""

from __future__ import annotations

from rlft_tui.cli.session import fields, moment, table
from rlft_tui.counted import counted
from rlft_tui.evaluations.evaluation import Evaluation, Item, MetricChange
from rlft_tui.models.model import Rating


def figure_table(found: list[Evaluation] | tuple[Evaluation, ...]) -> str:
    """One figure a line."""
    return table(
        ("suite", "task", "metric", "model", "value", "95 % interval", "n", "errors", "run", "when"),
        [
            (
                one.suite,
                one.task,
                one.metric,
                one.model,
                number(one.value),
                interval(one.low, one.high),
                one.n,
                one.errors or "",
                one.run_id,
                moment(one.created_at),
            )
            for one in found
        ],
    )


def change_table(found: list[Evaluation], changed: dict[str, tuple[MetricChange, ...]], against: str) -> str:
    """Models against the baseline, a metric a line."""
    base = {(one.suite, one.task, one.metric): one for one in found if one.model == against}
    rows = []
    for one in found:
        if one.model == against:
            continue
        change = next(
            (
                each
                for each in changed.get(one.model, ())
                if (each.suite, each.task, each.metric) == (one.suite, one.task, one.metric)
            ),
            None,
        )
        before = base.get((one.suite, one.task, one.metric))
        rows.append(
            (
                one.suite,
                one.task,
                one.metric,
                one.model,
                f"{number(one.value)} {arrow(change)}".strip(),
                number(before.value if before else None),
                interval(change.low, change.high) if change else "",
                "" if change is None or change.p_holm is None else f"{change.p_holm:.3g}",
                change.n if change else "",
            )
        )
    headings = ("suite", "task", "metric", "model", "value", against, "change, 95 %", "p", "pairs")
    return table(headings, rows)


def human_lines(rated: tuple[Rating, ...], against: str) -> list[str]:
    """What people said, a model a line: ``Human win rate 67 % (55 – 77 %) against BASE, 60 verdicts``."""
    return [
        f"{one.model}: human win rate {one.win_rate:.0f} % ({one.ci95[0]:.0f} – {one.ci95[1]:.0f} %) "
        f"against {against}, {counted(one.n, 'verdict')}"
        for one in rated
    ]


def arrow(change: MetricChange | None) -> str:
    """↑ or ↓ as the value went, with + or - for better and worse, a star for no chance."""
    if change is None or not change.difference:
        return ""
    way = "↑" if change.difference > 0 else "↓"
    star = "*" if change.significant else ""
    return f"{way}{'' if change.improved is None else ' better' if change.improved else ' worse'}{star}"


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.3g} – {high:.3g}"


def item_text(item: Item) -> str:
    """One item in full."""
    from rlft_tui.runs.spec_fields import as_text

    scores = "  ".join(f"{name} {as_text(value)}" for name, value in item.scores.items())
    return fields(
        [
            ("item", f"{item.task} {item.item}"),
            ("scores", scores or item.error),
            ("prompt", item.prompt),
            ("output", item.output),
            ("expected", item.expected),
            *((name, value) for name, value in item.parts.items() if value not in (None, "", [])),
        ]
    )
