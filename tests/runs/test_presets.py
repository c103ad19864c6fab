"""Presets are what was promised, fit their method and make a valid spec."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import rlft_tui.runs.presets.read_presets as presets
from rlft_tui.errors import NotFoundError, UnavailableError
from rlft_tui.runs.launch_values import check_values, layered
from rlft_tui.runs.presets.read_presets import PRESETS, preset
from rlft_tui.runs.run_spec import SPECS, TRAINING_METHODS, TrainingSpec
from rlft_tui.runs.spec_fields import spec_fields

FOLDER = Path(presets.__file__).parent


def spec_of(method: str, name: str) -> TrainingSpec:
    values = {**layered(method, preset_name=name), "id": "r", "model": "m", "dataset": "d"}
    spec = check_values(values, where=name)
    assert isinstance(spec, TrainingSpec)
    return spec


@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_each_preset_makes_a_valid_spec_of_each_method(method: str) -> None:
    quick, production, low, high = (spec_of(method, name) for name in PRESETS)
    assert (quick.max_steps, quick.batch_size, quick.learning_rate) == (50, 4, 1e-4)
    assert (production.max_steps, production.batch_size) == (5000, 16)
    assert (production.adaptation, production.lora.r) == ("lora", 16)
    assert (low.adaptation, low.lora.r, low.gradient_accumulation) == ("lora", 4, 4)
    assert (high.adaptation, high.batch_size, high.device) == ("full", 32, "cuda")


def test_supervised_production_is_qlora_as_it_is_usually_trained() -> None:
    spec = spec_of("sft", "production")
    assert (spec.lora.r, spec.lora.alpha, spec.lora.dropout) == (16, 32, 0.05)
    assert (spec.quantization, spec.optimizer, spec.gradient_checkpointing) == (
        "nf4",
        "paged_adamw_8bit",
        True,
    )
    assert (spec.scheduler, spec.warmup_fraction, spec.max_grad_norm) == ("cosine", 0.03, 0.3)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_names_only_settings_that_there_are(name: str) -> None:
    tables = tomllib.loads((FOLDER / f"{name}.toml").read_text())
    assert tables.pop("about")
    assert set(tables) <= {"every", *SPECS}
    for owner, table in tables.items():
        methods = TRAINING_METHODS if owner == "every" else (owner,)
        known = {field.path for method in methods for field in spec_fields(SPECS[method])}
        paths = {
            (key, inner) if isinstance(value, dict) else (key,)
            for key, value in table.items()
            for inner in (value if isinstance(value, dict) else ("",))
        }
        assert paths <= known


def test_a_preset_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(NotFoundError, match="Did you mean production"):
        preset("dpo", "prodution")


def test_a_run_that_wants_a_gpu_is_refused_where_there_is_none() -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is one here")
    from rlft_tui.jobs.model_loading import choose_device

    assert choose_device("auto") == choose_device("cpu") == "cpu"
    with pytest.raises(UnavailableError, match="device cuda needs a GPU"):
        choose_device("cuda")
