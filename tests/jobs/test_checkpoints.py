"""A checkpoint counts only when every byte of it is known to be there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from rlft_tui.errors import RlftError
from rlft_tui.jobs.checkpoints import (
    ADAPTER,
    MANIFEST,
    STATE,
    find_best,
    find_last_good,
    remove_old,
    seal,
    verify,
)


def write_checkpoint(root: Path, step: int, value: float = 1.0) -> Path:
    folder = root / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    for name in (*ADAPTER, *STATE):
        (folder / name).write_bytes(b"x" * 100)
    save_file({"weight": torch.full((4, 4), value)}, folder / "adapter_model.safetensors")
    return folder


def sealed(root: Path, *steps: int) -> list[Path]:
    folders = [write_checkpoint(root, step) for step in steps]
    for step, folder in zip(steps, folders, strict=True):
        seal(folder, step=step, tokens=10 * step)
    return folders


def test_the_newest_whole_one_is_found(tmp_path: Path) -> None:
    sealed(tmp_path, 5, 10, 100)
    good, bad = find_last_good(tmp_path)
    assert good is not None
    assert (good.step, good.tokens, bad) == (100, 1000, [])


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (
            lambda f: (f / "optimizer.pt").write_bytes(b"x" * 99),
            "optimizer.pt is cut short (99 of 100 bytes)",
        ),
        (lambda f: (f / "optimizer.pt").write_bytes(b"y" * 100), "optimizer.pt is damaged"),
        (lambda f: (f / "scheduler.pt").unlink(), "scheduler.pt is missing"),
        (lambda f: (f / MANIFEST).unlink(), "never completed"),
        (lambda f: (f / MANIFEST).write_text("{"), "manifest is damaged"),
    ],
)
def test_a_harmed_one_is_passed_over_with_its_reason(tmp_path: Path, harm: object, reason: str) -> None:
    _, newest = sealed(tmp_path, 5, 10)
    assert callable(harm)
    harm(newest)
    good, bad = find_last_good(tmp_path)
    assert good is not None
    assert good.step == 5
    assert [(each.step, reason in each.reason) for each in bad] == [(10, True)]


def test_none_is_found_where_there_is_none(tmp_path: Path) -> None:
    assert find_last_good(tmp_path / "nothing") == (None, [])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_never_sealed(tmp_path: Path, value: float) -> None:
    folder = write_checkpoint(tmp_path, 1, value)
    with pytest.raises(RlftError, match="not finite"):
        seal(folder, step=1, tokens=0)
    with pytest.raises(RlftError, match="never completed"):
        verify(folder)


def test_a_file_that_was_not_written_is_named(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, 1)
    (folder / "rng_state.pth").unlink()
    with pytest.raises(RlftError, match=r"not written: rng_state\.pth"):
        seal(folder, step=1, tokens=0, required=(*ADAPTER, *STATE))


def test_old_ones_go_but_never_for_an_unfinished_one(tmp_path: Path) -> None:
    sealed(tmp_path, 1, 2, 3)
    write_checkpoint(tmp_path, 4)
    remove_old(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint-2",
        "checkpoint-3",
        "checkpoint-4",
    ]


def test_the_best_one_stays_and_what_a_kill_left_goes(tmp_path: Path) -> None:
    for step, measure in ((1, 0.5), (2, 0.9), (3, None), (4, 0.9), (5, 0.2), (6, 0.4)):
        seal(write_checkpoint(tmp_path, step), step=step, tokens=0, measure=measure)
    (write_checkpoint(tmp_path, 7) / "optimizer.pt").unlink()
    best = find_best(tmp_path, highest=True)
    assert best == (tmp_path / "checkpoint-2", 0.9)
    assert find_best(tmp_path, highest=False) == (tmp_path / "checkpoint-5", 0.2)
    remove_old(tmp_path, 2, best=best[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint-2",
        "checkpoint-5",
        "checkpoint-6",
        "checkpoint-7",
    ]
    seal(write_checkpoint(tmp_path, 8), step=8, tokens=0)
    remove_old(tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-8"]


def test_sealing_again_after_a_kill_while_sealing(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, 3)
    (folder / f"{MANIFEST}.partial").write_text("{")
    assert seal(folder, step=3, tokens=5) == verify(folder)


def test_a_checkpoint_without_weights_is_none(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, 1)
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(RlftError, match="not written: weights"):
        seal(folder, step=1, tokens=0)
