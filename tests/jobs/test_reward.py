"""A reward model: trained as bare TRL does, resumed exactly, and scoring answers afterwards."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from rlft_tui.datasets.rows import PreferenceRow
from rlft_tui.errors import RlftError
from rlft_tui.jobs.reward import check_lengths
from rlft_tui.jobs.reward_audit import audit, calibration_error
from rlft_tui.jobs.reward_scoring import RewardModel, conversation_ids, set_scoring_padding
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.specs.adaptation import Lora
from tests.jobs import bare_trl
from tests.jobs.conftest import Ended, stopped_and_resumed
from tests.jobs.job_process import (
    ROWS,
    events,
    finish,
    of_kind,
    start,
    training_folder,
    values,
    write_lines,
)

PLAN: dict[str, Any] = {
    "max_steps": 12,
    "checkpoint_every": 3,
    "learning_rate": 3e-3,
    "lora": Lora(r=4, dropout=0.1),
}
MARGINED = [{**row, "margin": number / 10} for number, row in enumerate(ROWS)]


def reward_folder(root: Path, model: Path, **settings: Any) -> RunFolder:
    folder = training_folder(root, "reward", model, **(PLAN | settings))
    write_lines(folder.dataset / "train.jsonl", MARGINED[:8])
    write_lines(folder.dataset / "heldout.jsonl", MARGINED[8:])
    return folder


@pytest.fixture(scope="module")
def whole(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Stopped at step 4 or later and resumed: its numbers are held against a run that never stopped."""
    root = tmp_path_factory.mktemp("reward")
    return stopped_and_resumed("reward", lambda name: reward_folder(root / name, tiny_model))


@pytest.fixture(scope="module")
def scorer(whole: Ended, tiny_model: Path) -> RewardModel:
    state = torch.random.get_rng_state()
    loaded = RewardModel(whole.folder.model, str(tiny_model), torch.float32, "cpu", batch_size=3)
    assert torch.equal(torch.random.get_rng_state(), state)
    return loaded


def conversations(side: str) -> list[list[dict[str, str]]]:
    return [row["prompt"] + row[side] for row in ROWS]


def test_it_learns_and_leaves_its_head_with_the_adapter(whole: Ended) -> None:
    assert whole.code == 0, whole.errors
    margins = values(whole.events, "heldout/margin")
    assert list(margins) == [0, 12]
    assert margins[12] > margins[0] + 1
    assert values(whole.events, "heldout/accuracy")[12] == 1.0
    assert values(whole.events, "heldout/loss")[12] < values(whole.events, "heldout/loss")[0]
    units = of_kind(whole.events, "metrics")[-1]["units"]
    assert units["heldout/margin"] == "score"


def test_stopped_and_resumed_its_losses_are_those_of_a_bare_trl_script(whole: Ended) -> None:
    assert [end["status"] for end in of_kind(whole.events, "end")] == ["stopped", "finished"]
    expected = bare_trl.bare_losses(whole.folder, bare_trl.reward)
    assert list(values(whole.events, "loss").values()) == pytest.approx(expected, abs=1e-4)


def test_the_saved_model_scores_as_the_trained_one_did(whole: Ended, scorer: RewardModel) -> None:
    chosen, rejected = scorer.score(conversations("chosen")), scorer.score(conversations("rejected"))
    assert all(better > worse for better, worse in zip(chosen, rejected, strict=True))
    margin = sum(chosen[8:]) / 2 - sum(rejected[8:]) / 2
    assert margin == pytest.approx(values(whole.events, "heldout/margin")[12], abs=1e-4)


def test_a_score_does_not_depend_on_its_batch(scorer: RewardModel) -> None:
    together = scorer.score(conversations("chosen") + conversations("rejected"))
    alone = [scorer.score([one])[0] for one in conversations("chosen") + conversations("rejected")]
    assert together == pytest.approx(alone, abs=1e-5)
    assert scorer.score([]) == []


def test_the_score_is_read_at_the_last_token_whatever_pads(scorer: RewardModel) -> None:
    ids = conversation_ids(scorer.tokenizer, conversations("chosen")[0])
    with torch.no_grad():
        hidden = scorer.model.base_model.model.model(torch.tensor([ids])).last_hidden_state[0, -1]
        expected = scorer.model.base_model.model.score(hidden)
    assert scorer.score([conversations("chosen")[0]]) == pytest.approx(expected.tolist(), abs=1e-5)


def test_padding_is_never_the_end_of_sequence(scorer: RewardModel) -> None:
    tokenizer = scorer.tokenizer
    kept = tokenizer.pad_token
    try:
        tokenizer.pad_token = tokenizer.eos_token
        set_scoring_padding(tokenizer)
        assert tokenizer.pad_token_id != tokenizer.eos_token_id
    finally:
        tokenizer.pad_token = kept


def test_an_adapter_without_a_head_is_no_reward_model(tiny_model: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(tiny_model), LoraConfig(target_modules=["q_proj"])
    )
    model.save_pretrained(tmp_path)
    with pytest.raises(RlftError, match="no score head"):
        RewardModel(tmp_path, str(tiny_model), torch.float32, "cpu")


def test_a_whole_model_scores_too(tiny_model: Path, tmp_path: Path) -> None:
    plan = {"adaptation": "full", "max_steps": 3, "learning_rate": 1e-3, "margins": False}
    folder = reward_folder(tmp_path / "full", tiny_model, **plan)
    code, errors = finish(start("reward", folder.root))
    assert code == 0, errors
    scorer = RewardModel(folder.model, str(folder.model), torch.float32, "cpu")
    chosen, rejected = scorer.score(conversations("chosen")[8:]), scorer.score(conversations("rejected")[8:])
    margin = sum(chosen) / 2 - sum(rejected) / 2
    assert margin == pytest.approx(values(events(folder), "heldout/margin")[3], abs=1e-3)


def test_rows_that_are_all_too_long_are_refused(scorer: RewardModel) -> None:
    rows = [PreferenceRow(row["prompt"], row["chosen"], row["rejected"]) for row in ROWS]
    spec = SimpleNamespace(max_length=32)
    with pytest.raises(RlftError, match=r"every row has more than max_length \(32\) tokens"):
        check_lengths(SimpleNamespace(tokenizer=scorer.tokenizer, rows=rows, spec=spec))


def test_the_audit_keeps_the_worst_disagreements(whole: Ended) -> None:
    report = json.loads((whole.folder.root / "reward_audit.json").read_text())
    assert report["figures"]["heldout/accuracy"] == 1.0
    assert (report["disagreements"], report["worst"]) == (0, [])


def test_the_audits_figures() -> None:
    figures = audit([2.0, 0.0, 1.0, 1.0], [0.0, 1.0, 1.0, 0.0], [(9, 5), (4, 8), (6, 6), (3, 7)])
    assert figures["heldout/accuracy"] == pytest.approx((1 + 0 + 0.5 + 1) / 4)
    assert figures["heldout/margin"] == pytest.approx(0.5)
    expected = sum(math.log1p(math.exp(-gap)) for gap in (2.0, -1.0, 0.0, 1.0)) / 4
    assert figures["heldout/loss"] == pytest.approx(expected)
    # The longer answer was chosen in one of three pairs; the model preferred it in two.
    assert figures["heldout/longer_chosen"] == pytest.approx(1 / 3)
    assert figures["heldout/longer_preferred"] == pytest.approx(2 / 3)


def test_a_model_that_is_as_sure_as_it_is_right_is_calibrated() -> None:
    gap = math.log(3)  # 75 % sure
    assert calibration_error([gap, gap, gap, -gap]) == pytest.approx(0.0)
    assert calibration_error([gap, -gap, -gap, -gap]) == pytest.approx(0.5)
