"""Whole updates on the tiny model: what must be exact, and what must happen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rlft_tui.errors import RlftError
from rlft_tui.jobs.checkpoints import Checkpoint
from rlft_tui.jobs.method import Rewarded
from rlft_tui.jobs.ppo.answers import Answer
from rlft_tui.jobs.ppo.checkpoint import load_checkpoint, save_checkpoint
from rlft_tui.jobs.ppo.experience import make_experience, read_all
from rlft_tui.jobs.ppo.learning import learn
from rlft_tui.jobs.ppo.optimiser import learning_rate_factor
from rlft_tui.jobs.ppo.report import metrics, units
from rlft_tui.jobs.ppo.trainer import Trainer
from tests.jobs.ppo.tiny_policy import answer, make_far, policy_of, spec_of, trainer_of


def weights(trainer: Trainer) -> list[Tensor]:
    return [p.detach().clone() for p in trainer.policy.parameters()]


@pytest.fixture(scope="module")
def two_updates(tiny_model: Path) -> tuple[Trainer, list[Any]]:
    """A trainer after two updates, and what they were."""
    trainer = trainer_of(spec_of(tiny_model))
    return trainer, [trainer.update(), trainer.update()]


@pytest.mark.parametrize("adaptation", ["lora", "full"])
def test_before_the_first_step_the_ratio_is_one_on_ragged_batches(tiny_model: Path, adaptation: str) -> None:
    """In every update: not only while the policy is still the reference. fp32, to 1e-5."""
    trainer = trainer_of(spec_of(tiny_model, adaptation=adaptation, ppo_epochs=1, learning_rate=1e-3))
    for _ in range(2):
        update = trainer.update()
        assert update is not None
        lengths = {len(one.response) for one in update.experience.readings.answers}
        prompts = {len(one.prompt) for one in update.experience.readings.answers}
        assert len(lengths) > 1
        assert len(prompts) > 1
        assert update.learned.first_ratio_error < 1e-5
    make_far(trainer.policy, 0.01)
    one_step = trainer_of(
        spec_of(tiny_model, adaptation=adaptation, ppo_epochs=1, gradient_accumulation=3, max_new_tokens=20)
    )
    update = one_step.update()
    assert update is not None
    learned = update.learned
    assert learned.steps == 1
    assert abs(learned.mean("ratio") - 1) < 1e-5
    assert max(abs(learned.ratio_min - 1), abs(learned.ratio_max - 1)) < 1e-5
    assert learned.mean("clipped") == 0
    assert learned.mean("value_clipped") == 0
    assert learned.mean("approx_kl") < 1e-5
    assert update.experience.kl_per_sequence == pytest.approx(0.0, abs=1e-5)


def test_in_bf16_the_first_ratio_is_one_too_for_the_same_passes_are_read(tiny_model: Path) -> None:
    trainer = trainer_of(spec_of(tiny_model, precision="bf16", learning_rate=1e-3, pass_tokens=40))
    for _ in range(2):
        update = trainer.update()
        assert update is not None
        assert update.learned.first_ratio_error == 0.0


def test_a_ratio_of_another_temperature_or_of_shifted_tokens_would_show(tiny_model: Path) -> None:
    """The check above can fail: old log-probabilities off by anything move the ratio."""
    trainer = trainer_of(spec_of(tiny_model, ppo_epochs=1, max_new_tokens=20))
    answers = [answer(3, 6), answer(5, 4, first=30)]
    readings = read_all(trainer.policy, answers, [[0, 1]])
    shifted = readings.logprobs.roll(1, dims=1) * readings.mask
    wrong = make_experience(
        replace(readings, logprobs=shifted), torch.ones(2), beta=0.0, estimator="k1", gamma=1.0, lam=0.95
    )
    learned = learn(trainer.policy, trainer.optimizer, wrong, trainer.learning, seed=0, update=0)
    assert learned.first_ratio_error > 1e-3


def test_an_optimiser_step_is_the_same_however_it_is_cut_into_passes(tiny_model: Path) -> None:
    """Every token weighs the same: the gradient is no mean of means."""
    found = []
    for rows, tokens in ((6, 10_000), (1, 10_000), (3, 40)):
        spec = spec_of(
            tiny_model,
            ppo_epochs=1,
            mini_batch_size=rows,
            gradient_accumulation=6 // rows,
            pass_tokens=tokens,
            learning_rate=1e-3,
        )
        trainer = trainer_of(spec)
        update = trainer.update()
        assert update is not None
        assert update.learned.steps == 1
        found.append((update.learned.grad_norms[0], weights(trainer)))
    for norm, after in found[1:]:
        assert norm == pytest.approx(found[0][0], rel=1e-4)
        torch.testing.assert_close(after, found[0][1], rtol=1e-3, atol=1e-4)


def test_each_epoch_learns_from_every_token_once(two_updates: tuple[Trainer, list[Any]]) -> None:
    for update in two_updates[1]:
        mask = update.experience.readings.mask
        assert update.learned.tokens == 2 * int(mask.sum())
        assert update.learned.steps == 2 * math.ceil(6 / 4)
        assert update.learned.epochs == 2


def test_the_reported_kl_is_the_one_taken_off_the_rewards(two_updates: tuple[Trainer, list[Any]]) -> None:
    update = two_updates[1][1]
    experience = update.experience
    row = metrics(update)
    assert row["kl/sequence"] == pytest.approx(float(experience.kl.sum() / len(experience.kl)))
    assert row["kl/token"] == pytest.approx(float(experience.kl.sum() / experience.readings.mask.sum()))
    paid = experience.rewards.sum() - update.scores.sum()
    assert float(paid) == pytest.approx(-update.beta * row["kl/sequence"] * len(update.scores), rel=1e-4)
    assert row["kl/sequence"] != 0


def test_the_kl_coefficient_moves_after_the_update_that_used_it(
    two_updates: tuple[Trainer, list[Any]],
) -> None:
    trainer, (first, second) = two_updates
    assert first.beta == 0.05
    assert second.beta == pytest.approx(0.05 * (1 - 0.2 * 6 / 1000))
    assert trainer.controller.coefficient < second.beta


def test_rows_have_every_number_with_its_unit(
    two_updates: tuple[Trainer, list[Any]], tiny_model: Path
) -> None:
    row = metrics(two_updates[1][1])
    assert row.keys() >= {
        "reward", "reward_std", "rewards/vowels/mean", "kl/sequence", "kl/token", "kl_coef", "loss/policy",
        "loss/value", "entropy", "policy/clip_fraction", "value/clip_fraction", "value/explained_variance",
        "policy/ratio", "completions/mean_length", "completions/eos_rate", "grad_norm",
        "tokens_per_second/generate", "tokens_per_second/score", "tokens_per_second/learn",
    }  # fmt: skip
    assert all(math.isfinite(value) for value in row.values())
    named = units(spec_of(tiny_model, kl_estimator="k3"), row)
    assert named["kl/sequence"] == "nats/sequence (k3)"
    own = {"reward", "score", "loss", "value/mean", "value/return", "learning_rate", "grad_norm"}
    without = {key for key in row.keys() - named.keys() if not key.startswith(("reward", "score", "loss"))}
    assert without <= own | {"ppo_epochs", "optimizer_steps", "skipped_steps"}


def test_entropy_is_a_mean_over_tokens_that_length_does_not_drive(tiny_model: Path) -> None:
    policy, _ = policy_of(spec_of(tiny_model))
    short = read_all(policy, [answer(3, 2)], [[0]])
    both = read_all(policy, [answer(3, 2), answer(3, 9)], [[0], [1]])
    assert float(both.entropy[0].sum()) == pytest.approx(float(short.entropy.sum()), abs=1e-5)
    assert float((both.entropy * both.mask).sum() / both.mask.sum()) < math.log(259)


def test_the_score_stands_on_the_end_of_sequence_and_nothing_stands_behind_it(
    two_updates: tuple[Trainer, list[Any]],
) -> None:
    update = two_updates[1][0]
    experience = update.experience
    bare = experience.rewards + update.beta * experience.kl
    for row, one in enumerate(experience.readings.answers):
        n = len(one.response)
        assert float(bare[row, n - 1]) == pytest.approx(float(update.scores[row]), abs=1e-5)
        assert bare[row, : n - 1].abs().max() < 1e-6 if n > 1 else True
        for of_tokens in (experience.rewards, experience.advantages, experience.readings.values):
            assert of_tokens[row, n:].abs().sum() == 0


def test_advantages_are_whitened_over_the_update_and_returns_are_not(
    two_updates: tuple[Trainer, list[Any]],
) -> None:
    experience = two_updates[1][1].experience
    mask = experience.readings.mask.bool()
    assert float(experience.advantages[mask].mean()) == pytest.approx(0, abs=1e-5)
    assert float(experience.advantages[mask].std(correction=0)) == pytest.approx(1, abs=1e-3)
    assert not torch.allclose(
        experience.returns - experience.readings.values, experience.advantages, atol=0.05
    )


def test_an_answer_that_was_cut_is_over_unless_it_is_bootstrapped(tiny_model: Path) -> None:
    trainer = trainer_of(spec_of(tiny_model))
    make_far(trainer.policy)
    answers = [answer(3, 4, ended=False), answer(3, 4, first=60)]
    readings = read_all(trainer.policy, answers, [[0, 1]])
    common: dict[str, Any] = {"beta": 0.0, "estimator": "k1", "gamma": 1.0, "lam": 1.0}
    over = make_experience(readings, torch.ones(2), **common)
    on = make_experience(readings, torch.ones(2), bootstrap_truncated=True, **common)
    torch.testing.assert_close(over.returns, readings.mask)
    torch.testing.assert_close(on.returns[0], (1 + readings.after[0]) * readings.mask[0])
    torch.testing.assert_close(on.returns[1], over.returns[1])


def test_answers_that_nothing_judged_are_left_out_and_counted(tiny_model: Path) -> None:
    def judge(answers: Sequence[Answer]) -> list[Rewarded]:
        return [Rewarded(None if n == 0 else math.nan if n == 1 else 0.5, {}) for n in range(len(answers))]

    update = trainer_of(spec_of(tiny_model), judge).update()
    assert update is not None
    assert len(update.experience.readings.answers) == 4
    row = metrics(update)
    assert (row["missing_rewards"], row["reward"]) == (2, 0.5)


def test_an_update_without_any_score_ends_the_run_with_one_line(tiny_model: Path) -> None:
    trainer = trainer_of(spec_of(tiny_model), lambda answers: [Rewarded(None, {}) for _ in answers])
    before = weights(trainer)
    with pytest.raises(RlftError, match="no reward said anything about any of the 6 answers of update 1"):
        trainer.update()
    assert all(torch.equal(a, b) for a, b in zip(before, weights(trainer), strict=True))


def test_a_step_that_is_not_finite_is_skipped_and_spoils_no_weight(tiny_model: Path) -> None:
    trainer = trainer_of(spec_of(tiny_model))
    answers = [answer(3, 4), answer(3, 4, first=60)]
    readings = read_all(trainer.policy, answers, [[0, 1]])
    experience = make_experience(
        readings, torch.tensor([math.nan, 1.0]), beta=0.0, estimator="k1", gamma=1.0, lam=0.95
    )
    before = weights(trainer)
    learned = learn(trainer.policy, trainer.optimizer, experience, trainer.learning, seed=0, update=0)
    assert (learned.steps, learned.skipped) == (0, 2)
    assert all(torch.equal(a, b) for a, b in zip(before, weights(trainer), strict=True))


def test_epochs_end_early_once_the_policy_has_gone_far_enough(tiny_model: Path) -> None:
    update = trainer_of(spec_of(tiny_model, ppo_epochs=8, early_stop_kl=1e-6)).update()
    assert update is not None
    assert update.learned.epochs < 8
    assert update.learned.epoch_kl[-1] > 1e-6


def test_the_gradients_norm_is_logged_before_it_is_cut(tiny_model: Path) -> None:
    spec = spec_of(tiny_model, max_grad_norm=1e-6, ppo_epochs=1)
    trainer = trainer_of(spec)
    update = trainer.update()
    assert update is not None
    assert max(update.learned.grad_norms) > 1e-3


def test_adam_has_the_papers_epsilon_and_a_rate_for_each_group(tiny_model: Path) -> None:
    trainer = trainer_of(spec_of(tiny_model, learning_rate=1e-4, value_learning_rate=1e-3))
    policy, value = trainer.optimizer.param_groups
    assert (policy["eps"], policy["lr"], value["lr"]) == (1e-5, 1e-4, 1e-3)
    assert len(value["params"]) == 2
    trainer.update()
    trainer.update()
    assert policy["lr"] == pytest.approx(1e-4 * 3 / 4)
    assert value["lr"] == pytest.approx(1e-3 * 3 / 4)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"scheduler": "linear"}, [1.0, 0.75, 0.5, 0.25]),
        ({"scheduler": "constant"}, [1.0] * 4),
        ({"scheduler": "linear", "warmup_fraction": 0.5}, [1 / 3, 2 / 3, 1.0, 0.5]),
        ({"scheduler": "cosine"}, [1.0, 0.8536, 0.5, 0.1464]),
    ],
)
def test_the_learning_rate_follows_from_the_updates_number(
    tiny_model: Path, settings: dict[str, Any], expected: list[float]
) -> None:
    spec = spec_of(tiny_model, **settings)
    assert [learning_rate_factor(spec, n, 4) for n in range(4)] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("settings", [{}, {"adaptation": "full"}], ids=["lora", "full"])
def test_a_pass_read_ahead_is_learned_from_as_if_read_again(
    tiny_model: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for again in (False, True):
        trainer = trainer_of(spec_of(tiny_model, mini_batch_size=4, gradient_accumulation=1, **settings))
        if again:
            monkeypatch.setattr(trainer, "_ahead", lambda groups: [])
        passes: list[int] = []
        read = trainer.policy.read

        def counted(answers: Sequence[Answer], read: Any = read, passes: Any = passes, **more: Any) -> Any:
            passes.append(len(answers))
            return read(answers, **more)

        monkeypatch.setattr(trainer.policy, "read", counted)
        update = trainer.update()
        assert update is not None
        assert not update.experience.readings.ahead
        found.append((weights(trainer), passes))
    assert found[0][1] == [4, 2, 2, 4, 2]
    assert found[1][1] == [4, 2, 4, 2, 4, 2]
    assert all(torch.equal(a, b) for a, b in zip(found[0][0], found[1][0], strict=True))


def test_a_stop_while_answers_are_drawn_changes_nothing(tiny_model: Path) -> None:
    trainer = trainer_of(spec_of(tiny_model))
    before = weights(trainer)
    calls = iter([False] * 5 + [True] * 100)
    assert trainer.update(stopped=lambda: next(calls)) is None
    assert trainer.done == 0
    assert all(torch.equal(a, b) for a, b in zip(before, weights(trainer), strict=True))


@pytest.mark.parametrize(
    "settings",
    [{}, {"adaptation": "full"}, {"value_trunk": "adapter"}],
    ids=["lora", "full", "value adapter"],
)
def test_after_a_resume_the_next_update_is_the_same_bit_for_bit(
    tiny_model: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    spec = spec_of(tiny_model, center_scores=True, normalize_scores=True, learning_rate=1e-3, **settings)
    straight = trainer_of(spec)
    straight.update()
    checkpoint: Checkpoint = save_checkpoint(straight, tmp_path)
    torch.rand(3)
    expected = straight.update()

    resumed = trainer_of(spec)
    make_far(resumed.policy)
    load_checkpoint(resumed, checkpoint)
    found = resumed.update()
    assert expected is not None
    assert found is not None
    assert [a.response for a in found.experience.readings.answers] == [
        a.response for a in expected.experience.readings.answers
    ]
    assert all(torch.equal(a, b) for a, b in zip(weights(resumed), weights(straight), strict=True))
    rows = metrics(found), metrics(expected)
    timing = ("seconds/", "tokens_per_second/", "step_time")
    assert {k: v for k, v in rows[0].items() if not k.startswith(timing)} == {
        k: v for k, v in rows[1].items() if not k.startswith(timing)
    }
    assert resumed.state()["shaping"] == straight.state()["shaping"]
    assert resumed.controller.coefficient == straight.controller.coefficient


def test_answers_to_the_same_prompt_differ_and_come_again_with_the_same_seed(tiny_model: Path) -> None:
    trainer = trainer_of(spec_of(tiny_model))
    first = trainer.rollout.draw(trainer.prompts, [0, 0, 1], "update", 0)
    again = trainer.rollout.draw(trainer.prompts, [0, 0, 1], "update", 0)
    later = trainer.rollout.draw(trainer.prompts, [0, 0, 1], "update", 1)
    assert first is not None
    assert first == again
    assert first != later
    assert first[0].response != first[1].response


def test_answers_end_with_the_token_that_ended_them_or_are_cut(tiny_model: Path) -> None:
    trainer = trainer_of(spec_of(tiny_model, max_new_tokens=12))
    drawn = trainer.rollout.draw(trainer.prompts, [0, 1, 2, 3] * 12, "update", 0)
    assert drawn is not None
    assert {one.ended for one in drawn} == {True, False}
    for one in drawn:
        ends = [token in trainer.rollout.ends for token in one.response]
        assert ends == [False] * (len(ends) - 1) + [one.ended]
        assert len(one.response) <= 12
        assert "<|im_end|>" not in one.text


def test_answers_are_drawn_from_the_whole_distribution_at_the_policys_temperature(tiny_model: Path) -> None:
    rollout = trainer_of(spec_of(tiny_model, temperature=0.7)).rollout
    assert (rollout.sampling.temperature, rollout.sampling.top_p) == (0.7, 1.0)
    assert rollout.policy.temperature == 0.7


def test_shaped_scores_are_learned_from_and_raw_ones_are_shown(tiny_model: Path) -> None:
    spec = spec_of(tiny_model, score_clip=0.1, missing_eos_penalty=1.0, max_new_tokens=3)
    update = trainer_of(spec, lambda answers: [Rewarded(5.0, {}) for _ in answers]).update()
    assert update is not None
    ended = [one.ended for one in update.experience.readings.answers]
    assert False in ended
    assert update.scores.tolist() == pytest.approx([0.1 if end else -0.9 for end in ended])
    assert metrics(update)["reward"] == 5.0


def test_the_value_loss_weighs_as_much_as_it_is_set_to(tiny_model: Path) -> None:
    for weight in (0.1, 0.7):
        update = trainer_of(spec_of(tiny_model, vf_coef=weight, entropy_coef=0.0)).update()
        assert update is not None
        learned = update.learned
        expected = learned.mean("policy") + weight * learned.mean("value")
        assert learned.mean("loss") == pytest.approx(expected, abs=1e-5)
