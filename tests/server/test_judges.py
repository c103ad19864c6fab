"""Judges through the real server: verdicts become labels, ratings scores, and both are set against people."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from rlft_tui.client.connection import connect
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.datasets.dataset import DatasetSpec
from rlft_tui.errors import NotFoundError, RlftError, UnavailableError
from rlft_tui.evaluations.judge.request import JudgeRequest, JudgeRun
from rlft_tui.ids import new_run_id
from rlft_tui.labels.feedback import Feedback
from rlft_tui.labels.preference import Preference
from rlft_tui.paths import Workspace
from rlft_tui.server.answers import Totals
from tests.conftest import add_pairs, kill_server, wait_for
from tests.jobs.judge_server import KEY, Served, judge_server

SETTINGS = """\
labeler = "ada"
daily_backups = 0
round_pairs = 0
[providers.here]
kind = "openai"
url = "{url}/v1"
model = "judge-1"
key_env = "JUDGE_KEY"
[providers.keyless]
kind = "openai"
url = "{url}/v1"
model = "judge-1"
key_env = "NOT_THERE"
[prices.here]
prompt = 2.0
answer = 10.0
"""


@pytest.fixture
def served(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The workspace knows a judge that prefers the longer answer."""
    monkeypatch.setenv("JUDGE_KEY", KEY)
    with judge_server() as (url, found):
        workspace.settings.write_text(SETTINGS.format(url=url))
        (workspace.root / "rubrics").mkdir()
        (workspace.root / "rubrics" / "mine.md").write_text("# Mine\nLonger is better.")
        yield found


def judge(client: WorkspaceClient, **asked: object) -> JudgeRun:
    """Launch a run and wait for its end."""
    run = client.launch_judge(JudgeRequest(id=new_run_id("judge"), judge="here", **asked))  # type: ignore[arg-type]
    return ended(client, run.id)


def ended(client: WorkspaceClient, run_id: str) -> JudgeRun:
    wait_for(lambda: client.judge_run(run_id).status not in ("queued", "starting", "running"), "the end")
    assert client.run(run_id).status == "finished", client.run(run_id).error
    return client.judge_run(run_id)


def test_verdicts_become_labels_and_are_set_against_a_persons(workspace: Workspace, served: Served) -> None:
    served.hold = threading.Event()
    with connect(workspace) as client:
        pairs = add_pairs(client, 12)  # answer a is the longer one
        for number, pair in enumerate(pairs[:10]):
            choice = "a" if number < 7 else "b" if number < 9 else "tie"
            client.add_label(Preference(f"v{number}", pair.id, "ada", choice))  # type: ignore[arg-type]
        run = client.launch_judge(JudgeRequest(new_run_id("judge"), "here", labelled_by="ada", rubric="mine"))
        wait_for(lambda: served.at_once == 4, "calls under way")
        kill_server(workspace)
    served.hold.set()
    with connect(workspace) as client:
        found = ended(client, run.id)
        assert (found.items, found.calls, found.tally.parsed) == (10, 20, 20)
        assert (found.model, found.rubric) == ("here:judge-1", "mine")
        assert found.tally.cost == pytest.approx(20 * (100 * 2 + 10 * 10) / 1e6)
        assert served.total() == 20

        verdicts = client.labels(labeler="judge:judge-1")
        assert {one.example_id for one in verdicts} == {pair.id for pair in pairs[:10]}
        assert {(one.choice, one.source) for one in verdicts} == {("a", "judge")}
        assert "The longer one says more." in verdicts[0].reasoning
        assert client.judgements(run.id, status="parsed", limit=5).total == 20

        measured = client.calibration("judge-1", labeler="ada")
        assert (measured.met.agreed.count, measured.met.agreed.n) == (7, 10)
        assert (measured.decided.count, measured.decided.n) == (7, 9)
        assert measured.confusion["b"] == {"a": 2, "b": 0, "tie": 0}
        assert (measured.first_shown.count, measured.first_shown.n) == (10, 20)
        assert (measured.orders_disagree.count, measured.orders_disagree.n) == (0, 10)
        assert (measured.judge_longer.count, measured.labeler_longer.count) == (10, 7)
        assert measured.rubrics == (f"mine {found.rubric_version}",)
        with pytest.raises(NotFoundError, match="Did you mean judge-1"):
            client.calibration("judge-2")

        # A judge's verdicts rule neither data sets nor ratings of people.
        home = client.home("ada")
        assert (home.labels, home.labels_since_dataset, home.labels_by_judges) == (10, 10, 10)
        assert client.totals() == Totals(prompts=0, pairs=12, labels=20, datasets=0)
        assert client.build_dataset(DatasetSpec(heldout_fraction=0.0)).train_rows == 9
        named = DatasetSpec(labelers=("judge:judge-1",), heldout_fraction=0.0)
        assert client.build_dataset(named).train_rows == 10
        assert {one.model: one.wins for one in client.ratings()} == {"base": 7, "tuned": 2}
        # What it found stands among the evaluations too.
        figures = {(one.model, one.metric): one for one in client.evaluations(suite="judge:judge-1")}
        assert figures["base", "win_rate"].value == 1.0
        assert figures["tuned", "win_rate"].value == 0.0

        # The rest of the pairs is left for the next run; judging again is possible where asked for.
        assert judge(client, rubric="mine").items == 2
        with pytest.raises(NotFoundError, match="nothing left"):
            judge(client, rubric="mine")
        assert judge(client, rubric="mine", again=True, limit=3).items == 3


def test_ratings_become_scores_and_what_cannot_be_had_is_said_at_once(
    workspace: Workspace, served: Served
) -> None:
    with connect(workspace) as client:
        pairs = add_pairs(client, 4)
        for number, pair in enumerate(pairs):
            score = (0.25, 0.5, 0.75, 1.0)[number]
            client.add_feedback(
                Feedback(f"f{number}", pair.prompt, pair.response_b, score, "score", "ada", model="tuned")
            )
        found = judge(client, mode="rating", model="tuned", name="strict")
        assert found.tally.labels == {"2": 4}
        scores = client.feedback(labeler="judge:strict")
        assert {(one.score, one.kind, one.model) for one in scores} == {(0.25, "likert", "tuned")}
        assert {one.response for one in scores} == {pair.response_b for pair in pairs}
        ratings = client.calibration("strict", labeler="ada").ratings
        assert (ratings.n, ratings.spearman) == (4, None)
        assert ratings.mean_difference == pytest.approx(4 * (0.25 - 0.625))

        with pytest.raises(UnavailableError, match="NOT_THERE"):
            client.launch_judge(JudgeRequest("judge-x", "keyless"))
        with pytest.raises(NotFoundError, match="neither a provider nor a model"):
            client.launch_judge(JudgeRequest("judge-x", "nobody"))
        with pytest.raises(NotFoundError, match="Did you mean mine"):
            client.launch_judge(JudgeRequest("judge-x", "here", rubric="mines"))
        with pytest.raises(RlftError, match="whose answers"):
            client.launch_judge(JudgeRequest("judge-x", "here", mode="rating"))
        assert [one.name for one in client.rubrics()] == ["brevity", "harmlessness", "helpfulness", "mine"]
