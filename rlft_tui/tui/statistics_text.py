"""Statistics put into lines, for the screen and for ``rlft labels stats --full``.

Knows nothing of the toolkit: a line is a list of pieces, each a text and the name of its style.
"""

from __future__ import annotations

from collections.abc import Iterable

from rlft_tui.counted import counted, plural
from rlft_tui.evaluations.stopping_rule import FEWEST, Separation
from rlft_tui.labels.agreement import Agreement, Kappa, SelfAgreement
from rlft_tui.labels.bias import Bias, Leaning
from rlft_tui.labels.intervals import Share
from rlft_tui.labels.pace import TREND_HOURS, Pace, SessionPart
from rlft_tui.models.model import Rating
from rlft_tui.tui.widgets.cells import cell_width, fit
from rlft_tui.tui.widgets.harmless import harmless_line

Line = list[tuple[str, str]]
"""Styles: "" plain, "bold", "dim", "accent", "warn"."""
MOST_NAMES = 8
"""Labellers in the matrix; the rest is counted."""
MOST_ROWS = 12
WIDEST_TREND = 200.0
"""A change by the hour is not told from an interval that has both signs and is wider, in percent points."""
_BAR = 21


def pace_lines(pace: Pace) -> list[Line]:
    """Rate, time a verdict, what is left, and how both change over a session."""
    if not pace.verdicts:
        return [[("No verdicts with a time yet.", "dim")]]
    first: Line = [
        (counted(pace.verdicts, "verdict"), "bold"),
        (" in ", ""),
        (_hours(pace.active_hours), "bold"),
    ]
    first.append((f" of work, {counted(pace.sessions, 'session')}", ""))
    speed: Line = [("a verdict takes ", ""), (_seconds(pace.median_seconds), "bold")]
    speed += [(f", one of ten over {_seconds(pace.slow_seconds)}", "")]
    if pace.per_hour is not None:
        speed += [(f" · {pace.per_hour:,.0f} an hour, breaks left out", "")]
    lines = [first, speed]
    if pace.remaining is not None:
        lines.append(_left(pace))
    if len(pace.parts) > 1 or any(part.repeats.n for part in pace.parts):
        lines.append([(f"{'into the session':<16}  verdicts   median  left side  repeats same", "dim")])
        lines += [_part(part) for part in pace.parts]
    lines.append(_trend(pace))
    return lines


def _left(pace: Pace) -> Line:
    if not pace.remaining:
        return [("no pairs left", "")]
    line: Line = [(counted(pace.remaining, "pair"), "bold"), (" left, repeats not counted", "")]
    if pace.seconds_left is not None and pace.recent_per_hour is not None:
        hours = _hours(pace.seconds_left / 3600)
        line += [
            (", about ", ""),
            (hours, "bold"),
            (f" at your last {pace.recent_per_hour:,.0f} an hour", ""),
        ]
    return line


def _part(part: SessionPart) -> Line:
    end = "on" if part.to_minutes is None else f"to {part.to_minutes:.0f} min"
    when = (
        f"{part.from_minutes:.0f} min {end}" if part.to_minutes is None else f"{part.from_minutes:.0f} {end}"
    )
    text = f"{when:<16}  {part.verdicts:>8,}  {_seconds(part.median_seconds):>7}  {_rate(part.left):>9}"
    return [(f"{text}  {_rate(part.repeats):>12}", "")]


def _trend(pace: Pace) -> Line:
    low, high = pace.trend.ci95 if pace.trend is not None else (0.0, 0.0)
    unsure = low < 0 < high and high - low > WIDEST_TREND
    if pace.trend is None or pace.active_hours < TREND_HOURS or unsure:
        return [("Too early to say whether the hours slow you down.", "dim")]
    text = f"{pace.trend.percent_per_hour:+.0f} % time a verdict for each hour ({low:+.0f} to {high:+.0f})"
    if low > 0:
        return [(text, "warn"), (": it gets slower", "")]
    return [(text, ""), (": it gets faster" if high < 0 else ": no drift to be seen", "")]


def bias_lines(bias: Bias) -> list[Line]:
    """Sides, lengths and hidden repeats: of all, then of each labeller."""
    whole = bias.everybody
    lines = [
        _share_line("left side chosen", whole.left, "even"),
        _share_line("longer answer chosen", whole.longer, "even"),
    ]
    if whole.longer_logit is not None and whole.longer_logit_ci95 is not None and whole.longer.n:
        low, high = whole.longer_logit_ci95
        text = f"{'log odds of longer':<20}  {whole.longer_logit:+.2f} ({low:+.2f} to {high:+.2f})"
        lines.append([(text, "dim")])
    lines += _repeat_lines(whole.repeats)
    if len(bias.labelers) > 1:
        lines.append([(f"{'labeller':<16}  verdicts  left side     longer  repeats same", "dim")])
        lines += [_leaning(one) for one in bias.labelers[:MOST_ROWS]]
        lines += _more(len(bias.labelers) - MOST_ROWS, "labeller")
    return lines


def _repeat_lines(repeats: SelfAgreement) -> list[Line]:
    if not repeats.same.n:
        return [[("No hidden repeats judged yet.", "dim")]]
    lines = [_share_line("repeats judged same", repeats.same, "")]
    lines.append(
        [
            (f"of the others {repeats.left_twice:,} went to the left both times, ", ""),
            (f"{repeats.right_twice:,} to the right", ""),
        ]
    )
    if repeats.ceiling is not None and repeats.same.n >= FEWEST:
        best = f"{100 * repeats.ceiling:.0f} %"
        lines.append([("no reward model can be right on more than about ", ""), (best, "bold")])
    return lines


def _leaning(one: Leaning) -> Line:
    text = f"{_name(one.labeler, 16)}  {one.left.n:>8,}  {_rate(one.left):>9}  {_rate(one.longer):>9}"
    return [(f"{text}  {_rate(one.repeats.same):>12}", "warn" if one.left.differs else "")]


def agreement_lines(agreement: Agreement) -> list[Line]:
    """The matrix of labellers, the figures over all of them, and people against other sources."""
    if not agreement.pairs_judged_twice:
        return [[("No pair has verdicts of two labellers yet.", "dim")]]
    several = counted(agreement.pairs_judged_twice, "pair")
    lines: list[Line] = [[(several, "bold"), (" judged by more than one labeller", "")]]
    lines.append(_share_line("same, ties left out", agreement.decided, ""))
    figures = [("Fleiss κ", agreement.fleiss), ("Krippendorff α", agreement.alpha)]
    shown = [f"{name} {value:.2f}" for name, value in figures if value is not None]
    if shown:
        lines.append([(" · ".join(shown), "")])
    lines += [[(note, "dim")] for note in agreement.notes]
    lines += _matrix(agreement.between)
    for one in agreement.sources:
        lines.append(_share_line(f"{one.first} and {one.second}"[:20], one.agreed, "", kappa=one.kappa))
    return lines


def _matrix(between: Iterable[Kappa]) -> list[Line]:
    """Share agreed below the diagonal, kappa above it."""
    found = {(one.first, one.second): one for one in between}
    names: list[str] = []
    for pair in found:
        names += [name for name in pair if name not in names]
    more = len(names) - MOST_NAMES
    names = sorted(names[:MOST_NAMES])
    if len(names) == 2:
        (one,) = found.values()
        return [_share_line(f"{one.first} and {one.second}"[:20], one.agreed, "", kappa=one.kappa)]
    lines: list[Line] = [
        [(f"{'% same, κ above':<16}" + "".join(" " + _name(name, 7, right=True) for name in names), "dim")]
    ]
    for row, name in enumerate(names):
        line: Line = [(_name(name, 16), "")]
        for column, other in enumerate(names):
            one_or_none = found.get((name, other)) or found.get((other, name))
            if one_or_none is None:
                line.append((f" {'·':>7}", "dim"))
            elif column < row:
                line.append((f" {_percent(one_or_none.agreed.rate):>7}", ""))
            else:
                kappa = one_or_none.kappa
                line.append((f" {'–' if kappa is None else format(kappa, '.2f'):>7}", "dim"))
        lines.append(line)
    return lines + _more(more, "labeller")


def rating_lines(ratings: Iterable[Rating], width: int = 80) -> list[Line]:
    """Win rates with a bar of their intervals, strengths, and win rates at equal length."""
    rated = list(ratings)
    if not rated:
        return [[("No verdict compares two models that are named.", "dim")]]
    room = max(12, min(28, width - _BAR - 36))
    head = f"{'model':<{room}}  {'win rate, 0 to 100 %':<{_BAR}} {'':>5} {'n':>5}  rating  equal length"
    lines: list[Line] = [[(head, "dim")]]
    for one in rated[:MOST_ROWS]:
        strength = "–" if one.bt is None else f"{one.bt:+.0f}"
        level = "–" if one.lc_win_rate is None else f"{one.lc_win_rate:.0f} %"
        lines.append(
            [
                (_name(one.model, room) + "  ", ""),
                *bar(one.win_rate, one.ci95),
                (f" {one.win_rate:>3.0f} % {_short(one.n):>5}  {strength:>6}  {level:>5}", ""),
            ]
        )
        if one.bt_ci95 is not None and width >= 110:
            low, high = one.bt_ci95
            lines[-1].append((f"  rating {low:+.0f} to {high:+.0f}", "dim"))
    return lines + _more(len(rated) - MOST_ROWS, "model")


def bar(rate: float, ci95: tuple[float, float]) -> Line:
    """A line from 0 to 100 with the interval heavy, the rate as a dot and a mark at one half."""
    low, high = (min(_BAR - 1, max(0, round(end / 100 * (_BAR - 1)))) for end in ci95)
    at = min(_BAR - 1, max(0, round(rate / 100 * (_BAR - 1))))
    cells = ["━" if low <= place <= high else "─" for place in range(_BAR)]
    cells[(_BAR - 1) // 2] = "┿" if low <= (_BAR - 1) // 2 <= high else "┼"
    cells[at] = "●"
    text = "".join(cells)
    return [
        (text[:low], "dim"), (text[low : high + 1], "accent"), (text[high + 1 :], "dim"),
    ]  # fmt: skip


def separation_lines(found: Iterable[Separation]) -> list[Line]:
    """The stopping rule for each two models."""
    apart = list(found)
    return [separation_line(one) for one in apart[:MOST_ROWS]] + _more(len(apart) - MOST_ROWS, "pair")


def separation_line(one: Separation) -> Line:
    """Whether two models are told apart, and about how many verdicts that still takes."""
    model, opponent = harmless_line(one.model), harmless_line(one.opponent)
    if one.state == "not_enough":
        return [(f"{model} and {opponent}: not enough verdicts yet, {one.n} of {FEWEST}", "dim")]
    low, high = one.ci95
    lead = f" over {opponent} in {one.win_rate:.0f} % ({low:.0f}–{high:.0f}) of {one.n:,}"
    line: Line = [(model, "bold"), (lead, "")]
    if one.state == "separated":
        return [*line, (": told apart", "accent")]
    if one.more is None:
        return [*line, (": too close to be told apart", "dim")]
    return [*line, (f": about {_rounded(one.more)} more {plural(one.more, 'verdict')} separate them", "warn")]


def _share_line(name: str, share: Share, even: str, *, kappa: float | None = None) -> Line:
    """``even`` where one half means that nothing is amiss."""
    label = fit(harmless_line(name), 20) + "  "
    if share.rate is None:
        return [(label, ""), ("–", "dim")]
    text = f"{100 * share.rate:.1f} % ({100 * share.low:.1f}–{100 * share.high:.1f}) of {share.n:,}"
    if kappa is not None:
        text += f", κ {kappa:.2f}"
    leaning = bool(even) and share.differs
    return [(label, ""), (text, "warn" if leaning else ""), (" · a bias" if leaning else "", "warn")]


def _more(count: int, name: str) -> list[Line]:
    return [[(f"and {counted(count, name)} more", "dim")]] if count > 0 else []


def _rate(share: Share) -> str:
    return "–" if share.rate is None else f"{100 * share.rate:.0f} %"


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{100 * rate:.0f} %"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def _hours(hours: float) -> str:
    if hours < 2 / 60:
        return f"{3600 * hours:.0f} s"
    minutes = round(60 * hours)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60} min"


def _rounded(count: int) -> str:
    """Two figures: it is an estimate."""
    step = 10 ** max(0, len(str(count)) - 2)
    return f"{round(count / step) * step:,}"


def _short(count: int) -> str:
    if count < 10_000:
        return str(count)
    return f"{count / 1000:.0f}k" if count < 1_000_000 else f"{count / 1e6:.1f}M"


def _name(name: str, width: int, *, right: bool = False) -> str:
    return fit(harmless_line(name), width, right=right)


def plain(line: Line) -> str:
    """A line without its styles."""
    return "".join(text for text, _ in line).rstrip()


def width_of(lines: Iterable[Line]) -> int:
    """Cells of the widest line."""
    return max((cell_width(plain(line)) for line in lines), default=0)
