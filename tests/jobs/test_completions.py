"""Completions from a run: resumed without gaps, repeats or other words; the best of several kept."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rlft_tui.errors import RlftError
from rlft_tui.jobs.completion_blocks import Text, Writer
from rlft_tui.jobs.completions import complete
from rlft_tui.jobs.generate import read_prompts
from rlft_tui.jobs.job import run_job
from rlft_tui.rewards.built_in import build
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import parse_spec, read_spec, write_spec
from rlft_tui.runs.specs.completions import CompletionsSpec
from rlft_tui.samples.completion import Completion, read_completions
from tests.conftest import wait_for
from tests.jobs.job_process import JOB_SECONDS, events, finish, of_kind, start, write_lines

PROMPTS, N, CANDIDATES = 4, 20, 2


def completions_folder(root: Path, model: Path, **settings: Any) -> RunFolder:
    """Both candidates of twenty completions of four prompts of different length."""
    folder = RunFolder(root)
    root.mkdir(parents=True)
    prompts = [{"id": f"p{n}", "prompt": "Say it. " * n + "Now.", "category": "talk"} for n in range(PROMPTS)]
    write_lines(folder.prompts, prompts)
    values: dict[str, Any] = {
        "id": "completions-test",
        "method": "completions",
        "model": {"name": "tiny", "path": str(model)},
        "n": N,
        "best_of": CANDIDATES,
        "keep_all": True,
        "rewards": ["length:1:minimum=4:maximum=9"],
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
def runs(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunFolder]:
    """One run left alone, one killed after its first block: the same spec, side by side."""
    root = tmp_path_factory.mktemp("completions")
    output = {"output": str(root / "out.parquet"), "format": "parquet"}
    whole = completions_folder(root / "whole", tiny_model, **output)
    killed = completions_folder(root / "killed", tiny_model)
    whole_process = start("completions", whole.root, cold=True)
    killed_process = start("completions", killed.root)
    wait_for(
        lambda: killed.completions.exists() and killed.completions.stat().st_size > 0, "a line", JOB_SECONDS
    )
    killed_process.send_signal(signal.SIGKILL)
    finish(killed_process)
    code, errors = finish(whole_process)
    assert code == 0, errors
    return {"whole": whole, "killed": killed}


@pytest.fixture(scope="module")
def whole(runs: dict[str, RunFolder]) -> RunFolder:
    return runs["whole"]


def test_every_candidate_is_there_once(whole: RunFolder) -> None:
    found = lines(whole)
    places = {(f"p{p}", n, c) for p in range(PROMPTS) for n in range(N) for c in range(CANDIDATES)}
    assert len(found) == len(places)
    assert {one.place for one in found} == places
    assert len({one.seed for one in found}) == len(places)
    assert all(0 <= one.tokens <= 12 for one in found)
    assert {one.ended for one in found} <= {"eos", "length"}


def test_the_candidate_with_the_highest_reward_is_kept(whole: RunFolder) -> None:
    groups: dict[tuple[str, int], list[Completion]] = {}
    for one in lines(whole):
        groups.setdefault(one.place[:2], []).append(one)
    reward = build("length", {"minimum": 4, "maximum": 9})
    for group in groups.values():
        kept = [one for one in group if one.kept]
        assert len(kept) == 1
        assert kept[0].reward == max(one.reward or 0.0 for one in group)
        texts = [one.text for one in group]
        assert [one.reward for one in group] == pytest.approx(list(reward([""] * len(texts), texts)))


def test_the_file_is_in_order_and_has_the_columns_asked_for(whole: RunFolder) -> None:
    read = duckdb.read_parquet(str(whole.root.parent / "out.parquet"))
    assert read.columns[-4:] == ["ended", "reward", "candidate", "kept"]
    rows = [dict(zip(read.columns, row, strict=True)) for row in read.fetchall()]
    assert [(row["prompt_id"], row["index"], row["candidate"]) for row in rows] == [
        (f"p{p}", n, c) for p in range(PROMPTS) for n in range(N) for c in range(CANDIDATES)
    ]
    texts = {one.place: (one.text, one.reward) for one in lines(whole)}
    assert all(
        (row["text"], row["reward"]) == texts[row["prompt_id"], row["index"], row["candidate"]]
        for row in rows
    )


def test_progress_counts_completions_tokens_and_reward(whole: RunFolder) -> None:
    found = events(whole)
    rows = of_kind(found, "metrics")
    assert rows[-1]["step"] == rows[-1]["steps"] == PROMPTS * N
    assert any(row["values"].get("tokens_per_second", 0) > 0 for row in rows)
    kept = [one.reward or 0.0 for one in lines(whole) if one.kept]
    assert rows[-1]["values"]["reward"] == pytest.approx(sum(kept) / len(kept))
    assert {sample["of"] for sample in of_kind(found, "sample")} == {"best", "worst"}
    assert of_kind(found, "end")[0]["status"] == "finished"


def test_a_killed_run_goes_on_as_if_nothing_had_happened(runs: dict[str, RunFolder]) -> None:
    folder = runs["killed"]
    # What a kill in the middle of a write leaves: some lines of a block, the last one torn.
    written = folder.completions.read_bytes().splitlines(keepends=True)[:20]
    folder.completions.write_bytes(b"".join(written[:-1]) + written[-1][:40])

    code, errors = finish(start("completions", folder.root))

    assert code == 0, errors
    by_place = {one.place: one for one in lines(folder)}
    assert len(by_place) == len(lines(folder))
    assert by_place == {one.place: one for one in lines(runs["whole"])}
    assert [event["attempt"] for event in of_kind(events(folder), "start")] == [1, 2]


def texts_of(folder: RunFolder) -> list[Text]:
    """All texts that a run would write, before it does."""
    spec = read_spec(folder.spec)
    writer = Writer(spec, read_prompts(folder.prompts), folder, "cpu", 0)  # type: ignore[arg-type]
    return [text for block in writer.blocks() for text in block.texts]


def test_random_numbers_follow_from_conversation_and_place_alone(tiny_model: Path, tmp_path: Path) -> None:
    first = completions_folder(tmp_path / "first", tiny_model)
    other = completions_folder(tmp_path / "other", tiny_model, n=3, best_of=4, batch_size=7)
    turned = reversed(other.prompts.read_text().splitlines())
    write_lines(other.prompts, [{**json.loads(line), "id": f"other-{n}"} for n, line in enumerate(turned)])
    seeds = {(text.prompt.prompt, text.index, text.candidate): text.row.seed for text in texts_of(first)}
    found = {(text.prompt.prompt, text.index, text.candidate): text.row.seed for text in texts_of(other)}
    shared = seeds.keys() & found.keys()
    assert len(shared) == PROMPTS * 3 * CANDIDATES
    assert all(seeds[place] == found[place] for place in shared)


LONG = {"id": "long", "prompt": "x" * 1020}


def test_prompts_of_which_none_leaves_room_are_an_error(tiny_model: Path, tmp_path: Path) -> None:
    folder = completions_folder(tmp_path / "long", tiny_model)
    write_lines(folder.prompts, [LONG])
    with pytest.raises(RlftError, match="leaves no room for 12 new ones in the 1,024 of tiny"):
        texts_of(folder)


def test_a_prompt_that_leaves_no_room_is_left_out_and_told_once_whatever_is_resumed(
    tiny_model: Path, tmp_path: Path
) -> None:
    folder = completions_folder(
        tmp_path / "mixed", tiny_model, n=3, output=str(tmp_path / "out.csv"), format="csv"
    )
    short = [json.loads(line) for line in folder.prompts.read_text().splitlines()]
    write_lines(folder.prompts, [short[0], LONG, *short[1:]])
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        codes = [run_job([str(folder.root)], CompletionsSpec, complete)]
        whole = {one.place: one for one in lines(folder)}
        # Killed while it wrote the last line, and gone on with: the same texts, none twice, none missing.
        folder.completions.write_bytes(folder.completions.read_bytes()[:-20])
        codes.append(run_job([str(folder.root)], CompletionsSpec, complete))
        # And once more with nothing left to do.
        codes.append(run_job([str(folder.root)], CompletionsSpec, complete))
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    assert codes == [0, 0, 0]
    assert {prompt for prompt, *_ in whole} == {prompt["id"] for prompt in short}
    assert len(whole) == len(lines(folder)) == PROMPTS * 3 * CANDIDATES
    assert {one.place: one for one in lines(folder)} == whole
    found = events(folder)
    (alert,) = of_kind(found, "alert")
    assert alert["message"].startswith("1 of 5 prompts left out: prompt 2 (1,0")
    assert alert["message"].endswith("tokens) leaves no room for 12 new ones in the 1,024 of tiny")
    assert alert["advice"].startswith("Shorten it or lower max_new_tokens")
    assert {row["steps"] for row in of_kind(found, "metrics")} == {PROMPTS * 3}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rewards": []}, "best_of: the best is told by a reward"),
        ({"sampling": {"temperature": 0.0}}, "at 0 all completions of a prompt are the same"),
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
