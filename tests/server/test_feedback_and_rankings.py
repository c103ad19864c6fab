"""Scores and rankings through a real server, over its death too."""

from __future__ import annotations

import json

import pytest

from rlft_tui.client.connection import connect
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.errors import ConflictError, NotFoundError, RlftError
from rlft_tui.ids import new_id
from rlft_tui.labels.feedback import Feedback, ScoreItem
from rlft_tui.labels.preference import Preference, Revocation
from rlft_tui.labels.ranking import Ranking, RankItem
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.paths import Workspace
from tests.conftest import add_pairs, kill_server, stop_server


def score(item: ScoreItem, value: float, labeler: str = "ada") -> Feedback:
    return Feedback(
        new_id(), item.pair.prompt, item.response, value, "score", labeler, item.pair.id, item.model
    )


def test_scores_are_durable_counted_and_taken_back(client: WorkspaceClient, workspace: Workspace) -> None:
    add_pairs(client, 4)
    page = client.next_answers("ada", limit=8)
    assert len({item.key for item in page.items}) == 8
    assert (page.progress.scored, page.progress.remaining) == (0, 8)
    given = [score(item, value) for item, value in zip(page.items, (0.2, 0.9, 0.5), strict=False)]
    for one in given:
        progress = client.add_feedback(one)
    assert client.add_feedback(given[-1]) == progress, "repeating it stores nothing"
    assert (progress.scored, progress.remaining) == (3, 5)
    assert progress.mean == pytest.approx(1.6 / 3)
    assert {item.key for item in client.next_answers("ada", limit=8).items} == {
        item.key for item in page.items[3:]
    }
    assert client.next_answers("bob", limit=0).progress.remaining == 8
    undone = client.undo_feedback(Revocation(new_id(), given[0].id, "ada"))
    assert (undone.scored, undone.remaining) == (2, 6)
    with pytest.raises(ConflictError):
        client.undo_feedback(Revocation(new_id(), given[0].id, "ada"))
    with pytest.raises(ConflictError):
        client.undo_feedback(Revocation(new_id(), given[1].id, "bob"))
    with pytest.raises(NotFoundError):
        client.undo_feedback(Revocation(new_id(), "none", "ada"))
    kill_server(workspace)
    assert {one.id for one in client.feedback()} == {one.id for one in given[1:]}
    assert [entry.revoked for entry in client.feedback_history("ada")] == [False, False, True]
    assert client.labels() == ()


def test_equal_scores_are_warned_of(client: WorkspaceClient) -> None:
    add_pairs(client, 6)
    items = client.next_answers("ada", limit=12).items
    warnings = [client.add_feedback(score(item, 0.7)).warning for item in items[:9]]
    assert not any(warnings[:7])
    assert "hardly vary" in warnings[7]
    with pytest.raises(RlftError):
        client.add_feedback(score(items[9], 1.5))


def test_scores_and_rankings_come_back_from_the_journal(
    client: WorkspaceClient, workspace: Workspace
) -> None:
    add_pairs(client, 1)
    (item,) = client.next_answers("ada", limit=1).items
    one = score(item, 0.4)
    client.add_feedback(one)
    ranking = Ranking(new_id(), "Why?", ("x", "y", "z"), ((2,), (0, 1)), "ada")
    client.add_ranking(ranking)
    client.close()
    stop_server(workspace)
    workspace.database.unlink()
    with connect(workspace) as again:
        assert [found.id for found in again.feedback()] == [one.id]
        assert [found.id for found in again.rankings()] == [ranking.id]
        assert len(again.labels()) == 3


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def rank(item: RankItem, order: tuple[tuple[int, ...], ...], labeler: str = "ada") -> Ranking:
    answers = item.answers
    return Ranking(
        *(new_id(), answers.prompt, answers.responses, order, labeler),
        models=answers.models,
        set_id=answers.id,
        context=answers.context,
    )


def test_a_ranking_becomes_pairs_and_verdicts_and_undo_takes_all_back(client: WorkspaceClient) -> None:
    report = client.import_answers(
        "sets.jsonl",
        lines(
            {"prompt": "Why?", "responses": ["p", "q", "r", "s"], "models": ["a", "b", "c", "d"]},
            {"prompt": "Who?", "responses": ["p", "q"]},
            {"prompt": "How?", "completions": [{"text": "1", "model": "m"}, {"text": "2"}, {"text": "3"}]},
            {"prompt": "When?"},
        ),
    )
    assert (report.imported, [bad.line for bad in report.rejected]) == (2, [2, 4])
    page = client.next_sets("ada", limit=5)
    assert (len(page.items), page.progress.remaining) == (2, 2)
    item = next(item for item in page.items if item.answers.prompt == "Why?")
    assert sorted(item.shown) == [0, 1, 2, 3]
    ranking = rank(item, ((3,), (0, 2), (1,)))
    progress = client.add_ranking(ranking)
    assert client.add_ranking(ranking) == progress
    assert (progress.ranked, progress.remaining, progress.pairs) == (1, 1, 6)
    verdicts = client.labels()
    assert {one.source for one in verdicts} == {f"ranking:{ranking.id}"}
    better = set()
    for one in verdicts:
        pair = client.pair(one.example_id)
        assert pair.source == f"ranking:{ranking.id}"
        sides = (pair.response_a, pair.response_b)
        better.add((one.choice == "tie", *(sorted(sides) if one.choice == "tie" else
                                           sides if one.choice == "a" else sides[::-1])))  # fmt: skip
    assert better == {
        *((False, "s", other) for other in "pqr"),
        *((False, other, "q") for other in "pr"),
        (True, "p", "r"),
    }
    assert client.queue("bob").items == (), "what a ranking made is not offered for labelling"
    undone = client.undo_ranking(Revocation(new_id(), ranking.id, "ada"))
    assert (undone.ranked, undone.remaining, undone.pairs) == (0, 2, 0)
    assert client.labels() == ()
    assert client.queue("ada").items == ()
    with pytest.raises(ConflictError):
        client.undo_ranking(Revocation(new_id(), ranking.id, "ada"))


def test_answers_of_stored_pairs_are_ranked_on_those_pairs(client: WorkspaceClient) -> None:
    client.add_pairs(
        [
            ResponsePair("ab", "Why?", "A", "B", "one", "two"),
            ResponsePair("ca", "Why?", "C", "A", "three", "one"),
            ResponsePair("other", "Who?", "A", "B"),
        ]
    )
    earlier = Preference(new_id(), "ab", "ada", "b", created_at=1.0)
    client.add_label(earlier)
    (item,) = client.next_sets("ada").items
    assert set(item.answers.responses) == {"A", "B", "C"}
    place = {text: index for index, text in enumerate(item.answers.responses)}
    ranking = rank(item, ((place["A"],), (place["C"],), (place["B"],)))
    client.add_ranking(ranking)
    stored = {one.example_id: one for one in client.labels()}
    assert (stored["ab"].choice, stored["ca"].choice) == ("a", "b")
    assert len(stored) == 3
    assert [entry.pair.id for entry in client.queue("ada").items] == ["other"]
    client.undo_ranking(Revocation(new_id(), ranking.id, "ada"))
    assert [one.id for one in client.labels()] == [earlier.id], "the verdict of before stands again"
    assert {entry.pair.id for entry in client.queue("ada").items} == {"other", "ca"}
