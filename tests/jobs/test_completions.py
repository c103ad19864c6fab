"""Completions from a run: resumed without gaps, repeats or other words; the best of several kept."""

from __future__ import annotations

import csv
import json
import signal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rlft_tui.errors import RlftError
from rlft_tui.jobs.generate import read_prompts
from rlft_tui.rewards.built_in import build
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import parse_spec, write_spec
from rlft_tui.samples.completion import Completion, read_completions
from tests.conftest import wait_for
from tests.jobs.job_process import JOB_SECONDS, events, finish, of_kind, start, write_lines

PROMPTS, N = 4, 40


def completions_folder(root: Path, model: Path, **settings: Any) -> RunFolder:
    folder = RunFolder(root)
    root.mkdir(parents=True)
    prompts = [{"id": f"p{n}", "prompt": "Say it. " * n + "Now.", "category": "talk"} for n in range(PROMPTS)]
    write_lines(folder.prompts, prompts)
    values: dict[str, Any] = {
        "id": "completions-test",
        "method": "completions",
        "model": {"name": "tiny", "path": str(model)},
        "n": N,
        "sampling": {"temperature": 1.0, "max_new_tokens": 12},
        "batch_size": 5,
        "threads": 1,
        "precision": "fp32",
        "seed": 5,
    }
    write_spec(parse_spec(values | settings), folder.spec)
    return folder


def lines(folder: RunFolder) -> list[Completion]:
    return list(read_completions(folder.completions))


@pytest.fixture(scope="module")
def whole(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    root = tmp_path_factory.mktemp("completions")
    output = {"output": str(root / "out.csv"), "format": "csv"}
    folder = completions_folder(root / "whole", tiny_model, **output)
    code, errors = finish(start("completions", folder.root))
    assert code == 0, errors
    return folder


def test_every_prompt_has_its_completions_once(whole: RunFolder) -> None:
    found = lines(whole)
    assert len(found) == PROMPTS * N
    assert {one.place for one in found} == {(f"p{p}", n, 0) for p in range(PROMPTS) for n in range(N)}
    assert len({one.seed for one in found}) == PROMPTS * N
    assert all(one.kept and one.reward is None and 0 <= one.tokens <= 12 for one in found)
    assert {one.ended for one in found} <= {"eos", "length"}


def test_the_file_is_in_order_of_prompt_and_index(whole: RunFolder) -> None:
    with (whole.root.parent / "out.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["prompt_id"], int(row["index"])) for row in rows] == [
        (f"p{p}", n) for p in range(PROMPTS) for n in range(N)
    ]
    texts = {one.place[:2]: one.text for one in lines(whole)}
    assert all(row["text"] == texts[row["prompt_id"], int(row["index"])] for row in rows)


def test_progress_counts_completions_and_tokens(whole: RunFolder) -> None:
    found = events(whole)
    rows = of_kind(found, "metrics")
    assert rows[-1]["step"] == rows[-1]["steps"] == PROMPTS * N
    assert any(row["values"].get("tokens_per_second", 0) > 0 for row in rows)
    assert of_kind(found, "sample")
    assert of_kind(found, "end")[0]["status"] == "finished"


def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    whole: RunFolder, tiny_model: Path, tmp_path: Path
) -> None:
    folder = completions_folder(tmp_path / "killed", tiny_model)
    process = start("completions", folder.root)
    wait_for(
        lambda: folder.completions.exists() and folder.completions.stat().st_size > 0, "a line", JOB_SECONDS
    )
    process.send_signal(signal.SIGKILL)
    finish(process)
    # What a kill in the middle of a write leaves: some lines of a block, the last one torn.
    written = folder.completions.read_bytes().splitlines(keepends=True)[:50]
    folder.completions.write_bytes(b"".join(written[:-1]) + written[-1][:40])

    code, errors = finish(start("completions", folder.root))

    assert code == 0, errors
    by_place = {one.place: one for one in lines(folder)}
    assert len(by_place) == len(lines(folder)) == PROMPTS * N
    assert by_place == {one.place: one for one in lines(whole)}
    assert [event["attempt"] for event in of_kind(events(folder), "start")] == [1, 2]


def test_the_best_of_its_candidates_is_kept_and_a_larger_n_draws_the_same(
    whole: RunFolder, tiny_model: Path, tmp_path: Path
) -> None:
    settings = {"n": 3, "best_of": 4, "keep_all": True, "rewards": ["length:1:minimum=4:maximum=9"]}
    output = {"output": str(tmp_path / "out.parquet"), "format": "parquet"}
    folder = completions_folder(tmp_path / "best", tiny_model, **settings, **output)
    code, errors = finish(start("completions", folder.root))
    assert code == 0, errors

    found = lines(folder)
    assert len(found) == PROMPTS * 3 * 4
    groups: dict[tuple[str, int], list[Completion]] = {}
    for one in found:
        groups.setdefault(one.place[:2], []).append(one)
    reward = build("length", {"minimum": 4, "maximum": 9})
    for group in groups.values():
        kept = [one for one in group if one.kept]
        assert len(kept) == 1
        assert kept[0].reward == max(one.reward or 0.0 for one in group)
        texts = [one.text for one in group]
        assert [one.reward for one in group] == pytest.approx(list(reward([""] * len(texts), texts)))
    # The random numbers follow from seed, conversation and place: nothing else is the same here.
    first = {one.place: one for one in lines(whole)}
    same = [one for one in found if one.candidate == 0]
    assert [(one.seed, one.text) for one in same] == [
        (first[one.place].seed, first[one.place].text) for one in same
    ]
    rows = duckdb.sql(f"select * from '{tmp_path / 'out.parquet'}'").fetchall()
    columns = [
        each[0] for each in duckdb.sql(f"describe select * from '{tmp_path / 'out.parquet'}'").fetchall()
    ]
    assert len(rows) == len(found)
    assert columns[-3:] == ["reward", "candidate", "kept"]
    assert of_kind(events(folder), "metrics")[-1]["values"]["reward"] == pytest.approx(
        sum(one.reward or 0.0 for one in found if one.kept) / (3 * PROMPTS)
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"best_of": 2}, "best_of: the best is told by a reward"),
        ({"n": 2, "sampling": {"temperature": 0.0}}, "at 0 all completions of a prompt are the same"),
        ({"n": 0}, "n: input should be greater than or equal to 1"),
        ({"rewards": ["nonsense"]}, "no built-in reward 'nonsense'"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(
    tiny_model: Path, tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(RlftError, match=said) as refused:
        completions_folder(tmp_path / "bad", tiny_model, **settings)
    assert "\n" not in str(refused.value)


def test_prompts_are_read_once_each(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps({"id": id, "prompt": "x"}) + "\n" for id in "aba"))
    assert [prompt.id for prompt in read_prompts(path)] == ["a", "b"]
