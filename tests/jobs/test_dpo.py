"""A DPO run as its folder tells it: numbers, samples, checkpoints, stop and exact resume."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from rlft_tui.jobs.checkpoints import MANIFEST, verify
from rlft_tui.runs.run_event import number
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import ModelSource
from tests.jobs import bare_trl
from tests.jobs.conftest import Ended
from tests.jobs.job_process import ROWS, dpo_folder, events, finish, of_kind, start, values, write_lines

TRL_KEYS = {
    "loss",
    "grad_norm",
    "learning_rate",
    "entropy",
    "num_tokens",
    "mean_token_accuracy",
    "rewards/chosen",
    "rewards/rejected",
    "rewards/accuracies",
    "rewards/margins",
    "logps/chosen",
    "logps/rejected",
    "logits/chosen",
    "logits/rejected",
}


def weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    return load_file(folder.model / "adapter_model.safetensors")


@pytest.fixture(scope="module")
def resumed(runs: dict[str, Ended]) -> Ended:
    """The stopped run gone on with, after its newest checkpoint was cut short."""
    folder = runs["stopped"].folder
    newest = max(folder.checkpoints.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    optimizer = newest / "optimizer.pt"
    optimizer.write_bytes(optimizer.read_bytes()[:1000])
    code, errors = finish(start("dpo", folder.root))
    return Ended(folder, code, errors, events(folder))


def test_a_run_ends_well_with_an_adapter_that_verifies(runs: dict[str, Ended]) -> None:
    run = runs["whole"]
    assert run.code == 0, run.errors
    (end,) = of_kind(run.events, "end")
    assert end == {"status": "finished", "model": str(run.folder.model)}
    assert verify(run.folder.model).step == 24
    assert all(bool(tensor.isfinite().all()) for tensor in weights(run.folder).values())


def test_the_start_says_what_runs_where(runs: dict[str, Ended]) -> None:
    (start_event,) = of_kind(runs["whole"].events, "start")
    assert start_event["method"] == "dpo"
    assert start_event["attempt"] == 1
    assert start_event["steps"] == 24
    assert start_event["spec"]["lora"]["r"] == 4
    assert start_event["versions"].keys() == {"torch", "transformers", "trl", "peft"}
    assert "float32" in start_event["device"]


def test_every_step_has_every_key_of_trl(runs: dict[str, Ended]) -> None:
    found = runs["whole"].events
    assert list(values(found, "loss")) == list(range(1, 25))
    rows = [row for row in of_kind(found, "metrics") if "loss" in row["values"]]
    assert all(row["values"].keys() >= TRL_KEYS for row in rows)
    assert all(row["steps"] == 24 and row["memory_mb"] > 50 and row["epoch"] > 0 for row in rows)
    tokens = [row["tokens"] for row in rows]
    assert tokens == sorted(set(tokens))
    assert {row["units"]["logps/chosen"] for row in rows} == {"nats/sequence"}


def test_it_learns_what_was_chosen(runs: dict[str, Ended]) -> None:
    found = runs["whole"].events
    loss = values(found, "loss")
    assert loss[1] == pytest.approx(math.log(2), abs=1e-4)
    assert loss[24] < 0.8 * loss[1]
    before, after = (values(found, "heldout/reward_accuracy")[step] for step in (0, 24))
    assert before == 0.5
    assert after == 1.0


def test_the_losses_are_those_of_a_bare_trl_script(runs: dict[str, Ended]) -> None:
    run = runs["whole"]
    expected = bare_trl.bare_losses(run.folder, bare_trl.dpo)
    assert list(values(run.events, "loss").values()) == pytest.approx(expected, abs=1e-4)


def test_full_fine_tuning_goes_on_from_a_whole_model(tiny_model: Path, tmp_path: Path) -> None:
    """Without a second model: the reference's log-probabilities are computed before the first step."""
    folder = dpo_folder(
        tmp_path / "full",
        tiny_model,
        adaptation="full",
        learning_rate=1e-3,
        max_steps=6,
        checkpoint_every=2,
        loss_type="robust",
        label_smoothing=0.1,
        sft_weight=0.2,
        precompute_reference="on",
    )
    code, errors = finish(start("dpo", folder.root))
    assert code == 0, errors
    whole = events(folder)
    expected = bare_trl.bare_losses(folder, bare_trl.dpo)
    assert list(values(whole, "loss").values()) == pytest.approx(expected, abs=1e-4)
    assert values(whole, "kl/sequence") == {}
    verify(folder.model)
    model = load_file(folder.model / "model.safetensors")

    # As if it had been killed after step 5.
    shutil.rmtree(folder.model)
    shutil.rmtree(folder.checkpoints / "checkpoint-6")
    code, errors = finish(start("dpo", folder.root))
    assert code == 0, errors
    again = events(folder)[len(whole) :]
    assert list(values(again, "loss")) == [5, 6]
    for key in ("loss", "heldout/margin", "heldout/reward_accuracy"):
        assert values(again, key)[6] == pytest.approx(values(whole, key)[6], rel=1e-4, abs=1e-5), key
    for name, tensor in load_file(folder.model / "model.safetensors").items():
        torch.testing.assert_close(tensor, model[name], rtol=1e-4, atol=1e-6)


def test_samples_come_from_the_policy_in_training(runs: dict[str, Ended]) -> None:
    samples = of_kind(runs["whole"].events, "sample")
    assert [(s["step"], s["index"]) for s in samples] == [(n, i) for n in (0, 12, 24) for i in (0, 1)]
    assert [s["prompt"] for s in samples[:2]] == ["Say oak.", "Say pine."]
    assert samples[0]["completion"] != samples[4]["completion"]
    kl = values(runs["whole"].events, "kl/sequence")
    assert kl[0] == 0.0
    assert abs(kl[24]) > 0.01
    assert kl[24] == pytest.approx((samples[4]["kl"] + samples[5]["kl"]) / 2)
    units = [row["units"] for row in of_kind(runs["whole"].events, "metrics") if "kl/token" in row["values"]]
    assert units[0]["kl/sequence"] == "nats/sequence"
    assert units[0]["kl/token"] == "nats/token"


def test_only_the_newest_verified_checkpoints_are_kept(runs: dict[str, Ended]) -> None:
    run = runs["whole"]
    told = of_kind(run.events, "checkpoint")
    assert [(c["step"], c["verified"]) for c in told] == [(n, True) for n in (4, 8, 12, 16, 20, 24)]
    left = {path.name for path in run.folder.checkpoints.glob("checkpoint-*")}
    assert left == {"checkpoint-20", "checkpoint-24"}


def test_a_stop_saves_verifies_and_ends_with_0(runs: dict[str, Ended]) -> None:
    run = runs["stopped"]
    assert run.code == 0, run.errors
    (end,) = of_kind(run.events, "end")
    assert end["status"] == "stopped"
    (control,) = of_kind(run.events, "control")
    assert control["asked"] == "SIGTERM"
    last = of_kind(run.events, "checkpoint")[-1]
    assert last["verified"]
    assert control["done"] == f"saved and verified the checkpoint of step {last['step']}"
    assert 9 <= last["step"] < 24
    assert max(values(run.events, "loss")) == last["step"]


def test_a_checkpoint_cut_short_is_skipped_and_said(runs: dict[str, Ended], resumed: Ended) -> None:
    assert resumed.code == 0, resumed.errors
    again = resumed.events[len(runs["stopped"].events) :]
    stop_step = of_kind(runs["stopped"].events, "checkpoint")[-1]["step"]
    bad = of_kind(again, "checkpoint")[0]
    assert (bad["step"], bad["verified"]) == (stop_step, False)
    assert "optimizer.pt is cut short (1000 of" in bad["reason"]
    control = of_kind(again, "control")[0]
    good = max(c["step"] for c in of_kind(runs["stopped"].events, "checkpoint") if c["step"] < stop_step)
    assert control == {"asked": "resume", "done": f"resuming from step {good}"}
    assert of_kind(again, "start")[0]["attempt"] == 2
    assert min(values(again, "loss")) == good + 1


def test_a_resumed_run_is_the_run_it_would_have_been(runs: dict[str, Ended], resumed: Ended) -> None:
    for key in ("loss", "learning_rate", "rewards/margins", "num_tokens", "kl/sequence"):
        expected = values(runs["whole"].events, key)
        assert values(resumed.events, key) == pytest.approx(expected, rel=1e-4, abs=1e-5), key
    expected_weights = weights(runs["whole"].folder)
    for name, tensor in weights(resumed.folder).items():
        torch.testing.assert_close(tensor, expected_weights[name], rtol=1e-4, atol=1e-5)


def test_an_adapter_is_continued_from_where_it_is(
    runs: dict[str, Ended], tiny_model: Path, tmp_path: Path
) -> None:
    earlier = runs["whole"].folder
    source = ModelSource(name="once", path=str(tiny_model), adapter=str(earlier.model))
    folder = dpo_folder(tmp_path / "on", source, max_steps=2, checkpoint_every=1)
    assert finish(start("dpo", folder.root))[0] == 0
    found = events(folder)
    # Its own beginning is its reference.
    assert values(found, "loss")[1] == pytest.approx(math.log(2), abs=1e-4)
    assert values(found, "kl/sequence")[0] == 0.0
    assert values(found, "heldout/margin")[0] == 0.0
    assert values(found, "heldout/loss")[0] == pytest.approx(math.log(2))
    measured = next(row for row in of_kind(found, "metrics") if "heldout/loss" in row["values"])
    assert measured["units"]["heldout/loss"] == "nats/pair"
    before, after = weights(earlier), weights(folder)
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_every_weight_is_trained_from_where_base_and_adapter_are(
    runs: dict[str, Ended], tiny_model: Path, tmp_path: Path
) -> None:
    source = ModelSource(name="once", path=str(tiny_model), adapter=str(runs["whole"].folder.model))
    folder = dpo_folder(tmp_path / "full", source, adaptation="full", max_steps=1)
    code, errors = finish(start("dpo", folder.root))
    assert code == 0, errors
    found = events(folder)
    assert values(found, "loss")[1] == pytest.approx(math.log(2), abs=1e-4)
    assert values(found, "kl/sequence")[0] == 0.0
    before = values(runs["whole"].events, "heldout/likelihood_accuracy")[24]
    assert values(found, "heldout/likelihood_accuracy")[0] == before
    assert not (folder.root / "merged").exists()


def test_nan_is_recorded_told_and_never_kept(tiny_model: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(tiny_model, tmp_path / "broken")
    tensors = load_file(broken / "model.safetensors")
    tensors["model.layers.0.mlp.up_proj.weight"][0, 0] = math.nan
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    folder = dpo_folder(tmp_path / "nan", broken, max_steps=2, checkpoint_every=2, sample_every=0)

    code, errors = finish(start("dpo", folder.root))

    found = events(folder)
    assert code == 1
    assert [math.isnan(number(loss) or 0.0) for loss in values(found, "loss").values()] == [True, True]
    names = [alert["name"] for alert in of_kind(found, "alert")]
    assert names == ["loss not finite", "checkpoint bad"]
    assert not (folder.checkpoints / "checkpoint-2" / MANIFEST).exists()
    assert of_kind(found, "checkpoint")[0]["verified"] is False
    assert of_kind(found, "end") == [{"status": "failed"}]
    assert not folder.model.exists()
    assert "is not finite" in errors.splitlines()[-1]


def test_missing_data_is_one_line_and_exit_code_1(tiny_model: Path, tmp_path: Path) -> None:
    folder = dpo_folder(tmp_path / "missing", tiny_model)
    (folder.dataset / "train.jsonl").unlink()
    code, errors = finish(start("dpo", folder.root))
    assert code == 1
    assert len(errors.splitlines()) == 1
    assert "no data set here" in errors
    (error,) = of_kind(events(folder), "error")
    assert error["type"] == "RlftError"
    assert error["message"] in errors


@pytest.mark.parametrize(
    ("content", "reason"),
    [("method = 'dpo'\nid = 'x'\nbeta = -1\n", "run.toml"), ("not toml", "not valid TOML")],
)
def test_a_broken_spec_is_one_line_and_exit_code_1(tmp_path: Path, content: str, reason: str) -> None:
    folder = RunFolder(tmp_path)
    folder.spec.write_text(content)
    code, errors = finish(start("dpo", folder.root))
    assert code == 1
    assert len(errors.splitlines()) == 1
    assert reason in errors
    assert of_kind(events(folder), "end") == [{"status": "failed"}]


def test_a_bad_row_is_named_by_its_line(tiny_model: Path, tmp_path: Path) -> None:
    folder = dpo_folder(tmp_path / "row", tiny_model)
    write_lines(folder.dataset / "train.jsonl", [ROWS[0], {"prompt": ROWS[0]["prompt"], "chosen": "text"}])
    code, errors = finish(start("dpo", folder.root))
    assert code == 1
    assert "train.jsonl:2: not a preference row" in errors
