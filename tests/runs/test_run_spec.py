"""What a run is asked to do: one typed spec a method, the same in TOML, form and flags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from rlft_tui.errors import RlftError
from rlft_tui.runs.methods import TRAINING_METHODS
from rlft_tui.runs.run_spec import SPECS, parse_spec, read_spec, write_spec
from rlft_tui.runs.specs.dpo import DpoSpec
from rlft_tui.runs.specs.kto import KtoSpec
from rlft_tui.runs.specs.sft import SftSpec
from rlft_tui.runs.specs.training import TrainingSpec

OF_A_RUN_BEFORE = """\
id = "dpo-old"
method = "dpo"
dataset = "3f2a9c01b7de"
beta = 0.2
learning_rate = 5e-05
max_steps = 40
batch_size = 4
gradient_accumulation = 1
max_length = 512
warmup_fraction = 0.1
max_grad_norm = 1.0
precision = "auto"
threads = 0
seed = 0
checkpoint_every = 20
keep_checkpoints = 2
sample_every = 10
sample_prompts = 4
evaluate = true
output_name = ""
stop_seconds = 180.0

[model]
name = "b"
path = "/b"
adapter = "/a"

[lora]
r = 8
alpha = 32
dropout = 0.0

[sampling]
temperature = 0.7
top_p = 1.0
max_new_tokens = 64
"""
"""Written by the first version, which knew DPO with LoRA only."""


def spec_of(method: str, **more: Any) -> TrainingSpec:
    values = {"id": "x", "method": method, "model": {"name": "m", "path": "/m"}, "dataset": "d", **more}
    spec = parse_spec(values)
    assert isinstance(spec, TrainingSpec)
    return spec


@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_a_spec_survives_its_file(tmp_path: Path, method: str) -> None:
    spec = spec_of(method, max_steps=7, seed=3)
    write_spec(spec, tmp_path / "run.toml")
    assert read_spec(tmp_path / "run.toml") == spec


def test_the_file_of_an_older_run_is_read(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(OF_A_RUN_BEFORE)
    spec = read_spec(tmp_path / "run.toml")
    assert isinstance(spec, DpoSpec)
    assert (spec.beta, spec.lora.r, spec.model.adapter) == (0.2, 8, "/a")
    assert (spec.adaptation, spec.quantization, spec.loss_type, spec.parent) == (
        "lora",
        "none",
        "sigmoid",
        "",
    )


def undocumented(spec: type[BaseModel]) -> list[str]:
    """Settings whose help would be empty."""
    missing = []
    for name, info in spec.model_fields.items():
        group = getattr(info.annotation, "model_fields", None)
        if group is not None:
            missing += [f"{name}.{leaf}" for leaf in undocumented(info.annotation)]  # type: ignore[arg-type]
        elif not info.description and name not in ("method",):
            missing.append(name)
    return missing


@pytest.mark.parametrize("method", SPECS)
def test_every_setting_says_what_it_is(method: str) -> None:
    assert undocumented(SPECS[method]) == []


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"adaptation": "full", "quantization": "nf4"}, "quantization: a quantised base is frozen"),
        ({"method": "dpo", "loss_type": "exo_pair"}, "label_smoothing: exo_pair needs it above 0"),
        ({"optimizer": "adam"}, "optimizer: input should be 'adamw'"),
        ({"lora": {"kind": "vera"}}, "lora.kind: input should be 'lora', 'dora' or 'rslora'"),
        ({"no_such": 1}, "no_such: extra inputs are not permitted"),
        ({"method": "nothing"}, "input tag 'nothing' found using 'method' does not match"),
    ],
)
def test_what_is_wrong_is_one_line(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(RlftError) as caught:
        spec_of(**{"method": "sft", **values})
    assert reason in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert "--help lists every setting" in str(caught.value)


def test_a_part_given_in_part_keeps_the_methods_own_default() -> None:
    spec = spec_of("sft", lora={"r": 4})
    assert isinstance(spec, SftSpec)
    assert (spec.lora.r, spec.lora.dropout) == (4, 0.05)


def test_how_often_rows_come_up() -> None:
    spec = spec_of("kto", batch_size=4, gradient_accumulation=2, max_steps=10)
    assert isinstance(spec, KtoSpec)
    assert (spec.rows_a_step(), spec.passes(20), spec.precomputes(20), spec.precomputes(40)) == (
        8,
        4.0,
        True,
        False,
    )
    assert spec_of("grpo", batch_size=8, generations=4).rows_a_step() == 2
    assert spec_of("sft", max_steps=0, epochs=2.5).passes(1000) == 2.5
