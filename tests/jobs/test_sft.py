"""Supervised fine-tuning as its folder tells it, with every way of adapting a model."""

from __future__ import annotations

import math
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from rlft_tui.datasets.rows import CompletionRow
from rlft_tui.jobs.checkpoints import MANIFEST
from rlft_tui.jobs.conversation_tokens import conversation_tokens
from rlft_tui.jobs.tokenizer_loading import load_tokenizer
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import ModelSource
from rlft_tui.runs.specs.adaptation import Lora
from tests.conftest import wait_for
from tests.jobs import bare_trl
from tests.jobs.conftest import Ended
from tests.jobs.job_process import (
    JOB_SECONDS,
    ROWS,
    events,
    finish,
    of_kind,
    seen,
    start,
    training_folder,
    values,
    write_lines,
)
from tests.tiny_model import make_tiny_model

CHECKPOINTED: dict[str, Any] = {
    "max_steps": 12,
    "checkpoint_every": 3,
    "sample_every": 0,
    "lora": Lora(r=4, dropout=0.1),
}

FULL: dict[str, Any] = {"adaptation": "full", "learning_rate": 1e-3}
BF16: dict[str, Any] = {"precision": "bf16"}


@pytest.fixture(scope="module")
def wide_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "wide", width=64)


def run(folder: RunFolder, method: str = "sft", *, cold: bool = False) -> Ended:
    code, errors = finish(start(method, folder.root, cold=cold))
    return Ended(folder, code, errors, events(folder))


def losses(ended: Ended) -> list[float]:
    return list(values(ended.events, "loss").values())


@pytest.fixture(scope="module")
def whole(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    root = tmp_path_factory.mktemp("sft") / "whole"
    settings = {"evaluate_every": 6, "keep_best": "heldout/loss", **CHECKPOINTED}
    return run(training_folder(root, "sft", tiny_model, **settings), cold=True)


def test_a_run_learns_and_leaves_an_adapter(whole: Ended) -> None:
    assert whole.code == 0, whole.errors
    perplexity = values(whole.events, "heldout/perplexity")
    assert list(perplexity) == [0, 6, 12]
    assert perplexity[12] < 0.9 * perplexity[0]
    assert perplexity[12] == pytest.approx(math.exp(values(whole.events, "heldout/loss")[12]))
    assert (whole.folder.model / "adapter_model.safetensors").is_file()
    assert {
        row["units"].get("heldout/loss") for row in of_kind(whole.events, "metrics") if row["step"] == 0
    } == {"nats/token"}


def test_the_losses_are_those_of_a_bare_trl_script(whole: Ended) -> None:
    assert losses(whole) == pytest.approx(bare_trl.bare_losses(whole.folder, bare_trl.sft), abs=1e-4)


def test_stopped_and_resumed_it_is_the_run_it_would_have_been(
    whole: Ended, tiny_model: Path, tmp_path: Path
) -> None:
    folder = training_folder(tmp_path / "stopped", "sft", tiny_model, **CHECKPOINTED)
    process = start("sft", folder.root)
    reached = seen(folder, lambda event: event.kind == "metrics" and event.fields["step"] >= 4)
    wait_for(lambda: reached() or process.poll() is not None, "step 4", JOB_SECONDS)
    process.send_signal(signal.SIGTERM)
    code, errors = finish(process)
    assert code == 0, errors
    if of_kind(events(folder), "end")[-1]["status"] == "stopped":
        code, errors = finish(start("sft", folder.root))
        assert code == 0, errors
    assert losses(Ended(folder, code, errors, events(folder))) == pytest.approx(losses(whole), abs=1e-5)
    expected = load_file(whole.folder.model / "adapter_model.safetensors")
    for name, tensor in load_file(folder.model / "adapter_model.safetensors").items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        {
            "adaptation": "full",
            "learning_rate": 1e-3,
            "gradient_checkpointing": True,
            "optimizer": "adamw_8bit",
        },
        {
            "lora": Lora(r=4, kind="dora", targets="q_proj,v_proj"),
            "packing": True,
            "gradient_accumulation": 2,
        },
        {"quantization": "nf4", "precision": "bf16", "optimizer": "paged_adamw_8bit", "loss_type": "dft"},
        {
            "quantization": "int8",
            "lora": Lora(r=8, kind="rslora"),
            "precision": "bf16",
            "assistant_only": False,
        },
    ],
    ids=["full", "dora", "nf4", "int8"],
)
def test_every_adaptation_trains_as_bare_trl_does(
    wide_model: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """By epochs, so that the steps are counted too."""
    plan = {"max_steps": 0, "epochs": 2.0, "sample_every": 0, "checkpoint_every": 100}
    ended = run(training_folder(tmp_path / "run", "sft", wide_model, **(plan | settings)))
    assert ended.code == 0, ended.errors
    expected = bare_trl.bare_losses(ended.folder, bare_trl.sft)
    assert losses(ended) == pytest.approx(expected, abs=1e-4)
    assert {row["steps"] for row in of_kind(ended.events, "metrics")} == {len(expected)}
    perplexity = values(ended.events, "heldout/perplexity")
    assert perplexity[len(expected)] < perplexity[0]


def test_a_fully_trained_model_loads_in_plain_transformers_and_trains_on(
    tiny_model: Path, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    plan = FULL | {"max_steps": 3, "sample_every": 0}
    first = run(training_folder(tmp_path / "first", "sft", tiny_model, **plan))
    assert first.code == 0, first.errors
    model = AutoModelForCausalLM.from_pretrained(first.folder.model)
    tokenizer = AutoTokenizer.from_pretrained(first.folder.model)
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(tiny_model).chat_template
    assert model.config.pad_token_id == base.config.pad_token_id
    assert any(not torch.equal(a, b) for a, b in zip(model.parameters(), base.parameters(), strict=True))
    second = run(training_folder(tmp_path / "second", "dpo", first.folder.model, max_steps=1), "dpo")
    assert second.code == 0, second.errors


def test_an_adapter_is_continued(whole: Ended, tiny_model: Path, tmp_path: Path) -> None:
    source = ModelSource(name="once", path=str(tiny_model), adapter=str(whole.folder.model))
    ended = run(training_folder(tmp_path / "on", "sft", source, max_steps=1, sample_every=0))
    assert ended.code == 0, ended.errors
    last = values(whole.events, "heldout/perplexity")[12]
    assert values(ended.events, "heldout/perplexity")[0] == pytest.approx(last, rel=1e-4)


def test_only_what_the_assistant_says_is_learnt(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(str(tiny_model))
    row = CompletionRow(
        [{"role": "user", "content": "Say ash."}],
        [
            {"role": "assistant", "content": "ash"},
            {"role": "user", "content": "And oak?"},
            {"role": "assistant", "content": "oak"},
        ],
    )
    tokens = conversation_tokens(tokenizer, row)
    said = [tokenizer.decode(tokens.ids[begin:end]) for begin, end in tokens.answers()]
    assert said == ["ash<|im_end|>\n", "oak<|im_end|>\n"]
    assert sum(tokens.assistant) == sum(end - begin for begin, end in tokens.answers())


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"max_length": 16}, "every prompt fills max_length (16 tokens)"),
        ({"lora": Lora(targets="q_proj,no_such")}, "no linear layer no_such"),
        ({"precision": "fp16"}, "precision fp16 needs a GPU"),
        ({"backend": "unsloth"}, "backend unsloth cannot be used here: there is no GPU"),
    ],
)
@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU can do some of it")
def test_what_cannot_be_done_is_one_line(
    tiny_model: Path, tmp_path: Path, settings: dict[str, Any], reason: str
) -> None:
    folder = training_folder(tmp_path / "run", "sft", tiny_model, **settings)
    if "max_length" in settings:
        long = [{**row, "prompt": [{"role": "user", "content": "word " * 9}]} for row in ROWS]
        write_lines(folder.dataset / "train.jsonl", long)
    # Unsloth wants to be loaded before transformers.
    ended = run(folder, cold=settings.get("backend") == "unsloth")
    assert ended.code == 1
    assert reason in ended.errors.splitlines()[-1]
    (error,) = of_kind(ended.events, "error")
    assert (error["type"], error["traceback"]) == ("RlftError", "")


def test_killed_at_any_moment_it_goes_on(whole: Ended, tiny_model: Path, tmp_path: Path) -> None:
    """Once while a checkpoint is written, once between two; benchmarks/kill_resume.py does it 20 times."""
    folder = training_folder(
        tmp_path / "killed", "sft", tiny_model, **(CHECKPOINTED | {"checkpoint_every": 1})
    )

    def half_written() -> bool:
        return any(
            int(path.name.split("-")[1]) > 1 and not (path / MANIFEST).exists()
            for path in folder.checkpoints.glob("checkpoint-*")
        )

    for moment in (half_written, seen(folder, lambda event: event.fields.get("step", 0) >= 6)):
        process = start("sft", folder.root)
        while not moment() and process.poll() is None:
            time.sleep(0.001)
        process.kill()
        finish(process)
    last = run(folder)
    assert last.code == 0, last.errors
    resumed = [row["done"] for row in of_kind(last.events, "control") if row["asked"] == "resume"]
    assert len(resumed) == 2
    assert losses(last) == pytest.approx(losses(whole), abs=1e-5)
