"""Pairs from a generate run: resumed without gaps, repeats or other words, from a seed."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from rlft_tui.ids import derived_id
from rlft_tui.runs.run_folder import RunFolder
from tests.conftest import wait_for
from tests.jobs.job_process import JOB_SECONDS, events, finish, generate_folder, of_kind, start

PROMPTS = 12


def pairs(folder: RunFolder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in folder.pairs.read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = generate_folder(tmp_path_factory.mktemp("generate") / "whole", tiny_model, PROMPTS)
    code, errors = finish(start("generate", folder.root, cold=True))
    assert code == 0, errors
    return folder


def test_every_prompt_has_one_pair_with_its_settings(whole: RunFolder) -> None:
    found = pairs(whole)
    assert [pair["id"] for pair in found] == [derived_id("generate-test", f"p{n}") for n in range(PROMPTS)]
    assert [pair["prompt"] for pair in found] == [f"Say {n}." for n in range(PROMPTS)]
    first = found[0]
    assert (first["model_a"], first["model_b"], first["category"]) == ("tiny", "tiny", "talk")
    assert first["source"] == "run:generate-test"
    assert first["settings"]["b"]["top_p"] == 0.9
    seeds = {pair["settings"][side]["seed"] for pair in found for side in "ab"}
    assert len(seeds) == 2 * PROMPTS
    assert all(pair["settings"][side]["tokens"] <= 24 for pair in found for side in "ab")


def test_progress_counts_pairs(whole: RunFolder) -> None:
    rows = of_kind(events(whole), "metrics")
    assert [(row["step"], row["steps"]) for row in rows] == [(n, PROMPTS) for n in (3, 6, 9, 12)]
    assert all(row["values"]["tokens_per_second"] > 0 for row in rows)
    assert of_kind(events(whole), "end") == [{"status": "finished", "pairs": str(whole.pairs)}]


def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    whole: RunFolder, tiny_model: Path, tmp_path: Path
) -> None:
    folder = generate_folder(tmp_path / "killed", tiny_model, PROMPTS)
    process = start("generate", folder.root)
    wait_for(lambda: folder.pairs.exists() and folder.pairs.stat().st_size > 0, "a pair", JOB_SECONDS)
    process.send_signal(signal.SIGKILL)
    finish(process)
    # Leave what a kill in the middle of a write leaves: some lines, the last one torn.
    lines = folder.pairs.read_bytes().splitlines(keepends=True)[:5]
    folder.pairs.write_bytes(b"".join(lines[:-1]) + lines[-1][:40])

    code, errors = finish(start("generate", folder.root))

    assert code == 0, errors
    kept = [{**pair, "created_at": 0} for pair in pairs(folder)]
    assert kept == [{**pair, "created_at": 0} for pair in pairs(whole)]
    assert [start_event["attempt"] for start_event in of_kind(events(folder), "start")] == [1, 2]


def test_a_stopped_run_keeps_its_pairs(tiny_model: Path, tmp_path: Path) -> None:
    folder = generate_folder(tmp_path / "stopped", tiny_model, 4000)
    process = start("generate", folder.root)
    wait_for(lambda: folder.pairs.exists() and folder.pairs.stat().st_size > 0, "a pair", JOB_SECONDS)
    process.send_signal(signal.SIGTERM)
    code, errors = finish(process)
    assert code == 0, errors
    found = events(folder)
    count = len(pairs(folder))
    assert 0 < count < 4000
    assert of_kind(found, "end")[0]["status"] == "stopped"
    control = of_kind(found, "control")[0]
    assert (control["asked"], control["by"]) == ("SIGTERM", "job")
    assert control["done"].startswith(f"after {count} of ")


def test_a_prompt_that_is_none_is_named(tiny_model: Path, tmp_path: Path) -> None:
    folder = generate_folder(tmp_path / "bad", tiny_model, 2)
    folder.prompts.write_text('{"id": "a", "prompt": "x"}\n{"id": 3}\n')
    code, errors = finish(start("generate", folder.root))
    assert code == 1
    assert "prompts.jsonl:2: not a prompt" in errors
    assert len(errors.splitlines()) == 1
