"""The Python face: what a config means for the two runs, the presets, and what is refused at once.

The training itself: tests/server/test_policy_service.py.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rlft_tui import RewardModelConfig, RLHFTrainer, TrainingConfig, TrainingResult
from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.policies.chain import chain
from rlft_tui.policies.rough_estimate import count_parameters, estimated_minutes
from rlft_tui.policies.trainer import _agent_around
from rlft_tui.policies.training_config import ppo_values, reward_values, training_config
from rlft_tui.runs.run_spec import parse_spec
from rlft_tui.runs.specs.base import ModelSource
from rlft_tui.runs.specs.ppo import PpoSpec
from rlft_tui.runs.specs.reward import RewardSpec
from tests.tiny_model import make_tiny_model

SCORES = [{"prompt": f"Say {n}.", "response": "No.", "score": n / 10} for n in range(10)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("base") / "tiny")


def test_a_folder_with_something_in_it_is_left_alone(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RlftError, match="the folder is not empty"):
        RLHFTrainer(TrainingConfig(base_model=str(tiny))).train(SCORES, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_names_come_without_torch() -> None:
    code = (
        "import sys, rlft_tui\n"
        "assert 'pydantic' not in sys.modules\n"
        "from rlft_tui import RLHFTrainer, TrainingConfig, TrainingResult\n"
        "RLHFTrainer(TrainingConfig())\n"
        "assert not {'torch', 'transformers', 'duckdb', 'fastapi'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("quick", {"max_steps": 50, "batch_size": 4, "learning_rate": 1e-4, "use_lora": True}),
        ("production", {"max_steps": 5000, "batch_size": 16, "learning_rate": 1e-5, "lora_r": 16}),
        (
            "low-memory",
            {"lora_r": 4, "batch_size": 4, "mini_batch_size": 2, "gradient_accumulation_steps": 4},
        ),
        (
            "high-performance",
            {"use_lora": False, "batch_size": 32, "learning_rate": 1e-5, "device": "cuda"},
        ),
    ],
)
def test_a_preset_sets_what_is_not_said(name: str, expected: dict[str, Any]) -> None:
    config = TrainingConfig(preset=name)
    assert {key: getattr(config, key) for key in expected} == expected
    assert TrainingConfig(preset=name, batch_size=7).batch_size == 7
    assert training_config({"preset": name, "batchSize": 7}).batch_size == 7


def test_a_config_is_the_settings_of_two_runs(tmp_path: Path) -> None:
    config = training_config(
        {
            "maxSteps": 3,
            "loraR": 8,
            "targetKl": 3,
            "ppoEpochs": 2,
            "loraKind": "rslora",
            "sampling": {"maxNewTokens": 4},
            "rewardModelConfig": {"numEpochs": 2, "loraDropout": 0.2, "maxLength": 128},
            "seed": 5,
        }
    )
    runs = chain(config, "nurse", ModelSource(name="m", path="/m", adapter="/a"), "abc", tmp_path)
    reward, ppo = parse_spec(runs.reward), parse_spec(runs.ppo)
    assert isinstance(reward, RewardSpec)
    assert isinstance(ppo, PpoSpec)
    assert (ppo.max_steps, ppo.target_kl, ppo.ppo_epochs, ppo.sampling.max_new_tokens) == (3, 3.0, 2, 4)
    assert (ppo.lora.r, ppo.lora.alpha, ppo.lora.kind, ppo.lora.dropout) == (8, 16, "rslora", 0.0)
    assert (reward.epochs, reward.lora.dropout, reward.max_length) == (2.0, 0.2, 128)
    assert (ppo.seed, reward.seed, ppo.policy) == (5, 5, "nurse")
    assert ppo.rewards[0].model == ModelSource(
        name=reward.id, path="/m", adapter=str(tmp_path / reward.id / "model")
    )
    # A reward model begins at the bare base, the policy where it was.
    assert (reward.model.adapter, ppo.model.adapter) == ("", "/a")
    assert TrainingConfig(reward_model_config=RewardModelConfig(num_epochs=1)).reward_model_config
    assert reward_values(TrainingConfig(use_lora=False))["adaptation"] == "full"
    assert "learning_rate" in ppo_values(TrainingConfig())


@pytest.mark.parametrize(
    ("feedbacks", "said"),
    [
        (SCORES[:9], "Insufficient feedback: 9 samples \\(minimum 10 required\\)"),
        ([*SCORES, {"prompt": "a", "response": "b", "score": 1.5}], r"feedbacks\[10\]: a score is 0 to 1"),
        ([*SCORES, {"prompt": "a", "response": "b", "score": True}], "not True"),
        ([{"prompt": "a", "response": " ", "score": 0.5}], r"feedbacks\[0\]: the response is empty"),
        ([{"prompt": "a"}], "needs prompt, response and score"),
    ],
)
def test_scores_that_are_none_are_refused_and_nothing_is_made(
    tmp_path: Path, feedbacks: list[Any], said: str
) -> None:
    with pytest.raises(RlftError, match=said):
        RLHFTrainer().train(feedbacks, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("output_dir", "agent"), [("models/nurse/v1", "nurse"), (".hidden/v1", "default"), (None, "default")]
)
def test_a_policy_is_called_after_the_folder_around_it(output_dir: str | None, agent: str) -> None:
    assert _agent_around(output_dir) == agent


def test_a_model_that_is_not_here_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "models"))
    with pytest.raises(NotFoundError, match="rlft models pull nobody"):
        RLHFTrainer(TrainingConfig(base_model="nobody")).train(SCORES)
    with pytest.raises(RlftError, match="not a name for a policy"):
        RLHFTrainer().train(SCORES, agent="../up")
    assert not (tmp_path / "models").exists()


def test_a_setting_that_is_none_is_refused_when_the_trainer_is_made() -> None:
    with pytest.raises(RlftError, match="Did you mean max_steps"):
        RLHFTrainer(TrainingConfig.model_validate({"max_step": 3}))
    with pytest.raises(RlftError, match="without dropout"):
        RLHFTrainer(TrainingConfig.model_validate({"lora_dropout": 0.1}))


def test_more_work_is_estimated_longer(tiny: Path) -> None:
    assert count_parameters(tiny) == pytest.approx(25_000, rel=0.2)

    def minutes(gpu: bool = False, **settings: Any) -> float:
        return estimated_minutes(TrainingConfig(**settings), tiny, 12, (), gpu=gpu)

    assert minutes(max_steps=5000) > minutes(max_steps=50) > minutes(max_steps=50, batch_size=4) > 0.4
    assert minutes(max_steps=5000, gpu=True) < minutes(max_steps=5000)


def test_the_result_is_loaded_by_folder_or_file(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such training results"):
        TrainingResult.load(tmp_path)
