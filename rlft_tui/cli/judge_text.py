"""Judges' runs and calibrations in words."""

from __future__ import annotations

from collections.abc import Sequence

from rlft_tui.cli.session import fields, table
from rlft_tui.counted import counted
from rlft_tui.evaluations.evaluation import Evaluation
from rlft_tui.evaluations.judge.request import Calibration, JudgeRun
from rlft_tui.labels.agreement import Kappa
from rlft_tui.labels.intervals import Share


def judge_run_fields(run: JudgeRun, found: Sequence[Evaluation]) -> list[tuple[str, object]]:
    """Names and values for ``fields``."""
    tally = run.tally
    labels = " · ".join(f"{label} {count:,}" for label, count in sorted(tally.labels.items()))
    unmetered = f" ({counted(tally.unmetered, 'call')} did not say)" if tally.unmetered else ""
    rows: list[tuple[str, object]] = [
        ("run", run.id),
        ("status", run.status),
        ("judge", f"judge:{run.judge} ({run.model})"),
        ("rubric", f"{run.rubric} {run.rubric_version}"),
        ("items", f"{run.items:,}"),
        ("calls", f"{tally.calls:,} of {run.calls:,}"),
        ("verdicts", f"{tally.parsed:,}: {labels}" if labels else f"{tally.parsed:,}"),
        ("no verdict", f"{tally.unparsable:,} unparsable, {tally.refused:,} refused"),
        ("tokens", f"{tally.prompt_tokens:,} read, {tally.answer_tokens:,} written{unmetered}"),
        ("cost", f"{tally.cost:.4f}" if tally.cost else ""),
    ]
    for one in found:
        if one.value is None:
            continue
        value = f"{one.value:.2f}" if one.metric.endswith("rating") else f"{100 * one.value:.1f} %"
        scale = 1 if one.metric.endswith("rating") else 100
        ends = (
            ""
            if one.low is None or one.high is None
            else f" ({scale * one.low:.3g} – {scale * one.high:.3g})"
        )
        rows.append((f"{one.model} · {one.metric}", f"{value}{ends}, n {one.n}, {one.task}"))
    return rows


def calibration_text(found: Calibration) -> str:
    """Every figure with its n and interval; what both said as a small table."""
    person = found.labeler or "people"
    rows = [
        ("pairs judged by both", found.met.agreed.n or "none"),
        ("agreement", share_text(found.met.agreed)),
        ("Cohen's kappa", kappa_text(found.met)),
        ("where neither said tie", share_text(found.decided)),
        (
            f"{person}, with themselves" if not found.labeler else f"{person} with {person}",
            share_text(found.self_agreement),
        ),
        ("judge: for the answer shown first", share_text(found.first_shown)),
        ("judge: verdict went with the order", share_text(found.orders_disagree)),
        ("judge: for the longer answer", share_text(found.judge_longer)),
        (f"{person}: for the longer answer", share_text(found.labeler_longer)),
        ("judge: no verdict", share_text(found.unparsable)),
        ("rubrics", ", ".join(found.rubrics)),
    ]
    if found.ratings.n:
        rank = "" if found.ratings.spearman is None else f"rank correlation {found.ratings.spearman:.2f}, "
        difference = found.ratings.mean_difference or 0.0
        rows.append(("ratings", f"{rank}{difference:+.2f} steps on average, n {found.ratings.n}"))
    text = fields(rows)
    if found.confusion:
        head = ("", *(f"judge {choice}" for choice in found.confusion))
        text += "\n\n" + table(
            head, [(f"{person} {one}", *met.values()) for one, met in found.confusion.items()]
        )
    return text


def share_text(one: Share) -> str:
    """``70 % (39–89), 7 of 10``, or empty without any."""
    if one.rate is None:
        return ""
    return f"{100 * one.rate:.0f} % ({100 * one.low:.0f}–{100 * one.high:.0f}), {one.count:,} of {one.n:,}"


def kappa_text(one: Kappa) -> str:
    if one.kappa is None:
        return "cannot be told: all verdicts are the same" if one.agreed.n else ""
    ends = f" ({one.ci95[0]:.2f} – {one.ci95[1]:.2f})" if one.ci95 else ""
    return f"{one.kappa:.2f}{ends}"
