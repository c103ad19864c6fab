"""The launch form says what the run spec says, and nothing of its own."""

from __future__ import annotations

import pytest

from rlft_tui.runs.run_spec import parse_spec
from rlft_tui.runs.specs.dpo import DpoSpec
from rlft_tui.runs.specs.generate import GenerateSpec
from rlft_tui.tui.launch_form import FIRST, NAMED, LaunchForm


def filled(method: str = "dpo") -> LaunchForm:
    form = LaunchForm("dpo" if method == "dpo" else "generate")
    for name in NAMED - {"prompts"}:
        if any(field.name == name for field in form.fields):
            form.set(name, "something")
    return form


@pytest.mark.parametrize(("method", "spec"), [("dpo", DpoSpec), ("generate", GenerateSpec)])
def test_every_setting_of_the_spec_stands_in_the_form(method: str, spec: type) -> None:
    form = filled(method)
    tops = {field.name.partition(".")[0] for field in form.fields}
    assert tops == set(spec.model_fields) - {"id", "method"}
    assert tuple(f.name for f in form.fields if f.first) == FIRST[form.method]


@pytest.mark.parametrize("method", ["dpo", "generate"])
def test_untouched_form_is_valid_and_sends_only_the_names(method: str) -> None:
    form = filled(method)
    assert form.errors() == {}
    assert set(form.values()) - {"id", "method"} <= NAMED


def test_help_comes_from_the_spec() -> None:
    assert "eq. 7" in filled().field_named("beta").help


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("max_steps", "0", "must be greater than or equal to 1"),
        ("max_steps", "many", "must be a valid integer"),
        ("learning_rate", "2", "must be less than 1"),
        ("lora.r", "1000", "must be less than or equal to 512"),
        ("precision", "fp8", "must be 'auto', 'fp32' or 'bf16'"),
    ],
)
def test_a_wrong_value_is_one_line_at_its_field(name: str, text: str, says: str) -> None:
    form = filled()
    form.set(name, text)
    assert form.errors() == {name: says}
    form.set(name, "")
    assert form.errors() == {}


def test_names_are_checked_against_the_workspace() -> None:
    form = LaunchForm("dpo")
    assert form.errors() == {"model": "choose one", "dataset": "choose one"}
    form.known = {"model": ("smollm2-135m",)}
    form.set("model", "gpt")
    form.set("dataset", "abc")
    assert form.errors() == {"model": "no model of this name here"}


def test_values_carry_changes_typed_and_parsed_and_make_a_spec() -> None:
    form = filled()
    form.set("max_steps", "80")
    form.set("lora.r", "8")
    form.set("evaluate", "false")
    values = form.values()
    assert values["max_steps"] == 80
    assert values["lora"] == {"r": 8, "alpha": 32, "dropout": 0.0}
    assert values["evaluate"] is False
    spec = parse_spec({**values, "model": {"name": "m", "path": "p"}})
    assert isinstance(spec, DpoSpec)
    assert spec.lora.r == 8


def test_a_changed_part_of_a_group_keeps_the_rest_of_the_specs_default() -> None:
    form = filled()
    form.set("sampling.temperature", "0")
    assert form.values()["sampling"] == {"temperature": 0.0, "top_p": 1.0, "max_new_tokens": 64}


def test_generate_asks_for_a_number_of_prompts() -> None:
    form = filled("generate")
    assert form.prompt_count == 50
    form.set("prompts", "0")
    assert form.errors() == {"prompts": "must be a whole number from 1"}
