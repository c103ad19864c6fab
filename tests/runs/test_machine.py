"""A setting that this machine cannot run is told with what to take instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlft_tui.runs.machine import Machine, cannot_run

BARE = Machine()
GPU = Machine(("H200",), {"torch": "2"})
WHOLE = Machine(("H200",), {"unsloth": "1", "vllm": "1", "bitsandbytes": "1", "wandb": "1"})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("backend", "unsloth", ("needs a GPU", "not installed")),
        ("vllm", True, ("needs a GPU", "not installed")),
        ("vllm", "true", ("needs a GPU", "not installed")),
        ("quantization", "nf4", ("bitsandbytes", "bitsandbytes")),
        ("trackers", "wandb", ("pip install wandb", "pip install wandb")),
        ("precision", "fp16", ("needs a GPU", "")),
        ("device", "cuda", ("there is no GPU", "")),
    ],
)
def test_what_cannot_run_is_told(name: str, value: object, said: tuple[str, str]) -> None:
    for machine, wanted in zip((BARE, GPU), said, strict=True):
        line = cannot_run({name: value}, machine).get(name, "")
        assert wanted in line
        assert bool(line) == bool(wanted)
    assert cannot_run({name: value}, WHOLE) == {}


def test_vllm_may_be_a_program_of_an_environment_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLFT_VLLM", str(tmp_path / "vllm"))
    assert "no program" in cannot_run({"rollouts": "vllm"}, BARE)["rollouts"]
    (tmp_path / "vllm").touch(mode=0o755)
    assert cannot_run({"rollouts": "vllm"}, BARE) == cannot_run({"rollouts": "own"}, BARE) == {}


def test_what_is_not_asked_for_needs_nothing() -> None:
    off = {"backend": "plain", "vllm": "false", "quantization": "none", "trackers": "", "device": "auto"}
    assert cannot_run(off, BARE) == {}
