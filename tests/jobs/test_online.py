"""GRPO and RLOO runs as their folders tell them: rewards by part, answers, exact resume, TRL's numbers.

GRPO trains every weight and RLOO adapters: the tiny model's frozen head is too small for adapters to
learn much within a few steps.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rlft_tui.errors import UnavailableError
from rlft_tui.jobs.grpo import Grpo
from rlft_tui.runs.run_event import RunEvent
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import ModelSource
from rlft_tui.runs.specs.grpo import GrpoSpec
from tests.jobs import bare_online
from tests.jobs.bare_trl import bare_losses
from tests.jobs.conftest import Ended
from tests.jobs.job_here import stopped_and_resumed_here
from tests.jobs.job_process import events, finish, of_kind, start, training_folder, values

METHODS = ("grpo", "rloo")
STEPS = 20
STOPPED = 11
"""An odd step: GRPO takes two on the same answers, so it lies between them."""
OWN: dict[str, dict[str, Any]] = {
    "grpo": {"beta": 0.02, "iterations": 2, "adaptation": "full"},
    "rloo": {"beta": 0.05},
}
BARE: dict[str, Callable[..., Any]] = {"grpo": bare_online.grpo, "rloo": bare_online.rloo}


def online_folder(root: Path, method: str, model: Path, **settings: Any) -> RunFolder:
    defaults = {
        "rewards": bare_online.REWARDS,
        "max_steps": STEPS,
        "batch_size": 16,
        "max_new_tokens": 12,
        "learning_rate": 2e-2,
        "sample_every": 10,
        "checkpoint_every": STEPS,
        **OWN[method],
    }
    folder = training_folder(root, method, model, **{**defaults, **settings})
    folder.rewards.mkdir()
    (folder.rewards / "letters.py").write_text(bare_online.LETTERS)
    return folder


@pytest.fixture(scope="module")
def trained(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """One run of each method, side by side."""
    root = tmp_path_factory.mktemp("online")
    folders = {method: online_folder(root / method, method, tiny_model) for method in METHODS}
    processes = {method: start(method, folder.root, cold=True) for method, folder in folders.items()}
    ended = {}
    for method, folder in folders.items():
        code, errors = finish(processes[method])
        ended[method] = Ended(folder, code, errors, events(folder))
    return ended


@pytest.fixture(scope="module")
def resumed(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """The same runs, stopped on the way and resumed."""
    root = tmp_path_factory.mktemp("resumed")
    folders = {method: online_folder(root / method, method, tiny_model) for method in METHODS}
    return {method: stopped_and_resumed_here(folders[method], method, STOPPED) for method in METHODS}


def drawn_at(method: str) -> list[int]:
    """Steps with new answers."""
    return list(range(1, STEPS + 1, OWN[method].get("iterations", 1)))


def samples(found: list[RunEvent], index: int) -> list[dict[str, Any]]:
    return [sample for sample in of_kind(found, "sample") if sample["index"] == index]


@pytest.mark.parametrize("method", METHODS)
def test_it_ends_well_and_measures_before_and_after(trained: dict[str, Ended], method: str) -> None:
    run = trained[method]
    assert run.code == 0, run.errors
    assert of_kind(run.events, "end")[-1] == {"status": "finished", "model": str(run.folder.model)}
    total = values(run.events, "heldout/reward")
    letters, length = (values(run.events, f"heldout/rewards/{name}") for name in ("letters", "length"))
    assert list(total) == [0, STEPS]
    assert total[STEPS] == pytest.approx(2 * letters[STEPS] + 0.5 * length[STEPS])


def test_it_learns_what_is_rewarded_also_on_held_out_prompts(trained: dict[str, Ended]) -> None:
    run = trained["grpo"]
    rewards = list(values(run.events, "rewards/letters/mean").values())
    assert sum(rewards[-3:]) / 3 > sum(rewards[:3]) / 3 + 0.2
    held_out = values(run.events, "heldout/rewards/letters")
    assert held_out[STEPS] > held_out[0] + 0.2


@pytest.mark.parametrize("method", METHODS)
def test_its_losses_are_those_of_a_bare_trl_script(trained: dict[str, Ended], method: str) -> None:
    run = trained[method]
    losses = list(values(run.events, "loss").values())
    assert losses == pytest.approx(bare_losses(run.folder, BARE[method]), abs=1e-4)
    assert len(losses) == STEPS


@pytest.mark.parametrize("method", METHODS)
def test_a_resumed_run_is_the_run_it_would_have_been(
    trained: dict[str, Ended], resumed: dict[str, Ended], method: str
) -> None:
    again = resumed[method]
    assert again.code == 0
    assert [row["done"] for row in of_kind(again.events, "control")] == [
        f"saved and verified the checkpoint of step {STOPPED}",
        f"resuming from step {STOPPED}",
    ]
    for key in ("loss", "reward", "kl", "completions/mean_length", "num_tokens"):
        expected = values(trained[method].events, key)
        assert values(again.events, key) == pytest.approx(expected, rel=1e-4, abs=1e-5), key
    for key in ("heldout/reward", "kl/sequence"):
        last = values(trained[method].events, key)[STEPS]
        assert values(again.events, key)[STEPS] == pytest.approx(last, rel=1e-4, abs=1e-4), key


@pytest.mark.parametrize(("method", "unit"), [("grpo", "nats/token (k3)"), ("rloo", "nats/token (k1)")])
def test_every_step_has_what_the_alarms_watch_with_units(
    trained: dict[str, Ended], method: str, unit: str
) -> None:
    rows = [row for row in of_kind(trained[method].events, "metrics") if "reward" in row["values"]]
    wanted = {
        "kl": unit,
        "entropy": "nats/token",
        "reward": "reward",
        "rewards/letters/mean": "reward",
        "rewards/length/std": "reward",
        "frac_reward_zero_std": "share of groups",
        "completions/clipped_ratio": "share of answers",
        "completions/mean_length": "tokens",
        "completions/distinct_2": "share",
        "completions/twins": "share of answers",
    }
    for row in rows:
        assert row["values"].keys() >= wanted.keys() | {"loss", "grad_norm", "reward_std", "num_tokens"}
        assert {key: row["units"][key] for key in wanted} == wanted
    assert [row["step"] for row in rows] == drawn_at(method)


@pytest.mark.parametrize("method", METHODS)
def test_the_best_and_the_worst_answer_of_each_step_are_written_down(
    trained: dict[str, Ended], method: str
) -> None:
    found = trained[method].events
    best, worst = samples(found, 1000), samples(found, 1001)
    assert [one["step"] for one in best] == [one["step"] for one in worst] == drawn_at(method)
    mean = values(found, "reward")
    for high, low in zip(best, worst, strict=True):
        assert (high["of"], low["of"]) == ("best", "worst")
        assert high["reward"] >= mean[high["step"]] - 1e-6 >= low["reward"] - 2e-6
        for one in (high, low):
            parts = one["rewards"]
            assert one["reward"] == pytest.approx(2 * parts["letters"] + 0.5 * parts["length"])
            text = [[{"role": "assistant", "content": one["completion"]}]]
            assert bare_online.letters(text) == pytest.approx([parts["letters"]])
            assert bare_online.length(text) == pytest.approx([parts["length"]])
            assert one["prompt"].startswith("Say ")
            assert 0 <= one["tokens"] <= 12
    # At the first step the policy is its own reference; then it moves away.
    assert best[0]["kl"] == pytest.approx(0.0, abs=1e-4)
    assert max(abs(one["kl"]) for one in best) > 0.02


@pytest.mark.parametrize("method", METHODS)
def test_the_fixed_prompts_are_answered_and_rewarded(trained: dict[str, Ended], method: str) -> None:
    found = trained[method].events
    fixed = samples(found, 0)
    assert [one["step"] for one in fixed] == [0, 10, STEPS]
    for one in fixed:
        parts = one["rewards"]
        assert one["reward"] == pytest.approx(2 * parts["letters"] + 0.5 * parts["length"])
    means = values(found, "samples/reward")
    both = [one["reward"] for one in (*samples(found, 0), *samples(found, 1)) if one["step"] == STEPS]
    assert means[STEPS] == pytest.approx(sum(both) / 2)


def test_vllm_that_is_not_installed_is_one_line_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rlft_tui.jobs.online.find_spec", lambda name: None)
    spec = GrpoSpec(id="run", model=ModelSource(name="tiny", path="/tiny"), dataset="abc", vllm=True)
    job: Any = SimpleNamespace(folder=RunFolder(tmp_path))
    with pytest.raises(UnavailableError) as caught:
        Grpo().check(job, spec, [])
    assert str(caught.value) == (
        "vllm needs the package, which is not installed. pip install 'trl[vllm]', or leave vllm off"
    )
