"""The launch form says what the run spec says, and nothing of its own."""

from __future__ import annotations

import shlex
import tomllib
from typing import Any

import pytest

from rlft_tui.cli.main import load_noun
from rlft_tui.cli.spec_flags import given_values
from rlft_tui.datasets.dataset import Dataset
from rlft_tui.errors import RlftError
from rlft_tui.models.model import Model
from rlft_tui.runs.launch_values import check_values, complete, layered
from rlft_tui.runs.machine import Machine
from rlft_tui.runs.run_spec import METHODS, SPECS, TRAINING_METHODS, parse_spec
from rlft_tui.runs.spec_fields import spec_fields
from rlft_tui.runs.spec_toml import parse_toml, write_toml
from rlft_tui.tui.launch_form import FIRST, PROMPTS, LaunchForm, first_fields
from rlft_tui.tui.launch_labels import MOST, label
from rlft_tui.tui.launch_notes import notes, unrunnable


def filled(method: str = "dpo", **more: Any) -> LaunchForm:
    form = LaunchForm(method, **more)
    for field in form.fields:
        if field.kind in ("model", "dataset"):
            form.set(field.name, "something")
    return form


def understood(command: str) -> dict[str, Any]:
    """What the command line takes the form's command to mean, defaults written out."""
    program, noun, verb, *words = shlex.split(command)
    assert program == "rlft"
    given = load_noun(noun).commands[verb].make_context(verb, words).params
    method = "generate" if verb == "generate" else verb
    values = layered(method, preset_name=given.get("preset", ""), flags=given_values(method, given))
    return complete(method, values)


@pytest.mark.parametrize("method", METHODS)
def test_every_setting_of_the_spec_stands_in_the_form_and_those_that_matter_first(method: str) -> None:
    form = filled(method)
    names = [field.name for field in form.fields if field.name != PROMPTS]
    assert names == [field.name for field in spec_fields(SPECS[method])]
    assert [field.name for field in first_fields(method)] == list(FIRST[method])
    labels = [label(field) for field in form.fields]
    assert len(set(labels)) == len(labels)
    assert all(0 < len(text) <= MOST for text in labels)


@pytest.mark.parametrize("method", METHODS)
def test_untouched_form_is_valid_and_sends_only_the_names(method: str) -> None:
    form = filled(method)
    assert form.errors() == {}
    assert set(form.values()) - {"id", "method"} <= {"model", "dataset", "model_a", "model_b"}


@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_the_command_says_what_the_form_sends(method: str) -> None:
    form = filled(method, preset="quick")
    for name, text in (("max_steps", "80"), ("lora.r", "8"), ("evaluate", "false"), ("trackers", "wandb")):
        form.set(name, text)
    sent = form.values()
    assert (sent["max_steps"], sent["lora"]["r"], sent["evaluate"]) == (80, 8, False)
    del sent["id"]
    assert understood(form.command()) == complete(method, sent)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("max_steps", "-1", "must be greater than or equal to 0"),
        ("max_steps", "many", "must be a valid integer"),
        ("learning_rate", "2", "must be less than 1"),
        ("lora.r", "1000", "must be less than or equal to 512"),
        ("quantization", "nf5", "must be 'none', 'nf4' or 'int8'"),
        ("trackers", "wandb,mlflow", "must be 'tensorboard', 'wandb' or 'trackio'"),
    ],
)
def test_a_wrong_value_is_one_line_at_its_field(name: str, text: str, says: str) -> None:
    form = filled()
    form.set(name, text)
    assert form.errors() == {name: says}
    form.set(name, "")
    assert form.errors() == {}


def test_a_reward_that_is_not_there_is_told_at_the_rewards() -> None:
    form = filled("grpo")
    form.set("rewards", "lenght:0.5")
    assert list(form.errors()) == ["rewards"]
    assert "Did you mean length?" in form.errors()["rewards"]


def test_names_are_checked_against_the_workspace() -> None:
    form = LaunchForm("dpo")
    assert form.errors() == {"model": "choose one", "dataset": "choose one"}
    form.known = {"model": ("smollm2-135m",)}
    form.set("model", "gpt")
    form.set("dataset", "abc")
    assert form.errors() == {"model": "no model of this name here"}


def test_a_changed_part_of_a_group_keeps_the_rest_of_the_specs_default() -> None:
    form = filled("sft")
    form.set("lora.r", "8")
    spec = parse_spec({**form.values(), "model": {"name": "m", "path": "p"}})
    assert spec.lora.model_dump()["dropout"] == 0.05  # type: ignore[attr-defined]


def test_another_preset_changes_what_was_not_typed() -> None:
    form = filled(preset="quick")
    form.set("max_steps", "7")
    form.begin_with("low-memory")
    assert (form.text("max_steps"), form.text("lora.r"), form.text("max_length")) == ("7", "4", "512")
    form.begin_with("")
    assert (form.text("max_steps"), form.text("lora.r")) == ("7", "16")
    assert "--preset" not in form.command()


def test_a_cloned_run_begins_with_its_settings_and_names_its_parent() -> None:
    parent = {**filled("grpo").values(), "model": {"name": "m", "path": "p"}, "max_steps": 9, "id": "grpo-1"}
    clone = parse_spec({**parent, "rewards": ["length:0.5"]}).model_dump(mode="json")
    form = LaunchForm("grpo", clone=clone)
    assert (form.text("model"), form.text("max_steps"), form.text("rewards")) == ("m", "9", "length:0.5")
    form.set("max_steps", "10")
    values = form.values()
    assert (values["parent"], values["max_steps"], values["rewards"]) == ("grpo-1", 10, ["length:0.5"])
    assert values["id"] != "grpo-1"
    check_values(values, where="clone")
    words = shlex.split(form.command())
    assert words[3:5] == ["--clone", "grpo-1"]
    assert words[-2:] == ["--max-steps", "10"]
    form.begin_with("quick")
    assert (form.text("model"), form.text("max_steps"), form.text("batch_size")) == ("m", "10", "4")
    assert "parent" not in form.values()


def test_another_method_keeps_what_a_cloned_run_chose_where_it_has_that_too() -> None:
    parent = {**filled("dpo").values(), "id": "dpo-1", "model": {"name": "m", "path": "p"}}
    chosen = {"max_steps": 9, "batch_size": 2, "max_length": 200, "beta": 0.3, "output_name": "mine"}
    clone = parse_spec({**parent, **chosen, "lora": {"r": 4}}).model_dump(mode="json")
    form = LaunchForm("dpo", clone=clone)
    form.set("max_steps", "11")
    other = form.for_method("sft")
    shown = [other.text(name) for name in ("model", "dataset", "max_steps", "batch_size", "lora.r")]
    assert shown == ["m", "something", "11", "2", "4"]
    assert (other.text("max_length"), other.text("output_name")) == ("200", "")
    assert other.text("learning_rate") == LaunchForm("sft").text("learning_rate")
    assert other.errors() == {}
    assert "--clone" not in other.command()
    assert form.for_method("generate").text("model_a") == ""
    assert LaunchForm("dpo", preset="quick").for_method("sft").command() == (
        LaunchForm("sft", preset="quick").command()
    )


def test_a_cloned_generate_run_is_a_command_of_its_own() -> None:
    source = {"name": "m", "path": "/m"}
    spec = parse_spec(
        {"method": "generate", "id": "g", "model_a": source, "model_b": source, "sampling_b": {"top_p": 0.5}}
    )
    form = LaunchForm("generate", clone=spec.model_dump(mode="json"))
    words = shlex.split(form.command())
    assert words[:3] == ["rlft", "pairs", "generate"]
    assert words[words.index("--top-p-b") + 1] == "0.5"
    assert "--clone" not in words


def test_the_models_of_a_run_toml_are_taken_by_name() -> None:
    form = filled()
    form.take({"model": {"name": "other", "path": "/o", "adapter": ""}}, where="run.toml")
    assert form.text("model") == "other"


@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_settings_go_to_toml_and_back(method: str) -> None:
    form = filled(method, preset="quick")
    form.set("max_steps", "7")
    form.set("alarms.nonfinite", "stop")
    other = filled(method, preset="quick")
    other.take(parse_toml(write_toml(method, form.plain()), where="file"), where="file")
    assert {**other.values(), "id": ""} == {**form.values(), "id": ""}
    assert other.command() == form.command()


def test_toml_with_a_wrong_value_is_taken_and_told_at_its_field() -> None:
    form = filled()
    form.take(tomllib.loads('max_steps = "x"\n[lora]\nr = 0'), where="file")
    assert form.errors() == {
        "max_steps": "must be a valid integer",
        "lora.r": "must be greater than or equal to 1",
        "model": "choose one",
        "dataset": "choose one",
    }
    again = tomllib.loads(write_toml("dpo", form.plain()))
    assert (again["max_steps"], again["lora"]["r"]) == ("x", 0)


@pytest.mark.parametrize(
    ("text", "says"),
    [("bta = 0.2", "Did you mean beta?"), ('method = "kto"', "a spec for kto"), ("lora = 4", "not a table")],
)
def test_toml_that_cannot_be_taken_changes_nothing(text: str, says: str) -> None:
    form = filled()
    form.set("max_steps", "7")
    with pytest.raises(RlftError, match=says.replace("?", r"\?")):
        form.take(tomllib.loads(text), where="file")
    assert form.text("max_steps") == "7"


def test_generate_asks_for_a_number_of_prompts() -> None:
    form = filled("generate")
    assert form.prompt_count == 50
    form.set(PROMPTS, "0")
    assert form.errors() == {PROMPTS: "must be a whole number from 1"}


def test_what_the_machine_cannot_run_is_told_at_once() -> None:
    form = filled()
    for name, text in (("backend", "unsloth"), ("quantization", "nf4"), ("precision", "fp16")):
        form.set(name, text)
    told = unrunnable(form, Machine())
    assert set(told) == {"backend", "quantization", "precision"}
    assert told["backend"] == "needs a GPU, and there is none here: take plain"
    all_there = Machine(("H100",), {"unsloth": "1", "bitsandbytes": "1"})
    assert unrunnable(form, all_there) == {}
    assert "pip install" in unrunnable(form, Machine(("H100",), {}))["backend"]


def test_steps_are_shown_as_epochs_of_the_data() -> None:
    data = Dataset("something", "first", "/d", train_rows=80, heldout_rows=20, created_at=0.0)
    form = filled()
    assert notes(form, [data])["max_steps"] == "≈ 2.0 epochs of 80 rows"
    assert notes(form, [data])["dataset"] == "80 train · 20 held out"
    form.set("max_steps", "0")
    assert notes(form, [data])["max_steps"].startswith("by epochs")
    form.set("max_steps", "many")
    assert "max_steps" not in notes(form, [data])
    form.set("adaptation", "full")
    assert notes(form, [data])["lora.r"] == "not used: every weight is trained"


def test_what_can_reward_stands_at_the_rewards() -> None:
    judge = Model("judge", "reward", "/models/judge")
    assert notes(filled("ppo"), [], [judge])["rewards"].startswith("model:judge, ")
    assert "length" in notes(filled("grpo"), [])["rewards"].split(", ")
    assert "rewards" not in notes(filled("dpo"), [])
