"""Policy, reference and critic on the tiny model against the model's own logits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rlft_tui.errors import RlftError
from rlft_tui.jobs import grouped_attention
from rlft_tui.jobs.ppo.answers import Answer, lay_out
from rlft_tui.jobs.ppo.logprobs import OutputLayer
from rlft_tui.jobs.ppo.policy import _check_output_layer
from tests.jobs.ppo.tiny_policy import answer, make_far, policy_of, spec_of

RAGGED = [answer(3, 5), answer(9, 2, ended=False, first=40), answer(1, 7, first=90), answer(6, 1, first=7)]


@torch.no_grad()
def one_by_one(model: Any, one: Answer, temperature: float = 1.0) -> Tensor:
    """Log-probabilities of an answer's tokens from the whole model on this answer alone."""
    ids = torch.tensor([one.prompt + one.response])
    logits = model(input_ids=ids).logits[0, len(one.prompt) - 1 : -1].double() / temperature
    return torch.log_softmax(logits, -1)[range(len(one.response)), one.response]


SHARING = [
    Answer([*range(20), 30], [1, 2, 3], True),
    Answer(list(range(20)), [4], True),
    Answer([*range(20), 40, 41], [5, 6], False),
]
"""Answers whose prompts begin alike; one prompt is the beginning of the others."""


def test_positions_targets_and_masks_of_a_ragged_layout() -> None:
    layout = lay_out([Answer([1, 2], [3, 0], True), Answer([4], [5, 6, 0], False)], pad_id=0)
    assert layout.ids.tolist() == [[1, 2, 3, 0], [4, 5, 6, 0]]
    assert layout.targets.tolist() == [3, 0, 5, 6, 0]
    assert layout.before.tolist() == [1, 2, 4, 5, 6]
    assert layout.mask.tolist() == [[True, True, False], [True, True, True]]
    assert layout.last.tolist() == [3, 7]
    assert layout.rows(torch.arange(1.0, 6.0)).tolist() == [[1.0, 2.0, 0.0], [3.0, 4.0, 5.0]]


@pytest.mark.parametrize("adaptation", ["lora", "full"])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_a_ragged_batch_has_the_log_probabilities_of_each_answer_alone(
    tiny_model: Path, adaptation: str, temperature: float
) -> None:
    policy, _ = policy_of(spec_of(tiny_model, adaptation=adaptation, temperature=temperature))
    make_far(policy)
    with torch.no_grad():
        reading = policy.read(RAGGED, entropy=True)
    expected = torch.cat([one_by_one(policy.model, one, temperature) for one in RAGGED])
    torch.testing.assert_close(reading.logprobs.double(), expected, rtol=0, atol=1e-5)
    assert reading.logprobs.dtype == torch.float32


@pytest.mark.parametrize("adaptation", ["lora", "full"])
def test_the_reference_is_where_the_policy_began_and_stays_there(tiny_model: Path, adaptation: str) -> None:
    policy, _ = policy_of(spec_of(tiny_model, adaptation=adaptation, temperature=0.7))
    with torch.no_grad():
        at_first = policy.read(RAGGED).logprobs
    torch.testing.assert_close(policy.reference_logprobs(RAGGED), at_first, rtol=0, atol=1e-6)
    make_far(policy)
    torch.testing.assert_close(policy.reference_logprobs(RAGGED), at_first, rtol=0, atol=1e-6)
    with torch.no_grad():
        assert (policy.read(RAGGED).logprobs - at_first).abs().max() > 0.1


def test_after_a_reference_pass_that_fails_the_policy_is_itself_again(tiny_model: Path) -> None:
    policy, _ = policy_of(spec_of(tiny_model))
    make_far(policy)
    with torch.no_grad():
        before = policy.read(RAGGED).logprobs
        trainable = [p.requires_grad for p in policy.model.parameters()]
        with pytest.raises(KeyError), policy.reference():
            raise KeyError
        assert torch.equal(policy.read(RAGGED).logprobs, before)
    assert [p.requires_grad for p in policy.model.parameters()] == trainable


def test_values_belong_to_the_states_before_each_token_and_the_last_one_to_the_state_after(
    tiny_model: Path,
) -> None:
    policy, _ = policy_of(spec_of(tiny_model))
    nn.init.normal_(policy.head.linear.weight)
    with torch.no_grad():
        reading = policy.read(RAGGED)
        values = reading.layout.rows(reading.values)
        for row, one in enumerate(RAGGED):
            hidden = policy.model(
                input_ids=torch.tensor([one.prompt + one.response]), output_hidden_states=True
            ).hidden_states[-1][0]
            expected = policy.head(hidden)[len(one.prompt) - 1 :]
            n = len(one.response)
            torch.testing.assert_close(values[row, :n], expected[:-1], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(reading.after[row], expected[-1], rtol=1e-4, atol=1e-5)
            assert values[row, n:].abs().sum() == 0


def test_a_padding_id_that_is_the_end_of_sequence_or_part_of_an_answer_is_no_matter(tiny_model: Path) -> None:
    policy, tokenizer = policy_of(spec_of(tiny_model))
    with torch.no_grad():
        reading = policy.read(RAGGED)
        policy.pad_id = tokenizer.eos_token_id
        assert torch.equal(policy.read(RAGGED).logprobs, reading.logprobs)
        policy.pad_id = RAGGED[0].response[2]
        assert torch.equal(policy.read(RAGGED).logprobs, reading.logprobs)
    assert len(reading.logprobs) == sum(len(one.response) for one in RAGGED)


def test_there_is_no_dropout_while_learning(tiny_model: Path) -> None:
    policy, _ = policy_of(spec_of(tiny_model, adaptation="full"))
    for layer in policy.model.model.layers:
        layer.self_attn.attention_dropout = 0.5
    assert torch.equal(policy.read(RAGGED).logprobs, policy.read(RAGGED).logprobs)


def test_every_trained_weight_gets_a_gradient_and_no_other_does(tiny_model: Path) -> None:
    for settings in ({}, {"adaptation": "full"}, {"value_trunk": "adapter"}):
        policy, _ = policy_of(spec_of(tiny_model, **settings))
        make_far(policy)
        reading = policy.read(RAGGED, entropy=True)
        assert reading.entropy is not None
        (reading.logprobs.sum() + reading.values.sum() + reading.entropy.sum()).backward()
        with_gradient = {id(p) for p in policy.model.parameters() if p.grad is not None}
        with_gradient |= {id(p) for p in policy.head.parameters() if p.grad is not None}
        assert with_gradient == {id(p) for p in policy.parameters()}, settings


def test_gradients_of_both_output_layers_equal_those_of_plain_autograd(tiny_model: Path) -> None:
    """Full fine-tuning of tied embeddings: the output layer's share and the input's add up."""
    policy, _ = policy_of(spec_of(tiny_model, adaptation="full"))
    one = RAGGED[0]
    policy.read([one]).logprobs.sum().backward()
    ours = [p.grad.clone() for p in policy.policy_parameters() if p.grad is not None]
    policy.model.zero_grad()
    ids = torch.tensor([one.prompt + one.response])
    logits = policy.model(input_ids=ids).logits[0, len(one.prompt) - 1 : -1]
    torch.log_softmax(logits, -1)[range(len(one.response)), one.response].sum().backward()
    theirs = [p.grad for p in policy.policy_parameters() if p.grad is not None]
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_the_critics_own_adapter_leaves_the_policy_alone(tiny_model: Path) -> None:
    policy, _ = policy_of(spec_of(tiny_model, value_trunk="adapter"))
    make_far(policy)
    policy.read(RAGGED).values.sum().backward()
    assert all(p.grad is None for p in policy.policy_parameters())
    assert all(p.grad is not None for p in policy.value_parameters())


def test_a_model_that_does_more_to_its_logits_is_refused(tiny_model: Path) -> None:
    policy, _ = policy_of(spec_of(tiny_model, adaptation="full"))

    class Capped(nn.Module):
        device = torch.device("cpu")

        def forward(self, **given: Any) -> Any:
            output = policy.model(**given)
            output.logits = 3 * torch.tanh(output.logits / 0.01)
            return output

    with pytest.raises(RlftError, match="not a linear map"):
        _check_output_layer(Capped(), policy.model.base_model, OutputLayer(policy.model.lm_head.weight))


def test_under_bf16_what_learns_is_float32_and_so_are_the_scores(tiny_model: Path) -> None:
    policy, _ = policy_of(spec_of(tiny_model, precision="bf16"))
    assert {p.dtype for p in policy.parameters()} == {torch.float32}
    with torch.no_grad():
        reading = policy.read(RAGGED)
    assert {reading.logprobs.dtype, reading.values.dtype} == {torch.float32}


def test_what_prompts_begin_with_stands_in_a_pass_once() -> None:
    layout = lay_out(SHARING, pad_id=0, share=True)
    assert layout.shared.tolist() == [list(range(19))]
    assert layout.ids.tolist() == [[19, 30, 1, 2, 3], [19, 4, 0, 0, 0], [19, 40, 41, 5, 6]]
    assert layout.before.tolist() == [1, 2, 3, 5, 12, 13]
    assert layout.last.tolist() == [4, 6, 14]
    assert layout.tokens == 19 + 15
    for alone in (SHARING[:1], [*SHARING, answer(30, 2)]):
        assert lay_out(alone, pad_id=0, share=True).shared.numel() == 0


@pytest.mark.parametrize("attention", ["in one pass", "in one pass, long", "torch's"])
def test_a_shared_beginning_changes_neither_scores_nor_gradients(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, attention: str
) -> None:
    if attention == "in one pass, long":
        monkeypatch.setattr(grouped_attention, "LONGEST", 20)
    policy, _ = policy_of(spec_of(tiny_model))
    if attention == "torch's":
        policy.model.set_attn_implementation("sdpa")
    make_far(policy)
    found = []
    for shares in (False, True):
        policy.shares = shares
        reading = policy.read(SHARING, entropy=True)
        assert bool(reading.layout.shared.numel()) == shares
        weighted = reading.logprobs * torch.arange(1.0, 7.0)
        parameters = list(policy.parameters())
        gradients = torch.autograd.grad(weighted.sum() + reading.values.sum(), parameters)
        scores = (reading.logprobs, reading.values, reading.after, policy.reference_logprobs(SHARING))
        found.append([*scores, *gradients])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("adaptation", ["lora", "full"])
def test_checkpointed_layers_are_computed_twice_to_the_same_gradients(
    tiny_model: Path, adaptation: str
) -> None:
    found, passes = [], []
    for wanted in (False, True):
        policy, _ = policy_of(spec_of(tiny_model, adaptation=adaptation, gradient_checkpointing=wanted))
        make_far(policy)
        count = [0]
        layer = policy._trunk.layers[0].mlp

        def counted(x: Tensor, count: list[int] = count, own: Any = layer.forward) -> Any:
            count[0] += 1
            return own(x)

        layer.forward = counted
        reading = policy.read(RAGGED)
        found.append(torch.autograd.grad(reading.logprobs.sum(), policy.policy_parameters()))
        passes.append(count[0])
        assert not any(module.training for module in policy.model.modules())
    assert passes == [1, 2]
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
