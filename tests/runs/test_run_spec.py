"""What a run is asked to do: one typed spec a method, the same in TOML, form and flags."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from rlft_tui.errors import RlftError
from rlft_tui.runs.methods import TRAINING_METHODS
from rlft_tui.runs.run_spec import SPECS, parse_spec, read_spec, write_spec
from rlft_tui.runs.spec_toml import read_toml
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


@pytest.mark.parametrize(
    ("method", "values", "said"),
    [
        ("sft", {"seed": -1}, "seed: input should be greater than or equal to 0"),
        ("sft", {"seed": 2**32}, "seed: input should be less than or equal to 4294967295"),
        ("sft", {"seed": 2**63}, "seed: no whole number of 64 bits"),
        ("sft", {"learning_rate": float("nan")}, "learning_rate: is not a finite number"),
        ("sft", {"max_grad_norm": float("inf")}, "max_grad_norm: is not a finite number"),
        ("sft", {"sampling": {"temperature": float("inf")}}, "sampling.temperature: is not a finite number"),
        ("dpo", {"max_steps": 10**9 + 1}, "max_steps: input should be less than or equal to"),
        ("grpo", {"max_steps": 10**9 + 1, "rewards": "length"}, "max_steps: input should be less than"),
        ("ppo", {"max_steps": 10**9 + 1, "rewards": "length"}, "max_steps: input should be less than"),
        ("dpo", {"batch_size": 10**6 + 1}, "batch_size: input should be less than or equal to"),
        ("grpo", {"batch_size": 10**6 + 1, "rewards": "length"}, "batch_size: input should be less than"),
        ("sft", {"gradient_accumulation": 10**6 + 1}, "gradient_accumulation: input should be less than"),
        ("sft", {"output_name": "../x"}, "output_name: string should match pattern '^([A-Za-z0-9]"),
        ("sft", {"lora": {"targets": ""}}, "lora.targets: name layers with commas"),
        ("sft", {"lora": {"targets": "q_proj, ,"}}, "lora.targets: name layers with commas"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_value_that_no_run_could_use_is_refused_by_name(
    method: str, values: dict[str, Any], said: str
) -> None:
    with pytest.raises(RlftError) as caught:
        spec_of(method, **values)
    assert caught.value.what.startswith(said)


def test_a_generation_makes_its_seed_from_minus_one_only() -> None:
    model = {"name": "m", "path": "/m"}
    values = {"id": "x", "method": "generate", "model_a": model, "model_b": model}
    made = parse_spec({**values, "seed": -1})
    assert 0 <= made.seed < 2**32
    for seed in (-2, 2**32):
        with pytest.raises(RlftError, match="seed: input should be"):
            parse_spec({**values, "seed": seed})


def test_a_spec_file_is_a_regular_text_file_with_or_without_a_mark(tmp_path: Path) -> None:
    file = tmp_path / "spec.toml"
    file.write_bytes(b"\xef\xbb\xbfseed = 3\n")
    assert read_toml(file) == {"seed": 3}
    file.write_text(f"seed = {'9' * 5000}\n")
    for read in (read_toml, read_spec):
        with pytest.raises(RlftError, match="not valid TOML: a number in it is too long"):
            read(file)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(RlftError, match="a spec is read from a regular file"):
            read_toml(path)
