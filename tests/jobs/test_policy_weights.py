"""A run that names a policy leaves weights that plain transformers loads: base plus what was learnt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from rlft_tui.errors import ConflictError
from rlft_tui.models.policy_versions import (
    TrainingResults,
    load_results,
    publish,
    publish_at,
    read_versions,
)
from rlft_tui.runs.run_folder import RunFolder
from tests.jobs.job_process import dpo_folder, finish, start


@pytest.fixture(scope="module")
def run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    root = tmp_path_factory.mktemp("policy") / "run"
    folder = dpo_folder(root, tiny_model, max_steps=4, sample_every=0, evaluate=False, policy="nurse")
    code, errors = finish(start("dpo", folder.root))
    assert code == 0, errors
    folder.output.write_text("what the job printed\n")
    return folder


def results(run_id: str = "run", count: int = 10) -> TrainingResults:
    return TrainingResults("nurse", "", run_id, "dpo", "/base", "abc", count, 4, "")


def test_the_policy_is_the_base_with_the_adapter_in_it(run: RunFolder, tiny_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(run.policy)
    tokens = tokenizer("Say oak.", return_tensors="pt").input_ids
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    with torch.no_grad():
        untrained = base(tokens).logits
        merged = AutoModelForCausalLM.from_pretrained(run.policy)(tokens).logits
        adapted = PeftModel.from_pretrained(base, run.model)(tokens).logits
    assert torch.allclose(merged, adapted, atol=1e-5)
    assert not torch.allclose(merged, untrained, atol=1e-5)
    assert not (run.policy / "adapter_config.json").exists()


def test_a_version_is_whole_named_after_its_feedback_and_made_once(run: RunFolder, tmp_path: Path) -> None:
    first = publish(tmp_path, results(), weights=run.policy, output=run.output)
    assert first.version == "v10"
    folder = tmp_path / "nurse" / "v10"
    assert load_results(folder) == load_results(folder / "training_results.json") == first
    assert (folder / "training.log").read_text() == "what the job printed\n"
    assert first.model_path == str(folder / "policy")
    AutoModelForCausalLM.from_pretrained(first.model_path)
    weights = "model.safetensors"
    assert (folder / "policy" / weights).stat().st_ino == (run.policy / weights).stat().st_ino
    assert publish(tmp_path, results(), weights=run.policy, output=run.output) == first
    judge = tmp_path / "judge"
    judge.mkdir()
    (judge / "adapter_config.json").write_text('{"base_model_name_or_path": "/base"}')
    head = torch.arange(4.0).reshape(1, 4)
    trunk = {"base_model.model.model.layers.0.q_proj.lora_A.weight": torch.ones(2, 3)}
    save_file({**trunk, "base_model.model.score.weight": head}, judge / "adapter_model.safetensors")
    (judge.with_name("output.log")).write_text("what its reward model printed\n")
    second = publish(tmp_path, results("again"), weights=run.policy, output=run.output, reward_model=judge)
    assert (first.reward_model_path, second.reward_model_path) == (
        "",
        str(tmp_path / "nurse" / "v10-2" / "reward_model"),
    )
    reward_model = tmp_path / "nurse" / "v10-2" / "reward_model"
    assert {path.name for path in reward_model.iterdir()} == {"base_model", "reward_head", "config.json"}
    assert torch.equal(load_file(reward_model / "reward_head")["weight"], head)
    config = json.loads((reward_model / "config.json").read_text())
    assert (config["base_model_name_or_path"], config["head_shape"]) == ("/base", [1, 4])
    assert {path.name for path in (reward_model / "base_model").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    printed = (tmp_path / "nurse" / "v10-2" / "training.log").read_text()
    assert printed == "what its reward model printed\nwhat the job printed\n"
    third = publish(tmp_path, results("more", count=12), weights=run.policy, output=run.output)
    assert [one.version for one in (second, third)] == ["v10-2", "v12"]
    assert {one.version for one in read_versions(tmp_path, "nurse")} == {"v10", "v10-2", "v12"}


def test_a_version_that_cannot_be_written_leaves_nothing(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        publish(tmp_path, results(), weights=tmp_path / "gone", output=run.output)
    assert list((tmp_path / "nurse").iterdir()) == []


def test_a_folder_of_ones_own_becomes_a_version_unless_something_is_in_it(
    run: RunFolder, tmp_path: Path
) -> None:
    target = tmp_path / "nurse" / "v1"
    target.mkdir(parents=True)
    made = publish_at(target, results(), weights=run.policy, output=run.output)
    assert (made.version, made.model_path) == ("v1", str(target / "policy"))
    assert TrainingResults.load(str(target)) == made
    with pytest.raises(ConflictError, match="the folder is not empty"):
        publish_at(target, results(), weights=run.policy, output=run.output)
    assert [path.name for path in target.parent.iterdir()] == ["v1"]
