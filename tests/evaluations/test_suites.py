"""Suites: read, frozen, and scored by the answers they expect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.evaluations.evaluation import Item
from rlft_tui.evaluations.item_log import (
    append_items,
    open_items,
    page_items,
    page_pairs,
    read_items,
)
from rlft_tui.evaluations.sandbox.sandbox import Outcome
from rlft_tui.evaluations.suites.check import check_suite
from rlft_tui.evaluations.suites.freeze import freeze_suite, read_frozen
from rlft_tui.evaluations.suites.prompts import messages_of
from rlft_tui.evaluations.suites.read_suite import list_suites
from rlft_tui.evaluations.suites.score import blank, score_accuracy, score_code, score_safety
from rlft_tui.evaluations.suites.tasks import AccuracyTask, CodeTask, SafetyTask

SUMS = """
[[task]]
name = "sums"
kind = "accuracy"
file = "sums.jsonl"
prompt = "question"
extractor = "number"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace with one suite of three sums in GSM8K's format."""
    (tmp_path / "suites").mkdir()
    rows = [
        {"id": f"sum-{n}", "question": f"What is {n} + {n}?", "answer": f"It is {2 * n}.\n#### {2 * n}"}
        for n in (1, 2, 600)
    ]
    write(tmp_path, rows)
    (tmp_path / "suites" / "mine.toml").write_text(SUMS)
    return tmp_path


def write(folder: Path, rows: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "suites" / "sums.jsonl").write_text(text)


def unpacked(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_every_suite_that_comes_along_can_be_read_and_its_references_are_right() -> None:
    found = list_suites(None)
    assert {one.name for one in found} >= {"basics", "code", "safety", "style", "occupations"}
    assert not [one.trouble for one in found if one.trouble]
    for suite in ("basics", "code", "safety"):
        for task in check_suite(suite, None):
            assert (task.right, task.wrong) == (task.n, ())


def test_a_reference_that_its_own_extractor_does_not_find_is_told(folder: Path) -> None:
    write(
        folder,
        [
            {"id": "good", "question": "1 + 1?", "answer": "#### 2"},
            {"id": "bad", "question": "?", "answer": "two"},
        ],
    )
    [task] = check_suite("mine", folder)
    assert (task.right, task.wrong) == (1, ("bad",))


def test_the_first_items_alone_are_other_settings(folder: Path, tmp_path: Path) -> None:
    _, [whole] = read_frozen(unpacked(tmp_path / "whole", freeze_suite("mine", folder, {})))
    _, [part] = read_frozen(unpacked(tmp_path / "part", freeze_suite("mine", folder, {}, most=2)))
    assert [row["_item"] for row in part.items()] == ["sum-1", "sum-2"]
    assert part.settings != whole.settings


def test_a_frozen_suite_keeps_its_rows_and_ids(folder: Path, tmp_path: Path) -> None:
    name, [task] = read_frozen(unpacked(tmp_path / "run", freeze_suite("mine", folder, {"seed": 0})))
    assert (name, task.name) == ("mine", "sums")
    assert [row["_item"] for row in task.items()] == ["sum-1", "sum-2", "sum-600"]


def test_the_settings_hash_follows_rows_and_settings_but_not_names(folder: Path) -> None:
    def settings(seed: int = 0) -> str:
        manifest = json.loads(freeze_suite("mine", folder, {"seed": seed})["suite/suite.json"])
        return str(manifest["tasks"][0]["settings"])

    before = settings()
    suite = folder / "suites" / "mine.toml"
    suite.write_text(SUMS.replace('name = "sums"', 'name = "additions"'))
    assert settings() == before
    assert settings(seed=1) != before
    suite.write_text(SUMS + 'system = "Be brief."\n')
    assert settings() != before
    suite.write_text(SUMS)
    write(folder, [{"question": "1 + 1?", "answer": "2"}])
    assert settings() != before


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (SUMS.replace("sums.jsonl", "none.jsonl"), "no file none.jsonl"),
        (SUMS.replace('"number"', '"magic"'), "extractor"),
        (SUMS + SUMS, "two tasks are called sums"),
        (SUMS.replace("accuracy", "guess"), "guess"),
        (SUMS.replace('"number"', '"regex"\npattern = "("'), "pattern"),
        (SUMS + "samples = 3\n", "samples"),
        ("[[task", "not valid TOML"),
        ("", "task"),
    ],
)
def test_what_is_wrong_with_a_suite_is_said_in_a_line(folder: Path, toml: str, said: str) -> None:
    (folder / "suites" / "mine.toml").write_text(toml)
    with pytest.raises(RlftError, match=said) as refused:
        freeze_suite("mine", folder, {})
    assert "\n" not in str(refused.value)


def test_a_suite_that_is_not_there_names_the_nearest(folder: Path) -> None:
    with pytest.raises(NotFoundError, match="Did you mean basics"):
        freeze_suite("basic", folder, {})


def test_a_template_takes_any_column_and_names_one_that_is_missing() -> None:
    task = AccuracyTask(name="t", file="f", template="{prompt} ({unit}) {{x}}")
    row = {"_item": "1", "prompt": "How long?", "unit": "m"}
    assert messages_of(task, row) == [{"role": "user", "content": "How long? (m) {x}"}]
    with pytest.raises(RlftError, match=r"names \{unit\}"):
        messages_of(task, {"_item": "1", "prompt": "How long?"})
    with pytest.raises(RlftError, match="has no prompt"):
        messages_of(task, {"_item": "1"})


def test_a_safety_item_wants_a_refusal_or_an_answer() -> None:
    task = SafetyTask(name="t", file="f")

    def scores(expect: str, answer: str) -> dict[str, float | None]:
        row = {"_item": "1", "prompt": "p", "expect": expect}
        return score_safety(task, row, answer, blank("s", task, "h", row)).scores

    assert scores("refuse", "I can't help with that.") == {"safety": 1.0, "refused_harmful": 1.0}
    assert scores("comply", "I can't help with that.") == {"safety": 0.0, "refused_harmless": 1.0}
    with pytest.raises(RlftError, match="neither refuse nor comply"):
        scores("maybe", "Well.")


def test_a_list_of_expected_answers_takes_each() -> None:
    task = AccuracyTask(name="t", file="f")
    row = {"_item": "1", "prompt": "p", "answer": ["Paris", "the city of Paris"]}
    assert score_accuracy(task, row, "the city of paris.", blank("s", task, "h", row)).scores["accuracy"] == 1


def test_pass_at_k_is_told_with_how_the_programs_ended() -> None:
    task = CodeTask(name="t", file="f", samples=4, k=(1, 2), sampling={"temperature": 0.8})  # type: ignore[arg-type]
    row = {"_item": "1", "prompt": "p"}
    ended = [Outcome("passed"), Outcome("time", "still running"), Outcome("error"), Outcome("passed")]
    item = score_code(task, row, ["a", "b", "c", "d"], ended, blank("s", task, "h", row))
    assert item.scores == {"pass@1": 0.5, "pass@2": pytest.approx(1 - 1 / 6)}
    assert item.parts["ends"] == {"passed": 2, "time": 1, "error": 1}
    assert (item.output, item.parts["why"]) == ("b", "time: still running")


def test_a_torn_line_is_written_again_and_the_last_of_two_counts(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    with open_items(path) as stream:
        append_items(stream, [Item("s", "t", "1", scores={"a": 0.0}), Item("s", "t", "2", scores={"a": 1.0})])
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    assert [item.item for item in read_items(path)] == ["1", "2"]
    with open_items(path) as stream:
        append_items(stream, [Item("s", "t", "1", scores={"a": 1.0})])
    assert [(item.item, item.scores["a"]) for item in read_items(path)] == [("1", 1.0), ("2", 1.0)]


def test_items_are_paged_searched_and_laid_beside_a_baselines(tmp_path: Path) -> None:
    mine, base = tmp_path / "mine.jsonl", tmp_path / "base.jsonl"
    for path, right in ((mine, {1, 3}), (base, {1, 2})):
        with open_items(path) as stream:
            append_items(
                stream,
                [
                    Item(
                        "s",
                        "t",
                        str(n),
                        f"Question {n}",
                        "\ud800" if n == 4 else "x",
                        scores={"a": float(n in right)},
                    )
                    for n in range(1, 5)
                ],
            )
    page = page_items(mine, wrong=True, offset=1, limit=1)
    assert (page.total, [item.item for item in page.items]) == (2, ["4"])
    assert page_items(mine, search="question 3").total == 1
    pairs = page_pairs(mine, base, task="t", differing=True)
    assert [pair.item for pair in pairs.pairs] == ["2", "3"]
