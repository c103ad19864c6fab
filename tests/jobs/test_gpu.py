"""What only a GPU can show, on a random Llama of the 1B class: QLoRA, paged optimisers, Unsloth."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from rlft_tui.jobs.unsloth_backend import probe
from rlft_tui.runs.specs.adaptation import Lora
from tests.conftest import wait_for
from tests.jobs.conftest import Ended
from tests.jobs.job_process import (
    JOB_SECONDS,
    events,
    finish,
    of_kind,
    seen,
    start,
    training_folder,
    values,
)
from tests.tiny_model import make_tiny_model

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]
PLAN: dict[str, Any] = {
    "max_steps": 12,
    "batch_size": 4,
    "learning_rate": 2e-4,
    "lora": Lora(r=16, alpha=32),
    "checkpoint_every": 6,
    "sample_every": 0,
    "precision": "bf16",
}
WEIGHTS_MB = 1900
"""Of the base in bfloat16."""


@pytest.fixture(scope="module")
def llama_1b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """26 layers of width 2048: about a thousand million random weights in bfloat16."""
    return make_tiny_model(
        tmp_path_factory.mktemp("models") / "llama", width=2048, layers=26, heads=32, dtype="bfloat16"
    )


def trained(root: Path, method: str, model: Path, **settings: Any) -> Ended:
    folder = training_folder(root, method, model, **(PLAN | settings))
    code, errors = finish(start(method, folder.root))
    assert code == 0, errors
    return Ended(folder, code, errors, events(folder))


def losses(run: Ended) -> list[float]:
    return list(values(run.events, "loss").values())


def gpu_memory(run: Ended) -> float:
    return max(row["cuda_memory_mb"] for row in of_kind(run.events, "metrics"))


@pytest.fixture(scope="module")
def plain(llama_1b: Path, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    return trained(tmp_path_factory.mktemp("runs") / "plain", "sft", llama_1b)


@pytest.fixture(scope="module")
def qlora(llama_1b: Path, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    return trained(tmp_path_factory.mktemp("runs") / "qlora", "sft", llama_1b, quantization="nf4")


def test_qlora_learns_in_less_memory_than_the_base_alone_takes(plain: Ended, qlora: Ended) -> None:
    assert losses(qlora)[-1] < 0.9 * losses(qlora)[0]
    assert gpu_memory(plain) > WEIGHTS_MB
    assert gpu_memory(qlora) < 0.6 * gpu_memory(plain)


def test_qlora_resumes_to_the_same_numbers(qlora: Ended, llama_1b: Path, tmp_path: Path) -> None:
    folder = training_folder(tmp_path / "stopped", "sft", llama_1b, **(PLAN | {"quantization": "nf4"}))
    process = start("sft", folder.root)
    reached = seen(folder, lambda event: event.kind == "metrics" and event.fields["step"] >= 5)
    wait_for(lambda: reached() or process.poll() is not None, "step 5", JOB_SECONDS)
    process.send_signal(signal.SIGTERM)
    assert finish(process)[0] == 0
    if of_kind(events(folder), "end")[-1]["status"] == "stopped":
        assert finish(start("sft", folder.root))[0] == 0
    # GPU kernels add in no fixed order.
    assert list(values(events(folder), "loss").values()) == pytest.approx(losses(qlora), rel=2e-2)


def test_full_fine_tuning_with_a_paged_optimiser(llama_1b: Path, tmp_path: Path) -> None:
    run = trained(
        tmp_path / "full",
        "sft",
        llama_1b,
        adaptation="full",
        optimizer="paged_adamw_8bit",
        gradient_checkpointing=True,
        learning_rate=1e-5,
    )
    assert losses(run)[-1] < losses(run)[0]
    assert (run.folder.model / "config.json").is_file()


@pytest.mark.parametrize("method", ["sft", "dpo"])
@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_unsloth_trains_as_the_plain_backend_does(
    llama_1b: Path, tmp_path: Path, method: str, quantization: str
) -> None:
    if reason := probe():
        pytest.skip(f"unsloth: {reason}")
    run = trained(tmp_path / "unsloth", method, llama_1b, backend="unsloth", quantization=quantization)
    plain = trained(tmp_path / "plain", method, llama_1b, quantization=quantization)
    # Another start of the adapter's random half, other kernels: the same way down.
    assert losses(run)[0] == pytest.approx(losses(plain)[0], rel=2e-2)
    assert losses(run)[-1] == pytest.approx(losses(plain)[-1], rel=0.2)
    assert (run.folder.model / "adapter_model.safetensors").is_file()


def test_an_adapter_that_unsloth_trained_loads_in_plain_peft(llama_1b: Path, tmp_path: Path) -> None:
    if reason := probe():
        pytest.skip(f"unsloth: {reason}")
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    run = trained(tmp_path / "unsloth", "sft", llama_1b, backend="unsloth", max_steps=2)
    base = AutoModelForCausalLM.from_pretrained(llama_1b, dtype=torch.bfloat16).to("cuda")
    model = PeftModel.from_pretrained(base, run.folder.model)
    ids = torch.arange(3, 40, device="cuda")[None]
    with torch.no_grad():
        changed = model(ids).logits
        with model.disable_adapter():
            before = model(ids).logits
    assert not torch.allclose(changed, before)
