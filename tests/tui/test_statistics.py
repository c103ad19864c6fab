"""The statistics screen and the words it uses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import Static

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.evaluations.ratings_table import HeadToHead
from rlft_tui.evaluations.stopping_rule import separation
from rlft_tui.labels.agreement import Agreement, cohen, self_agreement
from rlft_tui.labels.bias import Bias, Leaning
from rlft_tui.labels.intervals import share
from rlft_tui.labels.pace import Pace, Trend
from rlft_tui.labels.preference import Preference
from rlft_tui.models.model import Rating
from rlft_tui.paths import Workspace
from rlft_tui.tui import statistics_text
from rlft_tui.tui.screens.statistics import StatisticsScreen
from rlft_tui.tui.statistics_text import bar, plain, separation_line, width_of
from tests.conftest import add_pairs
from tests.tui.workbench import SIZES, drive, shows, text_of, until, workbench


def told(wins: int, losses: int, ties: int = 0) -> str:
    return plain(separation_line(separation(HeadToHead("new", "old", wins, losses, ties))))


def test_the_stopping_rule_in_words() -> None:
    assert told(1, 0) == "new and old: not enough verdicts yet, 1 of 10"
    assert told(26, 14).startswith("new over old in 65 % (40–90) of 40: about ")
    assert told(26, 14).endswith(" more verdicts separate them")
    assert told(400, 200).endswith("told apart")
    assert told(14, 26).startswith("old over new in 65 %")
    assert told(500, 500).endswith("too close to be told apart")


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 100))
def test_a_bar_is_always_as_wide_and_shows_the_rate_inside_its_interval(a: float, b: float, c: float) -> None:
    low, rate, high = sorted((a, b, c))
    before, inside, after = (text for text, _ in bar(rate, (low, high)))
    assert len(before + inside + after) == 21
    assert "●" in inside


def test_what_a_name_hides_never_reaches_the_terminal() -> None:
    evil = "\x1b[31mred\x9b2J\n" + "x" * 200
    leaning = Leaning(evil, share(9, 10), share(1, 2), 0.0, (-1.0, 1.0), self_agreement(8, 1, 1, 10))
    kappa = cohen(evil, "other" + evil, {("a", "a"): 3, ("a", "b"): 2, ("b", "b"): 4})
    third = cohen(evil, "third", {("a", "b"): 2})
    agreement = Agreement(9, (kappa, third), share(7, 9), 0.4, None, ("a note",), (kappa,))
    lines = [
        *statistics_text.bias_lines(Bias(leaning, (leaning, leaning))),
        *statistics_text.agreement_lines(agreement),
        *statistics_text.rating_lines([Rating(evil, 1, 0, 0, 1, 100.0, 0.0, (20.0, 100.0))], 75),
        separation_line(separation(HeadToHead(evil, "b", 1, 0, 0))),
    ]
    shown = "\n".join(plain(line) for line in lines)
    assert not any(character in shown for character in "\x1b\x9b")
    assert len(shown.splitlines()) == len(lines)
    assert width_of(lines[:-1]) <= 75
    assert "a bias" in shown


def paced(hours: float, low: float, high: float) -> str:
    """What is said of a pace with this interval of the trend."""
    pace = Pace(24, 1, hours, None, None, 1.0, 2.0, trend=Trend((low + high) / 2, (low, high)))
    return "\n".join(plain(line) for line in statistics_text.pace_lines(pace))


def test_a_trend_is_told_only_from_enough_work_and_short_work_in_seconds() -> None:
    assert "24 verdicts in 18 s of work" in paced(0.005, -100, 48516519441)
    assert "24 verdicts in 2 min of work" in paced(1 / 30, 5, 10)
    for early in (paced(0.4, 5, 10), paced(0.6, -100, 4000)):
        assert "Too early to say whether the hours slow you down." in early
        assert "%" not in early
    assert "(+5 to +10): it gets slower" in paced(0.6, 5, 10)
    assert "(-5 to +10): no drift to be seen" in paced(0.6, -5, 10)


def test_nothing_yet_is_said_for_each_section() -> None:
    nothing = Leaning("", share(0, 0), share(0, 0), None, None, self_agreement(0, 0, 0, 0))
    assert plain(statistics_text.pace_lines(Pace(0, 0, 0.0, None, None, None, None))[0]) == (
        "No verdicts with a time yet."
    )
    assert "No hidden repeats" in plain(statistics_text.bias_lines(Bias(nothing))[-1])
    assert "two labellers" in plain(
        statistics_text.agreement_lines(Agreement(0, (), share(0, 0), None, None))[0]
    )
    assert "No verdict compares" in plain(statistics_text.rating_lines([])[0])
    assert statistics_text.separation_lines([]) == []


@pytest.mark.parametrize("size", SIZES)
def test_statistics_are_shown_and_painted_again_only_when_they_change(
    workspace: Workspace, client: WorkspaceClient, size: tuple[int, int]
) -> None:
    pairs = add_pairs(client, 12)
    for n, pair in enumerate(pairs[:10]):
        at = 1.7e9 + 20 * n
        client.add_label(Preference(f"v{n}", pair.id, "ada", "b", time_spent_ms=15_000, created_at=at))
    client.add_label(Preference("bob", pairs[0].id, "bob", "a", created_at=1.7e9))

    async def test() -> None:
        async with workbench(workspace, "data", size) as (app, pilot):
            await shows(app, "Pairs 12")
            await pilot.press("t")
            await shows(app, "tuned over base in 91 %", "10 verdicts in 3 min of work", "left side chosen")
            await shows(app, "2 pairs left, repeats not counted", "a verdict takes 15 s")
            screen = app.screen
            assert isinstance(screen, StatisticsScreen)
            before = dict(screen._shown)
            painted = {name: screen.query_one(f"#{name}", Static).content for name in before}
            screen.look_now()
            client.add_label(Preference("bob2", pairs[1].id, "bob", "b", created_at=1.7e9 + 5))
            await shows(app, "over base in 92 % (38–100) of 12")
            for name in ("pace", "bias"):
                assert screen.query_one(f"#{name}", Static).content is painted[name], "painted for nothing"
            await pilot.press("a")
            await shows(app, "Pace · everybody", "12 verdicts")
            while "ada and bob" not in text_of(app):
                await pilot.press("end")
            await shows(app, "Agreement", "2 pairs judged by more than one labeller")
            await pilot.press("l")
            await until(lambda: app.current_mode == "label", "the label screen", app)
            await pilot.press("f8")
            await shows(app, "Pace · everybody")
            await pilot.press("q")
            await shows(app, "tuned over base in 92 %", "F8")

    drive(test)


def test_with_no_verdicts_it_says_so(workspace: Workspace, client: WorkspaceClient) -> None:
    async def test() -> None:
        async with workbench(workspace, "home") as (app, pilot):
            await shows(app, "0 pairs")
            assert " over " not in text_of(app)
            await pilot.press("f8")
            await shows(app, "No verdict compares two models", "No verdicts with a time yet")

    drive(test)
