"""What the routes promise, through a real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.database.backup import list_backups
from rlft_tui.datasets.dataset import DatasetSpec
from rlft_tui.errors import ConflictError, NotFoundError, RlftError
from rlft_tui.ids import new_id
from rlft_tui.labels.preference import Mark, Preference, Revocation
from rlft_tui.models.model import Model
from rlft_tui.paths import Workspace
from tests.conftest import add_pairs, make_pairs


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def test_the_queue_gives_whole_pairs_and_progress_follows_each_verdict(client: WorkspaceClient) -> None:
    pairs = {pair.id: pair for pair in add_pairs(client, 12)}
    page = client.queue("ada", limit=4)
    assert [item.pair for item in page.items] == [pairs[item.pair.id] for item in page.items]
    assert page.progress.remaining == 12
    for position, item in enumerate(page.items, 1):
        progress = client.add_label(
            Preference(
                *(new_id(), item.pair.id, "ada", "tie"),
                shown_first=item.left,
                confidence=3,
                reasoning="naïve \x1b[31m 🙂\nsecond line",
                time_spent_ms=1234,
            )
        )
        assert (progress.labelled, progress.remaining) == (position, 12 - position)
    stored = client.labels(labeler="ada")
    assert [one.example_id for one in stored] == [item.pair.id for item in page.items]
    assert [one.shown_first for one in stored] == [item.left for item in page.items]
    assert {one.reasoning for one in stored} == {"naïve \x1b[31m 🙂\nsecond line"}
    assert {one.confidence for one in stored} == {3}
    assert all(one.created_at > 1.7e9 for one in stored)
    following = client.queue("ada", limit=4)
    assert not {item.pair.id for item in following.items} & {item.pair.id for item in page.items}


def test_history_tells_verdicts_and_marks_newest_first(client: WorkspaceClient) -> None:
    pairs = add_pairs(client, 2)
    verdict = Preference(new_id(), pairs[0].id, "ada", "a")
    flag = Mark(new_id(), pairs[1].id, "ada", "flag", note="broken")
    client.add_label(verdict)
    client.add_label(flag)
    client.add_label(Revocation(new_id(), verdict.id, "ada"))
    newest, oldest = client.history("ada")
    assert isinstance(newest.operation, Mark)
    assert (newest.operation.note, newest.revoked, newest.prompt) == ("broken", False, pairs[1].prompt)
    assert isinstance(oldest.operation, Preference)
    assert (oldest.operation.id, oldest.revoked) == (verdict.id, True)
    assert client.history("bob") == ()
    assert client.label_stats().revoked == 1


def test_prompts_are_imported_with_each_bad_line_named(client: WorkspaceClient) -> None:
    content = lines({"prompt": "One?", "category": "c"}, {"nothing": 1}, {"prompt": "Two?"})
    report = client.import_prompts("prompts.jsonl", content)
    assert (report.read, report.imported, report.duplicates) == (3, 2, 0)
    assert [line.line for line in report.rejected] == [2]
    again = client.import_prompts("prompts.jsonl", content)
    assert (again.imported, again.duplicates) == (0, 2)
    page = client.prompts(category="c")
    assert (page.total, [one.prompt for one in page.prompts]) == (1, ["One?"])
    assert client.prompts(search="two").total == 1
    with pytest.raises(RlftError):
        client.import_prompts("prompts.parquet", b"not parquet at all")
    assert client.prompts().total == 2


def test_preference_rows_bring_their_verdicts_which_stand_in_the_journal(
    client: WorkspaceClient, workspace: Workspace
) -> None:
    rows = lines(
        {"prompt": "One?", "chosen": "yes", "rejected": "no"},
        {"prompt": "Two?", "chosen": "left", "rejected": "right"},
        {"prompt": "Three?"},
    )
    report = client.import_pairs("rows.jsonl", rows, labeler="ada")
    assert (report.imported, len(report.rejected)) == (2, 1)
    verdicts = client.labels()
    assert [(one.labeler_id, one.source) for one in verdicts] == [("ada", "import")] * 2
    for one in verdicts:
        pair = client.pair(one.example_id)
        assert {"a": pair.response_a, "b": pair.response_b}[one.choice] in ("yes", "left")
    assert client.queue("ada").progress.remaining == 0
    journal = [json.loads(line)["id"] for line in workspace.journal.read_bytes().splitlines()]
    assert sorted(journal) == sorted(one.id for one in verdicts)

    again = client.import_pairs("rows.jsonl", rows, labeler="ada")
    assert (again.imported, again.duplicates) == (0, 2)
    assert len(client.labels()) == 2
    assert client.import_pairs("rows.jsonl", rows, labeler="bob").imported == 0
    assert client.label_stats().by_labeler == {"ada": 2, "bob": 2}


def test_verdicts_without_a_labeler_are_refused_whole(client: WorkspaceClient) -> None:
    row = lines({"prompt": "One?", "chosen": "yes", "rejected": "no"})
    with pytest.raises(RlftError, match="labeler"):
        client.import_pairs("rows.jsonl", row, labeler="")
    assert client.pairs().total == 0
    assert client.labels() == ()


def test_pairs_already_there_are_left_alone(client: WorkspaceClient) -> None:
    pairs = make_pairs(3)
    assert client.add_pairs(pairs) == 3
    assert client.add_pairs([*pairs, *make_pairs(1, prefix="new")]) == 1
    assert client.pairs(search="question 1 of pair").total == 1
    assert client.pairs(category="even", limit=1).total == 3
    assert len(client.pairs(category="even", limit=1).pairs) == 1


def test_labels_become_a_data_set_and_home_counts_what_came_after(client: WorkspaceClient) -> None:
    pairs = add_pairs(client, 10)
    for pair in pairs[:6]:
        client.add_label(Preference(new_id(), pair.id, "ada", "a"))
    with pytest.raises(NotFoundError):
        client.dataset("latest")
    built = client.build_dataset(DatasetSpec(name="first", heldout_fraction=0.3))
    assert built.train_rows + built.heldout_rows == 6
    assert client.dataset("first") == client.dataset(built.hash[:6]) == client.datasets()[0] == built
    client.add_label(Preference(new_id(), pairs[7].id, "bob", "a"))

    home = client.home("ada")
    assert (home.pairs, home.prompts, home.labels) == (10, 0, 7)
    assert (home.labels_since_dataset, home.unlabelled) == (1, 4)
    assert home.datasets == (built,)
    assert home.runs == client.runs() == ()


def test_models_are_registered_once_and_rated_by_verdicts(client: WorkspaceClient, tmp_path: Path) -> None:
    model = client.add_model(Model("small", "base", str(tmp_path)))
    assert model.created_at > 0
    assert client.add_model(Model("small", "base", str(tmp_path))) == model
    assert client.models() == (model,)
    with pytest.raises(ConflictError):
        client.add_model(Model("small", "base", str(tmp_path / "other")))
    for pair in add_pairs(client, 4):
        client.add_label(Preference(new_id(), pair.id, "ada", "b"))
    (tuned,) = client.ratings(against="base")
    assert (tuned.model, tuned.wins, tuned.win_rate) == ("tuned", 4, 100.0)
    with pytest.raises(NotFoundError):
        client.ratings(against="nobody")


def test_a_backup_is_whole_while_the_server_goes_on(client: WorkspaceClient, workspace: Workspace) -> None:
    pairs = add_pairs(client, 3)
    client.add_label(Preference(new_id(), pairs[0].id, "ada", "a"))
    path = Path(client.backup())
    (found,) = list_backups(workspace)
    assert found.path == path
    assert (found.rows["examples"], found.rows["preferences"], found.automatic) == (3, 1, False)
    client.add_label(Preference(new_id(), pairs[1].id, "ada", "a"))
    assert client.label_stats().total == 2


def test_uploads_leave_nothing_behind(client: WorkspaceClient, workspace: Workspace) -> None:
    client.import_prompts("prompts.jsonl", lines({"prompt": "One?"}))
    with pytest.raises(RlftError):
        client.import_prompts("prompts.parquet", b"broken")
    assert list((workspace.root / "incoming").iterdir()) == []
