"""The real model once: pulled from its wheel, it answers and trains."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlft_tui.runs.run_spec import Sampling
from tests.jobs.job_process import dpo_folder, events, finish, generate_folder, of_kind, start, values


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_real_model_answers_and_trains(smollm2: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    text = "12 × 345 = ?\n   é ▁ 日本 🙂 ."
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")
    # Trained with single digits: no token may join two of them.
    assert [tokenizer.decode([token]) for token in tokenizer.encode("12 345")] == [
        "1",
        "2",
        " ",
        "3",
        "4",
        "5",
    ]

    short = Sampling(temperature=0.0, max_new_tokens=12)
    asked = generate_folder(
        tmp_path / "ask", smollm2, 1, sampling_a=short, sampling_b=short, precision="fp32"
    )
    asked.prompts.write_text(json.dumps({"id": "p", "prompt": "What is the capital of France?"}) + "\n")
    code, errors = finish(start("generate", asked.root))
    assert code == 0, errors
    assert "Paris" in json.loads(asked.pairs.read_text())["response_a"]

    trained = dpo_folder(
        tmp_path / "train",
        smollm2,
        max_steps=2,
        learning_rate=1e-4,
        checkpoint_every=2,
        sample_every=2,
        sample_prompts=1,
        max_length=64,
        precision="auto",
    )
    code, errors = finish(start("dpo", trained.root))
    assert code == 0, errors
    found = events(trained)
    assert values(found, "loss")[1] == pytest.approx(0.693, abs=0.01)
    assert values(found, "heldout/reward_accuracy")[0] == 0.5
    assert values(found, "kl/sequence")[0] == 0.0
    assert of_kind(found, "end")[0]["status"] == "finished"
