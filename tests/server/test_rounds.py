"""A round on a real server: pairs by the real job on a tiny model, decisions, and what follows from them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.datasets.dataset import DatasetSpec
from rlft_tui.errors import ConflictError, NotFoundError, RlftError
from rlft_tui.evaluations.round_standing import RoundStanding
from rlft_tui.ids import new_id
from rlft_tui.labels.preference import Choice, Preference
from rlft_tui.models.model import Model
from rlft_tui.paths import Workspace
from rlft_tui.runs.run_event import EventWriter
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import ModelSource, write_spec
from rlft_tui.runs.run_status import ACTIVE, Exit
from rlft_tui.runs.specs.base import Sampling
from rlft_tui.runs.specs.dpo import DpoSpec
from rlft_tui.runs.specs.training import RoundPart
from tests.conftest import make_pairs, wait_for
from tests.tiny_model import make_tiny_model

RUN = "dpo-1129-1700-aaaa"
LATER = "dpo-1129-1800-bbbb"


def trained(workspace: Workspace, client: WorkspaceClient, base: Path, run_id: str, pairs: int) -> RunFolder:
    """A run's folder as a job leaves it that trained every weight, for policy ``support``."""
    dataset = next(iter(client.datasets()))
    folder = RunFolder(workspace.runs / run_id)
    folder.root.mkdir(parents=True)
    spec = DpoSpec(
        id=run_id,
        model=ModelSource(name="tiny", path=str(base)),
        dataset=dataset.hash,
        adaptation="full",
        policy="support",
        threads=1,
        precision="fp32",
        sampling=Sampling(max_new_tokens=8),
        round=RoundPart(pairs=pairs, max_new_tokens=8),
    )
    write_spec(spec, folder.spec)
    folder.output.write_text("training\n")
    folder.dataset.mkdir()
    for name in ("train.jsonl", "heldout.jsonl", "dataset.json"):
        (folder.dataset / name).write_bytes((Path(dataset.path) / name).read_bytes())
    make_tiny_model(folder.model, seed=3)
    log = EventWriter(folder.events)
    log.write("start", method="dpo", attempt=1, versions={}, host="here", device="cpu", steps=2, pid=0)
    log.write("end", status="finished")
    log.close()
    folder.write_exit(Exit(code=0, signal=None, reason="ended by itself", ended=time.time()))
    return folder


def judge(client: WorkspaceClient, one: RoundStanding, choice: Choice, labeler: str = "ada") -> None:
    """The same verdict for every pair of a round."""
    sources = {f"run:{run_id}" for run_id in one.pairs_runs}
    for pair in client.pairs().pairs:
        if pair.source in sources:
            client.add_label(Preference(new_id(), pair.id, labeler, choice, created_at=time.time()))


def with_pairs(client: WorkspaceClient, round_id: str) -> RoundStanding:
    """The round once its pairs are made."""

    def ready() -> bool:
        one = client.round(round_id)
        return bool(one.pairs_runs) and client.run(one.pairs_runs[-1]).status not in ACTIVE

    wait_for(ready, "the pairs of the round", 240)
    return client.round(round_id)


def test_a_round_from_its_pairs_to_the_next_one(
    workspace: Workspace, client: WorkspaceClient, tmp_path: Path
) -> None:
    tiny = make_tiny_model(tmp_path / "tiny")
    client.add_model(Model("tiny", "base", str(tiny)))
    client.add_pairs(make_pairs(30))
    for at, pair in enumerate(client.pairs().pairs):
        client.add_label(Preference(new_id(), pair.id, "ada", "a" if at % 2 else "b", created_at=1.0 + at))
    data = client.build_dataset(DatasetSpec(name="first", heldout_fraction=0.4))
    asked = {json.loads(line)["prompt"][-1]["content"] for line in (Path(data.path) / "heldout.jsonl").open()}

    # its pairs are asked for by themselves, on prompts that were held out
    trained(workspace, client, tiny, RUN, pairs=3)
    assert client.run(RUN).output_model == RUN
    one = with_pairs(client, "support-v30")
    assert (one.round.id, one.round.opponent, one.round.policy, one.stage) == (
        RUN,
        "tiny",
        "support",
        "judging",
    )
    assert (one.pairs, one.judged, one.pairs_runs) == (3, 0, (f"{RUN}-pairs",))
    made = [pair for pair in client.pairs().pairs if pair.source == f"run:{RUN}-pairs"]
    assert {(pair.model_a, pair.model_b) for pair in made} == {("tiny", "support-v30")}
    assert {pair.prompt for pair in made} <= asked
    waiting = client.home("ada").round
    assert waiting is not None
    assert waiting.round == one.round

    # verdicts give the win rate, people's and judges' apart
    judge(client, one, "b")
    judge(client, one, "a", "judge:tiny")
    one = client.round(RUN)
    assert (one.people.wins, one.people.n, one.people.win_rate, one.stage) == (3, 3, 100.0, "judged")
    assert one.judges is not None
    assert (one.judges.losses, one.judges.win_rate) == (3, 0.0)

    # promotion: in the database and on the disk, once
    with pytest.raises(NotFoundError, match="no model was promoted"):
        client.current("support")
    promoted = client.promote(RUN, labeler="ada", note="short and kind")
    assert (promoted.stage, promoted.is_current, promoted.decided_by) == ("promoted", True, "ada")
    assert client.current("support").version == "v30"
    assert (workspace.models / "support" / "current" / "policy" / "config.json").is_file()
    (version,) = client.versions("support")
    assert (version.model, version.is_current, version.decision, version.feedback) == (
        "support-v30", True, "promoted", 30,
    )  # fmt: skip
    with pytest.raises(ConflictError, match="is the current version of support"):
        client.reject(RUN, labeler="ada")
    assert client.home("ada").round is None

    # what others rest on is not removed, whoever asks
    assert client.removal("support-v30").rests == ("it is the current version of policy support",)
    with pytest.raises(ConflictError, match="still needed"):
        client.remove_model("support-v30")
    assert [node.name for node in client.lineage("support-v30").children] == [RUN]
    use = {each.name: each for each in client.disk_use().models}
    assert use["support-v30"].own_bytes < use["support-v30"].bytes, "its weights are links to the run's"
    assert use[RUN].parameters == use["tiny"].parameters > 1000

    # the next round: today's labels, the promoted model, the settings of the last run
    found = client.next_round()
    assert (found.model, found.clone, found.method, found.is_new) == ("support-v30", RUN, "dpo", True)
    assert found.dataset.name == "support-2"
    rows = found.dataset.train_rows + found.dataset.heldout_rows
    assert 30 < rows <= 33, "with the round's verdicts"
    assert not client.next_round().is_new, "no labels since"

    # a later run is compared with the promoted one; without unseen prompts it says so
    folder = trained(workspace, client, tiny, LATER, pairs=0)
    assert client.run(LATER).status == "finished"
    later = client.round(LATER)
    assert (later.round.model, later.round.opponent, later.stage) == (
        "support-v33",
        "support-v30",
        "no pairs",
    )
    (folder.dataset / "heldout.jsonl").write_text("")
    with pytest.raises(RlftError, match="no prompts that it was not trained on"):
        client.more_pairs(LATER, 5)
    assert client.reject(LATER, labeler="ada").stage == "rejected"
    assert client.remove_model(later.round.model).frees >= 0
    assert not (workspace.models / "support" / f"v{rows}").exists()
    client.delete_run(LATER)
    assert {model.name for model in client.models()} == {"tiny", RUN, "support-v30"}

    # any two models, on prompts of one's own
    asked_for = [{"id": "q1", "prompt": "Say hello."}]
    with pytest.raises(RlftError, match="against itself"):
        client.begin_ab_test("ab-0", "tiny", "tiny", pairs=1, prompt_rows=asked_for)
    with pytest.raises(NotFoundError, match="no model called"):
        client.begin_ab_test("ab-0", "tiny", "nobody", pairs=1, prompt_rows=asked_for)
    test = client.begin_ab_test(
        "ab-1", "tiny", "support-v30", pairs=1, prompt_rows=asked_for, sampling={"max_new_tokens": 4}
    )
    assert (
        client.begin_ab_test("ab-1", "tiny", "support-v30", pairs=1, prompt_rows=asked_for).round
        == test.round
    )
    test = with_pairs(client, "ab-1")
    assert (test.stage, test.pairs, client.rounds("ab")) == ("judging", 1, (test,))
    assert [each.round.id for each in client.rounds()] == [LATER, RUN]
