"""Settings that do not go together are refused before anything is loaded, with a remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rlft_tui.errors import RlftError
from rlft_tui.runs.run_spec import parse_spec
from rlft_tui.runs.specs.ppo import PpoSpec
from tests.jobs.ppo.tiny_policy import spec_of


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"lora": {"dropout": 0.1}}, "lora.dropout: PPO has to be trained without dropout"),
        ({"dual_clip": 0.5}, "dual_clip: set it above 1"),
        ({"value_trunk": "adapter", "adaptation": "full"}, "value_trunk: adapter needs adaptation lora"),
        ({"precision": "fp16"}, "precision: PPO computes in bf16 or fp32"),
        ({"backend": "unsloth"}, "backend: PPO runs on the plain one"),
        ({"kl_unit": "word"}, "kl_unit: input should be 'sequence' or 'token'"),
    ],
    ids=["dropout_is_refused", "dual clip", "value adapter", "fp16", "unsloth", "unit"],
)
def test_what_does_not_go_together_is_refused_in_one_line(settings: dict[str, Any], said: str) -> None:
    values = {
        "id": "a",
        "method": "ppo",
        "model": {"name": "m", "path": "/m"},
        "dataset": "d",
        **settings,
    }
    with pytest.raises(RlftError) as caught:
        parse_spec(values)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_occupational_settings_of_a_long_run_are_a_valid_spec(tmp_path: Path) -> None:
    spec = spec_of(
        tmp_path,
        batch_size=64,
        mini_batch_size=16,
        gradient_accumulation=1,
        ppo_epochs=4,
        learning_rate=1e-5,
        target_kl=0.03,
        kl_unit="token",
        max_steps=2000,
        rewards="occupational",
    )
    assert spec.step_answers == 16
    assert isinstance(spec, PpoSpec)


def test_an_optimiser_step_takes_what_an_update_has(tmp_path: Path) -> None:
    """The low-memory preset: batch 4, mini-batch 2, accumulation 4."""
    assert spec_of(tmp_path, batch_size=4, mini_batch_size=2, gradient_accumulation=4).step_answers == 4
