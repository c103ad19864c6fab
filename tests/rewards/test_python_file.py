"""The user's own reward files: found without being run, loaded, and faults with their line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.rewards.checked_rewards import check_rewards
from rlft_tui.rewards.freeze import freeze
from rlft_tui.rewards.python_file import choose_function, columns_asked, functions_in, load_function
from rlft_tui.rewards.workspace_files import new_file, reward_files


def write(path: Path, source: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    return path


def test_functions_are_found_without_running_the_file(tmp_path: Path) -> None:
    path = write(
        tmp_path / "mine.py",
        'raise SystemExit\ndef polite(**x):\n    """Says please."""\n'
        "def _own(): ...\nasync def slow(**x): ...\n",
    )
    assert [(one.name, one.line, one.says) for one in functions_in(path)] == [
        ("polite", 2, "Says please."),
        ("slow", 5, ""),
    ]


@pytest.mark.parametrize(
    ("source", "name", "chosen"),
    [
        ("def one(**x): ...", "", "one"),
        ("def one(**x): ...\ndef reward(**x): ...", "", "reward"),
        ("def one(**x): ...\ndef mine(**x): ...", "", "mine"),
        ("def one(**x): ...\ndef two(**x): ...", "two", "two"),
        ("from math import sqrt as root", "root", "root"),
        ("made = lambda **x: []", "made", "made"),
    ],
)
def test_which_function_is_taken(tmp_path: Path, source: str, name: str, chosen: str) -> None:
    assert choose_function(write(tmp_path / "mine.py", source), name) == chosen


@pytest.mark.parametrize(
    ("source", "name", "said"),
    [
        ("def one(**x): ...\ndef two(**x): ...", "", "Name one: mine.py:one, mine.py:two"),
        ("x = 1", "", "no function in it"),
        ("def one(**x): ...", "two", "no function 'two' in it"),
        ("def one(\n", "", "mine.py:1: no valid Python"),
        ("\0", "", "no valid Python"),
    ],
)
def test_what_cannot_be_taken(tmp_path: Path, source: str, name: str, said: str) -> None:
    with pytest.raises(RlftError) as caught:
        choose_function(write(tmp_path / "mine.py", source), name)
    assert said in str(caught.value)


def test_a_function_gets_the_arguments_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    write(tmp_path / "beside.py", "FACTOR = 3")
    path = write(
        tmp_path / "mine.py",
        "from beside import FACTOR\n"
        "def few(completions, answer): return [FACTOR * len(c) + a for c, a in zip(completions, answer)]\n"
        "async def later(prompts, **columns): return [float(len(columns)) for _ in prompts]\n",
    )
    assert load_function(path, "few")(["p"], ["four"], [[1]], answer=[0.5], trainer_state=None) == [12.5]
    assert load_function(path, "later")(["p"], ["four"], [[1]], answer=[0.5]) == [3.0]


@pytest.mark.parametrize("source", ["import nothing_of_that_name", "x = 1\n1 / 0", "raise SystemExit(3)"])
def test_a_file_that_cannot_be_loaded_names_its_line(tmp_path: Path, source: str) -> None:
    path = write(tmp_path / "mine.py", f"{source}\ndef reward(**x): ...")
    with pytest.raises(RlftError) as caught:
        load_function(path)
    assert f"mine.py:{len(source.splitlines())}: " in str(caught.value)


def test_rewards_are_numbers_or_none() -> None:
    import numpy as np

    checked = check_rewards([1, None, True, np.float32(0.5), float("nan"), 10**400], 6)
    assert checked.rewards == (1.0, None, 1.0, 0.5, None, None)
    assert checked.nonfinite == (4, 5)
    assert check_rewards(np.array([0.25, 1.0]), 2).rewards == (0.25, 1.0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "returned None where a list"),
        ("12", "returned a str where"),
        ({0: 1.0, 1: 2.0}, "returned a dict where"),
        (1.0, "returned a float where"),
        ((x for x in (1.0, 2.0)), "returned a generator where a list is wanted"),
        ([1.0], "returned 1 rewards for 2 texts"),
        ([1.0, "high"], "reward 2 is a str"),
        ([[1.0], [2.0]], "reward 1 is a list"),
        ([1.0, 2j], "reward 2 is a complex"),
    ],
)
def test_anything_else_is_refused(given: object, said: str) -> None:
    with pytest.raises(RlftError) as caught:
        check_rewards(given, 2)
    assert said in str(caught.value)


def test_a_run_keeps_the_files_it_was_launched_with(tmp_path: Path) -> None:
    workspace, run = tmp_path / "rewards", tmp_path / "run" / "rewards"
    run.parent.mkdir()
    write(workspace / "mine.py", "import beside\ndef mine(**x): ...")
    write(workspace / "beside.py", "")
    write(workspace / "__pycache__" / "mine.pyc", "")
    freeze([("rewards/mine.py", {}), ("occupational", {})], workspace, run)
    assert sorted(path.name for path in run.iterdir()) == [
        *("agentic_terms.txt", "beside.py", "communal_terms.txt", "mine.py"),
    ]


def test_a_run_copies_only_small_regular_files(tmp_path: Path) -> None:
    folder, target, beside = tmp_path / "rewards", tmp_path / "run", tmp_path / "elsewhere"
    write(folder / "mine.py", "def mine(**x): ...")
    write(beside / "helper.py", "")
    (folder / "linked").symlink_to(beside)
    (folder / "linked.txt").symlink_to(beside / "helper.py")
    (beside / "round").symlink_to(folder)
    (folder / "zeros").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe")
    os.truncate(write(folder / "weights.bin", ""), 1 << 40)
    freeze([("mine.py", {})], folder, target)
    copied = sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())
    assert copied == ["linked.txt", "linked/helper.py", "mine.py"]
    assert not any(path.is_symlink() for path in target.rglob("*"))


@pytest.mark.parametrize("kind", ["device", "pipe", "huge", "broken"])
def test_a_file_that_cannot_be_copied_is_named(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "rewards"
    write(folder / "mine.py", "def mine(**x): ...")
    bad = folder / "terms.txt"
    if kind == "huge":
        os.truncate(write(bad, ""), 1 << 40)
    elif kind == "pipe":
        os.mkfifo(bad)
    else:
        bad.symlink_to("/dev/zero" if kind == "device" else "/no/such/file")
    with pytest.raises(RlftError) as caught:
        freeze([("mine.py", {})], folder, tmp_path / "run")
    assert caught.value.where == str(bad)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("rewards/other.py", "no such file"),
        ("../mine.py", "takes its rewards from the workspace"),
        ("/tmp/mine.py", "name it rewards/mine.py"),
        ("rewards/mine.py:other", "no function 'other'"),
    ],
)
def test_nothing_is_copied_when_a_reward_is_not_right(tmp_path: Path, source: str, said: str) -> None:
    write(tmp_path / "rewards" / "mine.py", "def mine(**x): ...")
    write(tmp_path / "mine.py", "def mine(**x): ...")
    with pytest.raises(RlftError) as caught:
        freeze([("rewards/mine.py", {}), (source, {})], tmp_path / "rewards", tmp_path / "run")
    assert said in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_column_that_the_data_set_lacks_is_named(tmp_path: Path) -> None:
    write(tmp_path / "rewards" / "mine.py", "def mine(completions, hint, level=1, *, goal, **x): ...")
    folder, target = tmp_path / "rewards", tmp_path / "run"
    assert columns_asked(folder / "mine.py") == {"hint", "goal"}
    freeze(
        [("mine.py", {}), ("exact-answer", {})], folder, target, columns=frozenset({"hint", "goal", "answer"})
    )
    for source, options, name in (
        ("mine.py", {}, "goal"),
        ("exact-answer", {}, "answer"),
        ("exact-answer", {"column": "solution"}, "solution"),
    ):
        with pytest.raises(RlftError, match=f"reward {source} needs a column '{name}'"):
            freeze([(source, options)], folder, target, columns=frozenset({"hint"}))


def test_only_small_regular_files_are_looked_into(tmp_path: Path) -> None:
    write(tmp_path / "good.py", "def good(**x): ...")
    os.truncate(write(tmp_path / "huge.py", ""), 1 << 40)
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "zeros.py").symlink_to("/dev/zero")
    faults = {file.path.stem: file.fault for file in reward_files(tmp_path)}
    assert faults == {
        "good": "",
        "huge": f"{tmp_path / 'huge.py'}: more than 10 MB of Python",
        "pipe": f"{tmp_path / 'pipe.py'}: not a regular file",
        "zeros": f"{tmp_path / 'zeros.py'}: not a regular file",
    }


def test_a_new_file_is_a_reward_that_loads(tmp_path: Path) -> None:
    path = new_file(tmp_path, "politeness")
    (found,) = reward_files(tmp_path)
    assert (found.path, found.functions[0].name) == (path, "politeness")
    answers = [[{"role": "assistant", "content": text}] for text in ("Hello. You!", "hm")]
    assert load_function(path)(["a", "b"], answers) == [1.0, 0.0]
    with pytest.raises(RlftError, match="there is a file already"):
        new_file(tmp_path, "politeness")
    for name in ("Length", "../x", "length"):
        with pytest.raises(RlftError, match="not a name"):
            new_file(tmp_path, name)


def test_a_broken_file_is_listed_as_broken(tmp_path: Path) -> None:
    write(tmp_path / "bad.py", "def x(:")
    (found,) = reward_files(tmp_path)
    assert "bad.py:1: no valid Python" in found.fault


def test_a_missing_file_is_said() -> None:
    with pytest.raises(NotFoundError, match="no such file"):
        functions_in(Path("/nowhere/mine.py"))
