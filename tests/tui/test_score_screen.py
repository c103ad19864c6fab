"""Scoring through the real screen into the real store."""

from __future__ import annotations

import pytest

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.paths import Workspace
from rlft_tui.tui.app import RlftApp
from rlft_tui.tui.score_session import ScoreSession, guide_line, score_of
from rlft_tui.tui.screens.score import ScoreScreen
from tests.conftest import add_pairs, kill_server
from tests.tui.workbench import SIZES, drive, shows, text_of, until, workbench


def session_of(app: RlftApp) -> ScoreSession:
    assert isinstance(app.screen, ScoreScreen)
    return app.screen.session


async def judging(app: RlftApp, not_key: str = "") -> str:
    """Wait until an answer other than ``not_key`` may be scored; its key."""
    session = session_of(app)
    await until(
        lambda: session.phase == "judging" and session.current is not None and session.current.key != not_key,
        "an answer to score",
        app,
    )
    assert session.current is not None
    return session.current.key


@pytest.mark.parametrize("size", SIZES)
def test_each_digit_stores_its_score(
    workspace: Workspace, client: WorkspaceClient, size: tuple[int, int]
) -> None:
    add_pairs(client, 4)

    async def test() -> None:
        async with workbench(workspace, "score", size) as (app, pilot):
            expected = {}
            key = ""
            for presses, score in ((["7"], 0.7), (["0"], 0.0), (["equals_sign"], 1.0), (["plus", "6"], 0.65)):
                key = await judging(app, key)
                assert all(name not in text_of(app) for name in ("base", "tuned")), "scoring is blind"
                expected[key] = score
                await pilot.press(*presses)
            await judging(app, key)
            stored = {
                f"{one.example_id}#{'a' if ' A ' in one.response else 'b'}": one for one in client.feedback()
            }
            assert {key: one.score for key, one in stored.items()} == expected
            assert {one.model for one in stored.values()} <= {"base", "tuned"}
            await shows(app, "4 scored", "0.7 good")

    drive(test)


def test_undo_brings_the_answer_back_and_the_note_with_it(
    workspace: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 2)

    async def test() -> None:
        async with workbench(workspace, "score") as (app, pilot):
            first = await judging(app)
            await pilot.press("n", *"is 3", "enter", "4")
            second = await judging(app, first)
            await pilot.press("u")
            assert await judging(app, second) == first
            await shows(app, "taken back: 0.4 (poor)")
            assert client.feedback() == ()
            await pilot.press("8")
            await judging(app, first)
            assert [(one.score, one.notes) for one in client.feedback()] == [(0.8, "is 3")]

    drive(test)


def test_thumbs_and_likert_and_the_warning(workspace: Workspace, client: WorkspaceClient) -> None:
    add_pairs(client, 6)

    async def test() -> None:
        async with workbench(workspace, "score") as (app, pilot):
            key = await judging(app)
            await pilot.press("m", "2")
            key = await judging(app, key)
            await pilot.press("9")
            assert session_of(app).phase == "judging", "9 is no thumb"
            await pilot.press("m", "4")
            key = await judging(app, key)
            await pilot.press("m")
            for _ in range(8):
                await pilot.press("7")
                key = await judging(app, key)
            kinds = [(one.kind, one.score) for one in client.feedback()][:2]
            assert kinds == [("thumb", 1.0), ("likert", 0.75)]

    drive(test)


def test_equal_scores_are_warned_of_on_screen(workspace: Workspace, client: WorkspaceClient) -> None:
    add_pairs(client, 6)

    async def test() -> None:
        async with workbench(workspace, "score", (160, 48)) as (app, pilot):
            key = ""
            for _ in range(8):
                key = await judging(app, key)
                await pilot.press("7")
            await shows(app, "hardly vary")

    drive(test)


def test_a_score_survives_the_servers_death(workspace: Workspace, client: WorkspaceClient) -> None:
    add_pairs(client, 2)

    async def test() -> None:
        async with workbench(workspace, "score") as (app, pilot):
            first = await judging(app)
            kill_server(workspace)
            await pilot.press("3")
            await judging(app, first)
            assert [one.score for one in client.feedback()] == [0.3]

    drive(test)


def test_what_keys_mean() -> None:
    assert [score_of("score", key) for key in ("0", "9", "=", "x")] == [0.0, 0.9, 1.0, None]
    assert [score_of("score", "9", 0.05), score_of("score", "=", 0.05), score_of("score", "0", -0.05)] == [
        0.95,
        1.0,
        0.0,
    ]
    assert [score_of("thumb", key) for key in "123"] == [0.0, 1.0, None]
    assert [score_of("likert", key) for key in "015"] == [None, 0.0, 1.0]
    assert guide_line().startswith("from 0.9 excellent · 0.7 good")
