"""Answers that vLLM drew: how they are weighed, what a server that fails says, and the real one.

The last test runs where RLFT_VLLM names the program of a vLLM in an environment of its own.
"""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rlft_tui.errors import UnavailableError
from rlft_tui.jobs.decoding import prompt_ids
from rlft_tui.jobs.ppo.answers import Answer
from rlft_tui.jobs.ppo.experience import make_experience, read_all
from rlft_tui.jobs.ppo.learning import learn
from rlft_tui.jobs.ppo.losses import importance_weights
from rlft_tui.jobs.ppo.optimiser import make_optimizer
from rlft_tui.jobs.ppo.policy import Policy
from rlft_tui.jobs.ppo.trainer import Trainer
from rlft_tui.jobs.ppo.vllm_rollout import VllmRollout
from rlft_tui.jobs.vllm_server import VllmServer
from rlft_tui.runs.machine import VLLM_VARIABLE
from rlft_tui.runs.specs.ppo import PpoSpec
from tests.jobs.ppo.tiny_policy import judge_vowels, policy_of, spec_of

ANSWERS = [Answer([1, 2, 3], [4, 5], False), Answer([1, 2], [6, 7, 8], True)]


def test_a_token_counts_by_its_probability_ratio_up_to_the_cap() -> None:
    old, drawn = torch.tensor([-1.0, -1.0, -1.0]), torch.tensor([-1.0, -1.0 + math.log(2), -3.0])
    assert importance_weights(old, drawn, cap=2.0).tolist() == pytest.approx([1.0, 0.5, 2.0])


def test_answers_of_the_policys_own_have_no_weights(tiny_model: Path) -> None:
    policy, _ = policy_of(spec_of(tiny_model))
    experience = make_experience(
        read_all(policy, ANSWERS, [[0, 1]]), torch.ones(2), beta=0.0, estimator="k1", gamma=1.0, lam=0.95
    )
    assert experience.importance is None


@pytest.mark.parametrize(
    ("apart", "cap", "expected"), [(-0.7, 9.0, math.exp(0.7)), (-0.7, 1.5, 1.5), (0.7, 9.0, math.exp(-0.7))]
)
def test_the_policys_gradient_is_scaled_by_the_weights_and_the_critics_is_not(
    tiny_model: Path, apart: float, cap: float, expected: float
) -> None:
    plain = _gradients(tiny_model, None, cap)
    weighed = _gradients(tiny_model, apart, cap)
    for name, one in plain.items():
        scale = 1.0 if name.startswith("head") else expected
        torch.testing.assert_close(weighed[name], one * scale, rtol=2e-4, atol=1e-7)


def _gradients(model: Path, apart: float | None, cap: float) -> dict[str, torch.Tensor]:
    """Of one step, the critic not reaching the trunk; ``apart``: nats by which vLLM was surer of a token."""
    spec = spec_of(model, ppo_epochs=1, value_trunk="detached", vf_coef=1.0, max_grad_norm=1e9)
    policy, tokenizer = policy_of(spec)
    answers = ANSWERS
    if apart is not None:
        logprobs = read_all(policy, ANSWERS, [[0, 1]]).logprobs
        answers = [
            replace(answer, drawn=tuple((logprobs[row, : len(answer.response)] + apart).tolist()))
            for row, answer in enumerate(ANSWERS)
        ]
    readings = read_all(policy, answers, [[0, 1]])
    experience = make_experience(
        readings, torch.tensor([1.0, -1.0]), beta=0.0, estimator="k1", gamma=1.0, lam=0.95,
        importance_cap=cap,
    )  # fmt: skip
    found: dict[str, torch.Tensor] = {}
    named = {
        **{f"head.{name}": p for name, p in policy.head.named_parameters()},
        **{name: p for name, p in policy.model.named_parameters() if p.requires_grad},
    }
    for name, parameter in named.items():
        parameter.register_hook(lambda gradient, name=name: found.__setitem__(name, gradient.clone()))
    settings = Trainer(policy, _NoRollout(policy, tokenizer), None, [], spec, 1).learning  # type: ignore[arg-type]
    learn(policy, make_optimizer(policy, spec), experience, settings, seed=1, update=0)
    return found


class _NoRollout:
    def __init__(self, policy: Policy, tokenizer: object) -> None:
        self.policy, self.tokenizer = policy, tokenizer


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"adaptation": "full"}, "rollouts: vllm wants adaptation lora"),
        ({"quantization": "nf4"}, "rollouts: vllm wants adaptation lora"),
        ({"processes": 2}, "rollouts: vllm draws for one process"),
    ],
)
def test_what_vllm_cannot_draw_for_is_refused(
    tiny_model: Path, changed: dict[str, object], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        PpoSpec.model_validate(spec_of(tiny_model).model_dump() | {"rollouts": "vllm"} | changed)


def server(
    program: Path | str, log: Path, monkeypatch: pytest.MonkeyPatch, model: str = "model"
) -> VllmServer:
    monkeypatch.setenv(VLLM_VARIABLE, str(program))
    return VllmServer(model, rank=4, longest=128, dtype="float32", device="cpu", memory=0.3, log=log)


def script(path: Path, lines: str) -> Path:
    path.write_text(f"#!/bin/sh\n{lines}")
    path.chmod(0o755)
    return path


def test_a_program_that_is_not_there_is_told_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnavailableError, match=r"no program /none/vllm .* name it in RLFT_VLLM"):
        server("/none/vllm", tmp_path / "log", monkeypatch)


def test_a_server_that_ends_at_its_start_is_told_with_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = script(tmp_path / "vllm", "echo loading\necho out of memory >&2\nexit 3\n")
    starting = server(program, tmp_path / "log", monkeypatch)
    with pytest.raises(UnavailableError, match="vLLM ended with 3: out of memory"), starting:
        pass


def test_a_server_that_is_never_ready_is_left_once_the_run_is_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = script(tmp_path / "vllm", "exec sleep 600\n")
    starting = server(program, tmp_path / "log", monkeypatch)
    looks = iter([False, True])
    starting.stopped = lambda: next(looks)
    with starting:
        process = starting._process
    assert process is not None
    assert process.returncode == -15


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not os.environ.get(VLLM_VARIABLE), reason=f"no vLLM: {VLLM_VARIABLE} names its program")
def test_vllm_draws_from_the_policy_and_follows_its_adapter(
    smollm2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(smollm2, learning_rate=1e-3, max_new_tokens=8, rollouts="vllm")
    policy, tokenizer = policy_of(spec)
    prompts = [
        prompt_ids(tokenizer, [{"role": "user", "content": text}]) for text in ("Hello", "Name a bird.")
    ]
    with server(os.environ[VLLM_VARIABLE], tmp_path / "log", monkeypatch, str(smollm2)) as started:
        rollout = VllmRollout(policy, tokenizer, started, max_new_tokens=8, rows=6, seed=1)
        trainer = Trainer(policy, rollout, judge_vowels, prompts, spec, 4)
        for _ in range(3):
            update = trainer.update()
            assert update is not None
            weights = update.experience.importance
            assert weights is not None
            held = weights[update.experience.readings.mask.bool()]
            torch.testing.assert_close(held, torch.ones_like(held), rtol=0, atol=1e-3)
        assert abs(update.experience.kl_per_sequence) > 1e-3, "the adapter has moved"
        started._process.kill()  # type: ignore[union-attr]
        started._process.wait()  # type: ignore[union-attr]
        with pytest.raises(UnavailableError, match="vLLM ended with -9"):
            trainer.update()
