"""A reward model on the policy's base: the scores of one loaded beside it, without its base in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from peft import LoraConfig, get_peft_model

from rlft_tui.errors import RlftError
from rlft_tui.jobs import reward_scoring
from rlft_tui.jobs.ppo.shared_reward import SharedRewardModel, shared_adapters
from rlft_tui.jobs.reward_scoring import RewardModel, scores_of
from rlft_tui.jobs.trainable import load_model
from rlft_tui.runs.specs.ppo import PpoSpec
from tests.jobs.ppo.tiny_policy import answer, make_far, policy_of, spec_of

CONVERSATIONS = [
    [{"role": "user", "content": asked}, {"role": "assistant", "content": "word " * words}]
    for words, asked in enumerate(("Say it.", "Once more?", "And a longer question here.", "x"), 1)
]


@pytest.fixture(scope="module")
def judge(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward model's adapter that says something: its weights are drawn at random."""
    folder = tmp_path_factory.mktemp("judge") / "model"
    torch.manual_seed(3)
    model = load_model(str(tiny_model), "score", torch.float32, "cpu", "none")
    config = LoraConfig(r=4, lora_alpha=8, lora_dropout=0.1, target_modules="all-linear", task_type="SEQ_CLS")
    adapted = get_peft_model(model, config)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    adapted.save_pretrained(folder)
    return folder


def spec(tiny_model: Path, judge: Path, **more: Any) -> PpoSpec:
    model = {"name": "judge", "path": str(tiny_model), "adapter": str(judge)}
    return spec_of(tiny_model, rewards=[{"source": "model:judge", "model": model}], **more)


@pytest.mark.parametrize("value_trunk", ["shared", "adapter"])
def test_the_scores_are_those_of_the_model_loaded_beside(
    tiny_model: Path, judge: Path, value_trunk: str
) -> None:
    policy, tokenizer = policy_of(spec(tiny_model, judge, value_trunk=value_trunk))
    make_far(policy)
    beside = RewardModel(judge, str(tiny_model), torch.float32, "cpu")
    shared = SharedRewardModel(policy, "reward_0", judge, tokenizer)
    before = policy.read([answer(3, 5)]).logprobs
    expected = beside.score(CONVERSATIONS)
    assert max(expected) - min(expected) > 1e-3
    assert shared.score(CONVERSATIONS) == pytest.approx(expected, abs=1e-5)
    # And the policy answers as it did.
    assert torch.equal(policy.read([answer(3, 5)]).logprobs, before)


def test_it_changes_nothing_of_the_policy_and_never_learns(tiny_model: Path, judge: Path) -> None:
    torch.manual_seed(1)
    with_judge, _ = policy_of(spec(tiny_model, judge))
    after = torch.rand(1)
    torch.manual_seed(1)
    alone, _ = policy_of(spec(tiny_model, judge, share_reward_base=False))
    assert torch.equal(after, torch.rand(1))
    assert torch.equal(with_judge.read([answer(3, 5)]).logprobs, alone.read([answer(3, 5)]).logprobs)
    learning = [name for name, one in with_judge.model.named_parameters() if one.requires_grad]
    assert learning
    assert not [name for name in learning if ".reward_0." in name]
    assert sum(one.numel() for one in with_judge.policy_parameters()) == sum(
        one.numel() for one in alone.policy_parameters()
    )


@pytest.mark.parametrize(
    "more",
    [{"adaptation": "full"}, {"quantization": "nf4"}, {"share_reward_base": False}],
)
def test_what_has_another_base_is_loaded_beside(tiny_model: Path, judge: Path, more: dict[str, Any]) -> None:
    assert shared_adapters(spec(tiny_model, judge)) == {str(judge): "reward_0"}
    assert shared_adapters(spec(tiny_model, judge, **more)) == {}
    elsewhere = {"name": "judge", "path": "/elsewhere", "adapter": str(judge)}
    assert shared_adapters(spec_of(tiny_model, rewards=[{"source": "model:j", "model": elsewhere}])) == {}


def test_an_adapter_without_a_head_is_no_reward_model(tiny_model: Path, judge: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    kept = {k: v for k, v in load_file(judge / "adapter_model.safetensors").items() if ".score." not in k}
    save_file(kept, tmp_path / "adapter_model.safetensors")
    config = json.loads((judge / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    policy, tokenizer = policy_of(spec(tiny_model, tmp_path))
    with pytest.raises(RlftError, match="no score head"):
        SharedRewardModel(policy, "reward_0", tmp_path, tokenizer)


@torch.no_grad()
def test_what_a_batch_begins_with_changes_no_score(tiny_model: Path) -> None:
    model = load_model(str(tiny_model), "score", torch.float32, "cpu", "none").eval()
    model.config.pad_token_id = 0
    beginning = list(range(1, 21))
    ids = [[*beginning, 30, 31], beginning, [*beginning, 0, 9, 40]]
    with patch.object(reward_scoring, "last_states", wraps=reward_scoring.last_states) as read:
        together = scores_of(model, ids, 0, 3)
    assert read.call_args.args[1].tolist() == [beginning[:-1]]
    assert together == pytest.approx([scores_of(model, [one], 0, 1)[0] for one in ids], abs=1e-5)
