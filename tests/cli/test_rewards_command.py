"""rlft rewards list, test, new as a person meets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.paths import Workspace
from tests.cli.run_rlft import Rlft
from tests.conftest import add_pairs

NURSE = "The nurse was confident and caring in the emergency room."


def write(path: Path, source: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    return path


def test_a_workspace_is_made_with_the_lists_of_terms(rlft: Rlft, tmp_path: Path) -> None:
    rlft.well("init", tmp_path / "w")
    assert {path.name for path in (tmp_path / "w" / "rewards").iterdir()} == {
        *("agentic_terms.txt", "communal_terms.txt"),
    }


def test_list_shows_built_ins_files_and_broken_files(rlft: Rlft, here: Workspace) -> None:
    write(here.rewards / "mine.py", 'def polite(**x):\n    """Says please."""\ndef short(**x): ...\n')
    write(here.rewards / "bad.py", "def x(:\n")
    found = {row["source"]: row for row in rlft.well("rewards", "list", "--json").value}
    assert found["length"]["options"] == {"minimum": 10, "maximum": 25, "unit": "words"}
    assert found["rewards/mine.py:polite"]["says"] == "Says please."
    assert "rewards/mine.py:short" in found
    assert "bad.py:1: no valid Python" in found["rewards/bad.py"]["says"]
    assert "rewards/mine.py:polite" in rlft.well("rewards", "list").out


def test_a_new_reward_is_tried_at_once(rlft: Rlft, here: Workspace) -> None:
    made = rlft.well("rewards", "new", "politeness").out.strip()
    assert made == str(here.rewards / "politeness.py")
    shown = rlft.well("rewards", "test", "politeness", "--text", "Hello. You!")
    assert "Verdict: fit for training" in shown.out
    assert (
        rlft("rewards", "new", "politeness").err == f"{made}: there is a file already. Choose another name\n"
    )


def test_the_lists_are_copied_once(rlft: Rlft, here: Workspace) -> None:
    assert len(rlft.well("rewards", "new", "occupational", "--json").value["files"]) == 2
    terms = here.rewards / "communal_terms.txt"
    terms.write_text("busy\n")
    assert rlft.well("rewards", "new", "occupational", "--json").value["files"] == []
    assert terms.read_text() == "busy\n"
    results = rlft.well(
        *("rewards", "test", "occupational", "--text", NURSE),
        *("--text", "The bold nurse was busy all day at her work.", "--json"),
    ).value
    assert results["results"][1]["rewards"] == [0.3, 1.0]


def test_given_texts_are_shown_with_their_rewards(rlft: Rlft, here: Workspace, tmp_path: Path) -> None:
    texts = write(tmp_path / "texts.txt", f"{NURSE}\n\nA nurse.\n")
    shown = rlft.well("rewards", "test", "occupational", "--texts", texts).out
    first, second = shown.splitlines()[1:3]
    assert first.split(maxsplit=1) == ["1", NURSE]
    assert second.split(maxsplit=1) == ["-0.3", "A nurse."]
    value = rlft.well("rewards", "test", "length:1:minimum=2:maximum=2", "--texts", texts, "--json").value
    assert value["fit"] is True
    assert value["texts"] == [NURSE, "A nurse."]
    assert value["results"][1]["rewards"] == [0.0, 1.0]


def test_without_texts_the_workspace_s_answers_are_scored(
    rlft: Rlft, here: Workspace, client: WorkspaceClient
) -> None:
    add_pairs(client, 2)
    value = rlft.well("rewards", "test", "repetition", "--json").value
    assert value["results"][1]["case"] == "answers of the workspace"
    assert len(value["texts"]) == 4


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "def r(completions, **x):\n    y = 0\n    return [1 / len(c[0]['content']) for c in completions]",
            ":3: ",
        ),
        ("def r(**x):\n    return 1.0", ":1: returned a float"),
        ("def r(**x:\n", ":1: no valid Python"),
        ("import nothing_of_that_name\ndef r(**x): ...", ":1: cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_a_broken_file_ends_with_2_and_its_line(rlft: Rlft, tmp_path: Path, source: str, said: str) -> None:
    path = write(tmp_path / "r.py", source)
    outcome = rlft("rewards", "test", path, "--text", "x")
    assert outcome.code == 2
    assert outcome.err.startswith(f"{path}{said}")
    assert outcome.err.count("\n") == 1
    if outcome.out:
        assert "Verdict: broken" in outcome.out


def test_a_hanging_file_is_ended(rlft: Rlft, tmp_path: Path) -> None:
    path = write(tmp_path / "r.py", "def r(**x):\n    while True: pass\n")
    outcome = rlft("rewards", "test", path, "--text", "x", "--seconds", "0.3")
    assert outcome.code == 2
    assert outcome.err.startswith(f"{path}:2: did not end in the time it has")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lenght"], "Did you mean length?"),
        (["nowhere.py"], "no such file"),
        (["model:judge"], "rlft models score judge"),
        (["length:least=3"], "unknown option 'least'"),
    ],
)
def test_a_wrong_name_is_one_line(rlft: Rlft, here: Workspace, arguments: list[str], said: str) -> None:
    outcome = rlft("rewards", "test", *arguments, "--text", "x")
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_launch_with_a_wrong_reward_starts_nothing(rlft: Rlft, here: Workspace) -> None:
    outcome = rlft("train", "grpo", "--reward", "lenght")
    assert outcome.code == 2
    assert "rewards.0: lenght: no built-in reward 'lenght'. Did you mean length?\n" in outcome.err
    assert list(here.runs.iterdir()) == []
