"""What would come next, gold pairs and what they say of labellers, from the command line."""

from __future__ import annotations

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.ids import new_id
from rlft_tui.labels.preference import Mark, Preference, Revocation
from rlft_tui.labels.queue_view import QueueView
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.paths import Workspace
from tests.cli.run_rlft import Rlft


def fill(client: WorkspaceClient) -> None:
    client.add_pairs(
        [
            ResponsePair(
                f"p{n}", f"ask {n}", "Yes.", "No.", f"m{n % 3}", "m9", category=("code", "prose")[n % 2]
            )
            for n in range(12)
        ]
    )


def test_the_queue_is_shown_with_its_filters_and_why_each_pair_comes(
    rlft: Rlft, here: Workspace, client: WorkspaceClient
) -> None:
    fill(client)
    value = rlft.well("labels", "queue", "--category", "code", "--order", "oldest", "--json").value
    assert value["order"] == "oldest"
    assert value["remaining"] == 6
    assert {pair["category"] for pair in value["pairs"]} == {"code"}
    assert {pair["arm"] for pair in value["pairs"]} == {"oldest"}
    both = rlft.well("labels", "queue", "--model", "m9", "--model", "m1", "--json").value
    assert {pair["id"] for pair in both["pairs"]} == {"p1", "p4", "p7", "p10"}
    assert "p1" in rlft.well("labels", "queue", "--search", "ASK 1").out
    assert rlft.well("labels", "queue", "--search", "nowhere").out.strip() == "Nothing is left to label."
    wrong = rlft("labels", "queue", "--model", "a", "--model", "b", "--model", "c")
    assert (wrong.code, wrong.out) == (2, "")
    assert "at most two models" in wrong.err


def test_labellers_are_listed_with_what_stands_of_theirs(
    rlft: Rlft, here: Workspace, client: WorkspaceClient
) -> None:
    fill(client)
    assert rlft.well("labels", "labelers").out.strip() == "Nobody has labelled here yet."
    undone = Preference(new_id(), "p0", "bob", "a", created_at=5.0)
    for one in (
        Preference(new_id(), "p1", "ada", "a", created_at=100.0),
        Preference(new_id(), "p1", "ada", "b", created_at=200.0),
        Mark(new_id(), "p2", "ada", "skip", created_at=300.0),
        undone,
        Revocation(new_id(), undone.id, "bob", 6.0),
    ):
        client.add_label(one)
    ada, bob = rlft.well("labels", "labelers", "--json").value
    assert (ada["name"], ada["first_seen"], ada["last_seen"]) == ("ada", 100.0, 300.0)
    assert (ada["verdicts"], ada["marks"], ada["scores"]) == (1, 1, 0)
    assert (bob["name"], bob["first_seen"], bob["verdicts"]) == ("bob", 5.0, 0)


def test_looking_at_the_queue_changes_nothing(rlft: Rlft, here: Workspace, client: WorkspaceClient) -> None:
    fill(client)
    view = QueueView(category="code")
    (first, *_) = client.queue("ada", limit=3, view=view).items
    rlft.well("labels", "queue", "--overlap", "1", "--as", "ada", "--limit", "12")
    shared = QueueView(overlap=1)
    assert len(client.queue("bob", limit=12, view=shared).items) == 12, "nothing is kept for ada"
    progress = client.add_label(Preference(new_id(), first.pair.id, "ada", "a"))
    assert progress.remaining == 5, "still counted in the view of the label screen"


def test_gold_pairs_are_told_listed_measured_and_forgotten(
    rlft: Rlft, here: Workspace, client: WorkspaceClient
) -> None:
    fill(client)
    rlft.well("labels", "gold", "p3", "--choice", "a")
    rlft.well("labels", "gold", "p4", "--choice", "b")
    assert [one["example_id"] for one in rlft.well("labels", "gold", "--json").value] == ["p3", "p4"]
    for pair in ("p3", "p4"):
        rlft.well("labels", "add", pair, "--choice", "a", "--as", "anna")
    (anna,) = rlft.well("labels", "reliability", "--json").value
    assert (anna["labeler"], anna["gold"], anna["gold_right"], anna["gold_rate"]) == ("anna", 2, 1, 0.5)
    assert "50.0%" in rlft.well("labels", "reliability", "--as", "anna").out
    rlft.well("labels", "gold", "p4", "--choice", "none")
    assert "p4" not in rlft.well("labels", "gold").out
    assert rlft("labels", "gold", "nowhere", "--choice", "a").code == 2
    assert rlft("labels", "gold", "p3").code == 2


def test_the_arms_are_counted(rlft: Rlft, here: Workspace, client: WorkspaceClient) -> None:
    fill(client)
    assert "No verdict" in rlft.well("labels", "arms").out
    for item in client.queue("ada", limit=12, view=QueueView(order="active")).items:
        client.add_label(
            Preference(
                new_id(), item.pair.id, "ada", "a", arm=item.arm, time_spent_ms=4000, source=item.source
            )
        )
    found = {one["arm"]: one["verdicts"] for one in rlft.well("labels", "arms", "--json").value}
    assert sum(found.values()) == 12
    assert "active" in found
