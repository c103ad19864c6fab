"""Ranking through the real screen into the real store."""

from __future__ import annotations

import json

import pytest

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.labels.ranking import AnswerSet, RankItem, RankPage, RankProgress
from rlft_tui.paths import Workspace
from rlft_tui.tui.app import RlftApp
from rlft_tui.tui.rank_session import RankSession
from rlft_tui.tui.screens.rank import RankScreen
from tests.tui.workbench import SIZES, drive, shows, text_of, until, workbench


def store(client: WorkspaceClient, *prompts: str) -> None:
    rows = [
        {"prompt": prompt, "responses": [f"Answer {letter} to {prompt}" for letter in "ABCD"],
         "models": ["secret-a", "secret-b", "secret-c", "secret-d"]}
        for prompt in prompts
    ]  # fmt: skip
    client.import_answers("sets.jsonl", b"".join(json.dumps(row).encode() + b"\n" for row in rows))


def session_of(app: RlftApp) -> RankSession:
    assert isinstance(app.screen, RankScreen)
    return app.screen.session


async def judging(app: RlftApp, not_set: str = "") -> str:
    session = session_of(app)
    await until(
        lambda: (
            session.phase == "judging"
            and session.current is not None
            and session.current.answers.id != not_set
        ),
        "answers to rank",
        app,
    )
    assert session.current is not None
    return session.current.answers.id


@pytest.mark.parametrize("size", SIZES)
def test_numbers_give_the_order_and_undo_takes_it_back(
    workspace: Workspace, client: WorkspaceClient, size: tuple[int, int]
) -> None:
    store(client, "Why?", "Who?")

    async def test() -> None:
        async with workbench(workspace, "rank", size) as (app, pilot):
            first = await judging(app)
            assert "secret" not in text_of(app), "ranking is blind"
            texts = [session_of(app).text(number) for number in (1, 2, 3, 4)]
            await pilot.press("3", "equals_sign", "1", "4")
            await shows(app, "3 = 1 > 4", "enter stores it")
            await pilot.press("enter")
            await judging(app, first)
            (ranking,) = client.rankings()
            order = [{ranking.responses[index] for index in group} for group in ranking.order]
            assert order == [{texts[2], texts[0]}, {texts[3]}, {texts[1]}]
            assert len(client.labels()) == 6
            assert {label.source for label in client.labels()} == {f"ranking:{ranking.id}"}
            await pilot.press("u")
            await until(lambda: session_of(app).was_undone, "the undo", app)
            assert client.labels() == ()
            assert client.rankings() == ()
            await shows(app, "3 = 1 > 4 > 2")
            await pilot.press("backspace", "backspace", "2", "enter")
            await until(lambda: len(client.rankings()) == 1, "the new order", app)

    drive(test)


def test_an_order_of_too_few_is_not_stored(workspace: Workspace, client: WorkspaceClient) -> None:
    store(client, "Why?")

    async def test() -> None:
        async with workbench(workspace, "rank") as (app, pilot):
            await judging(app)
            await pilot.press("2", "2", "enter", "8", "enter")
            assert session_of(app).groups == [[2]]
            assert session_of(app).phase == "judging"
            await pilot.press("right", "right")
            await pilot.press("1", "3", "enter")
            await shows(app, "Every set of answers is ranked")
            assert len(client.labels()) == 6

    drive(test)


def test_the_order_is_kept_by_number() -> None:
    session = RankSession("ada", now=lambda: 1.0, make_id=lambda: "r")
    answers = AnswerSet("s", "Why?", ("a", "b", "c"))
    session.receive(RankPage((RankItem(answers, (2, 0, 1)),), RankProgress(0, 1)))
    session.painted(1.0)
    assert [session.text(number) for number in (1, 2, 3)] == ["c", "a", "b"]
    assert not session.place(2, 0.5), "a key from before it was painted"
    assert session.place(2, 2.0)
    assert not session.place(2, 2.0)
    session.tie()
    assert session.order_line() == "2 = …"
    assert session.place(1, 2.0)
    ranking = session.rank(2.0)
    assert ranking is not None
    assert ranking.order == ((0, 2), (1,))
    assert session.rank(2.0) is None, "it is being stored"
