"""The real chain on a tiny model: server, keeper, TRL job, inference worker."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from rlft_tui.client.connection import connect
from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.datasets.dataset import DatasetSpec
from rlft_tui.errors import ConflictError, RlftError
from rlft_tui.labels.preference import Preference
from rlft_tui.models.model import Model
from rlft_tui.paths import Workspace
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_process import send_signal
from rlft_tui.runs.run_status import ACTIVE, RunSummary
from rlft_tui.server.answers import GenerateRequest
from tests.conftest import add_pairs, is_alive, kill_server, wait_for
from tests.tiny_model import make_tiny_model

STEPS = 60
CHAIN_SECONDS = 240.0


@pytest.fixture
def tiny(client: WorkspaceClient, tmp_path: Path) -> str:
    """A registered tiny base, and a data set ``first`` of a dozen verdicts."""
    folder = make_tiny_model(tmp_path / "tiny")
    client.add_model(Model("tiny", "base", str(folder)))
    for pair in add_pairs(client, 12):
        client.add_label(Preference(id=f"label-{pair.id}", example_id=pair.id, labeler_id="ada", choice="a"))
    client.build_dataset(DatasetSpec(name="first"))
    return "tiny"


def launch(client: WorkspaceClient, run_id: str, model: str, **more: Any) -> RunSummary:
    values = {"id": run_id, "method": "dpo", "model": model, "dataset": "first", "max_steps": STEPS}
    small = {"batch_size": 2, "threads": 1, "precision": "fp32", "checkpoint_every": 30, "sample_every": 30}
    short = {"evaluate": False, "sample_prompts": 1, "sampling": {"max_new_tokens": 4}}
    return client.launch({**values, **small, **short, **more})


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_launch_live_curve_server_kill_stop_resume_finish_compare(
    workspace: Workspace, client: WorkspaceClient, tiny: str
) -> None:
    assert launch(client, "dpo-chain", tiny).status in ACTIVE
    with pytest.raises(ConflictError):
        launch(client, "dpo-chain", tiny, beta=0.7)
    wait_for(lambda: client.run("dpo-chain").step >= 2, "the first steps", CHAIN_SECONDS)
    # The job holds still while the server dies and a stop is asked for: it cannot finish meanwhile.
    attempt = RunFolder(workspace.runs / "dpo-chain").read_attempt()
    assert attempt is not None
    assert send_signal(attempt.job_pid, attempt.job_started, signal.SIGSTOP)
    (live,) = client.series("dpo-chain", ["loss"])
    assert live.steps[:2] == [1, 2]

    kill_server(workspace)
    with connect(workspace) as again:
        assert again.run("dpo-chain").status in ACTIVE
        assert [again.stop("dpo-chain").status for _ in range(2)] == ["stopping", "stopping"]
        assert send_signal(attempt.job_pid, attempt.job_started, signal.SIGCONT)
        wait_for(lambda: again.run("dpo-chain").status not in ACTIVE, "the stop", CHAIN_SECONDS)
        stopped = again.run("dpo-chain")
        assert (stopped.status, stopped.attempt) == ("stopped", 1), stopped
        assert stopped.checkpoint
        assert 2 <= stopped.step < STEPS

        assert again.resume("dpo-chain").attempt == 2
        wait_for(lambda: again.run("dpo-chain").status not in ACTIVE, "the end", CHAIN_SECONDS)
        finished = again.run("dpo-chain")
        assert (finished.status, finished.step, finished.attempt) == ("finished", STEPS, 2), finished
        assert (finished.output_model, finished.error) == ("dpo-chain", "")
        (whole,) = again.series("dpo-chain", ["loss"])
        assert whole.steps == list(range(1, STEPS + 1))
        assert again.samples("dpo-chain")
        assert again.log("dpo-chain").text
        assert [model.name for model in again.models()] == ["tiny", "dpo-chain"]

        compare(workspace, again)


def compare(workspace: Workspace, client: WorkspaceClient) -> None:
    request = GenerateRequest("Hello?", models=("tiny", "dpo-chain"), max_new_tokens=6, seed=1)
    pieces = list(client.generate(request))
    assert {piece.side for piece in pieces if piece.kind == "done"} == {0, 1}
    worker = client.inference_status()
    assert worker["adapters"] == ["dpo-chain"]
    long = client.generate(GenerateRequest("Hello?", models=("tiny",), max_new_tokens=900))
    assert next(piece for piece in long if piece.kind == "text").side == 0
    long.close()  # type: ignore[attr-defined]
    assert client.inference_status()["pid"] == worker["pid"]
    assert any(piece.kind == "done" for piece in client.generate(request))
    assert is_alive(worker["pid"])
    kill_server(workspace)
    wait_for(lambda: not is_alive(worker["pid"]), "the worker to end with its server")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_reward_model_is_listed_as_such_scores_answers_and_writes_none(
    client: WorkspaceClient, tiny: str
) -> None:
    settings = {"dataset": "first", "max_steps": 2, "batch_size": 2, "threads": 1, "precision": "fp32"}
    client.launch({"id": "judge", "method": "reward", "model": tiny, **settings})
    wait_for(lambda: client.run("judge").status not in ACTIVE, "the end", CHAIN_SECONDS)
    assert client.run("judge").error == ""
    assert {model.name: model.kind for model in client.models()} == {"tiny": "base", "judge": "reward"}

    asked = {"role": "user", "content": "Hello?"}
    scores = client.score(
        "judge", [[asked, {"role": "assistant", "content": text}] for text in ("a", "b", "a")]
    )
    assert scores[0] == scores[2] != scores[1]
    with pytest.raises(RlftError, match="tiny is no reward model"):
        client.score("tiny", [[asked]])
    with pytest.raises(RlftError, match="judge is a reward model, which writes no text"):
        list(client.generate(GenerateRequest("Hello?", models=("judge",))))
    with pytest.raises(RlftError, match="judge is a reward model"):
        launch(client, "dpo-on-judge", "judge")
    refused = client.check_launch({"id": "x", "method": "dpo", "model": "judge", "dataset": "first"})
    assert "judge is a reward model" in refused.errors[0]
