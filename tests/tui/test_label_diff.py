"""The word diff on the label screen, and answers of different length that scroll together."""

from __future__ import annotations

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.paths import Workspace
from rlft_tui.tui.answer_diff import AnswerDiffs
from rlft_tui.tui.app import RlftApp
from rlft_tui.tui.screens.label import LabelScreen
from rlft_tui.tui.widgets.text_pane import TextPane
from tests.tui.workbench import drive, shows, text_of, until, workbench

SAME = " ".join(f"word{n}" for n in range(200))


def panes(app: RlftApp) -> tuple[TextPane, TextPane]:
    left, right = (app.screen.query_one(f"#{side}", TextPane) for side in ("left", "right"))
    return left, right


async def judging(app: RlftApp, not_pair: str = "") -> str:
    screen = app.screen
    assert isinstance(screen, LabelScreen)
    session = screen.session
    await until(
        lambda: (
            session.phase == "judging" and session.current is not None and session.current.pair.id != not_pair
        ),
        "a pair to judge",
        app,
    )
    assert session.current is not None
    return session.current.pair.id


def test_v_shows_the_source_and_the_diff_compares_it(workspace: Workspace, client: WorkspaceClient) -> None:
    client.add_pairs(
        [ResponsePair(f"p{n}", "Is $x_1$?", r"$\frac{a}{b}$ red", r"$\frac{a}{c}$ red") for n in "12"]
    )

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            await judging(app)
            await shows(app, "Is x₁?", "a/b red", "a/c red")
            await pilot.press("v")
            await shows(app, "Is $x_1$?", r"$\frac{a}{b}$ red", r"$\frac{a}{c}$ red")
            await pilot.press("1")
            await until(lambda: len(client.labels()) == 1, "a verdict", app)
            assert "a/b" not in text_of(app)
            await pilot.press("v")
            await shows(app, "Is x₁?", "a/b red")
            await pilot.press("d")
            await shows(app, r"$\frac{a}{b}$ red")

    drive(test)


def test_d_folds_what_is_the_same_and_the_verdict_is_about_the_same_pair(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    client.add_pairs(
        [
            ResponsePair(f"p{n}", "Why?", f"Red {n}. {SAME} apples.", f"Blue {n}. {SAME} pears.")
            for n in range(3)
        ]
    )

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            first = await judging(app)
            assert "word50" in text_of(app)
            await pilot.press("d")
            await shows(app, "words the same …", "Red", "Blue", "apples", "pears")
            assert "word50" not in text_of(app)
            await pilot.press("1")
            second = await judging(app, first)
            await shows(app, "words the same …")
            assert [label.example_id for label in client.labels()] == [first]
            await pilot.press("d")
            await shows(app, "word50")
            await pilot.press("3")
            await judging(app, second)
            assert {label.example_id for label in client.labels()} == {first, second}

    drive(test)


def test_the_longer_answer_leads_and_the_other_keeps_its_share(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    long, short = "\n\n".join(f"line {n}" for n in range(200)), "\n\n".join(f"line {n}" for n in range(50))
    client.add_pairs([ResponsePair("p", "Why?", long, short)])

    async def test() -> None:
        async with workbench(workspace, "label") as (app, pilot):
            await judging(app)
            one, two = sorted(panes(app), key=lambda pane: -len(pane.text))
            await until(lambda: one.finished and two.finished, "both to be rendered", app)
            for _ in range(5):
                await pilot.press("space")
            assert one.top == 5 * (one.size.height - 1)
            shares = [pane.top / (pane.line_count - pane.size.height) for pane in (one, two)]
            assert abs(shares[0] - shares[1]) < 0.02
            await pilot.press("end")
            assert one.at_end
            assert two.at_end
            await pilot.press("home")
            assert (one.top, two.top) == (0, 0)

    drive(test)


def test_only_what_is_still_wanted_is_worked_on() -> None:
    diffs = AnswerDiffs()
    diffs.want([("a b", "a c"), ("x", "y")])
    diffs.step()
    diffs.want([("x", "y")])
    while diffs.busy:
        diffs.step()
    assert diffs.marks("a b", "a c") == ((), ())
    left, right = diffs.marks("x", "y")
    assert ([p.kind for p in left], [p.kind for p in right]) == (["changed"], ["changed"])
