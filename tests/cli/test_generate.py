"""rlft generate and rlft eval texts, with a tiny model and a real server."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import duckdb
import pytest

from rlft_tui.paths import Workspace
from tests.cli.run_rlft import Rlft
from tests.tiny_model import make_tiny_model

MOST = ("--max-new-tokens", "8", "--precision", "fp32", "--threads", "1")


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.txt"
    path.write_text("Say one.\nSay two.\n")
    return path


def test_completions_reach_standard_output_a_file_and_the_evaluation(
    rlft: Rlft, here: Workspace, tmp_path: Path, prompts: Path
) -> None:
    model = make_tiny_model(tmp_path / "tiny")
    asked = ("generate", "--model", model, "--prompts", prompts, "-n", "4", *MOST)
    printed = rlft.well(*asked, "--best-of", "2", "--reward", "length", "--stdout", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(printed.out, newline="")))
    assert [(row["prompt"], row["index"]) for row in rows] == [
        (f"Say {word}.", str(n)) for word in ("one", "two") for n in range(4)
    ]
    assert all(0 <= float(row["reward"]) <= 1 for row in rows)
    run = printed.err.splitlines()[0]
    assert "tokens/s" in printed.err

    saved = tmp_path / "all.parquet"
    assert rlft.well("generate", "--from", run, "--output", saved, "--json").value["format"] == "parquet"
    assert len(duckdb.read_parquet(str(saved)).fetchall()) == 8
    notes = tmp_path / "notes.csv"
    notes.write_text("mine")
    for again in (("--from", run), ("--model", model, "--prompts", prompts)):
        refused = rlft("generate", *again, "--output", notes)
        assert (refused.code, "there is such a file already" in refused.err) == (2, True)
    assert notes.read_text() == "mine"
    rlft.well("generate", "--from", run, "--output", notes, "--replace")
    assert notes.read_text().count("Say one.") == 4
    shown = rlft.well("runs", "show", run, "--json").value
    assert (shown["method"], shown["step"], shown["steps"]) == ("completions", 8, 8)

    texts = (
        "eval",
        "texts",
        f"parquet={saved}",
        f"again={saved}",
        "--reward",
        "length",
        "--threshold",
        "0.5",
    )
    measured = rlft.well(*texts, "--json").value
    assert [one["name"] for one in measured] == ["parquet", "again"]
    assert measured[1]["figures"][0]["name"] == "compliance"
    assert measured[1]["figures"][0]["change"]["value"] == 0.0
    picture = tmp_path / "texts.svg"
    drawn = rlft.well(*texts, "--plot", "--picture", picture)
    assert "●" in drawn.out
    assert picture.read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--prompts", "no-such-file.txt"), "no such file"),
        (("-n", "0"), "n: input should be greater than or equal to 1"),
        (("--best-of", "4"), "best_of: the best is told by a reward"),
        (("-n", "2", "--temperature", "0"), "at 0 all completions of a prompt are the same"),
        (("--reward", "lenght"), "no built-in reward 'lenght'"),
        (("--output", "/no/such/folder/out.csv"), "no such folder"),
        (("--output", "out.xlsx"), "cannot tell the format"),
        (("--output", "out.csv", "--format", "xml"), "no format 'xml'"),
        (("--stdout", "--format", "parquet"), "Parquet is no text"),
        (("--stdout", "--output", "out.csv"), "two places"),
        (("--from", "no-such-run", "--stdout"), "no run 'no-such-run'"),
        (("--from", "../..", "--stdout"), "not a run id"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    rlft: Rlft,
    here: Workspace,
    prompts: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(prompts.parent)
    named = () if "--prompts" in arguments or "--from" in arguments else ("--prompts", prompts)
    refused = rlft("generate", *named, *arguments)
    assert refused.code == 2, refused.err
    assert refused.out == ""
    assert len(refused.err.splitlines()) == 1
    assert said in refused.err
    assert not list(here.runs.glob("completions-*"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"prompt": "a"}\n', "no prompt and text in it"),
        ("not json\n", "bad.jsonl:1"),
        ("", "there are no texts in it"),
    ],
)
def test_a_file_without_texts_is_named(
    rlft: Rlft, here: Workspace, tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(content)
    refused = rlft("eval", "texts", path)
    assert (refused.code, len(refused.err.splitlines())) == (2, 1)
    assert said in refused.err


def test_the_occupational_reward_shows_its_constraints(rlft: Rlft, here: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    sentences = ("The nurse was confident and caring in the emergency room.", "She works.")
    lines = [json.dumps({"prompt": "nurse", "text": text}) + "\n" for text in sentences]
    path.write_text("".join(lines))
    measured = rlft.well("eval", "texts", path, "--reward", "occupational", "--json").value
    figures = {one["name"]: one["estimate"]["value"] for one in measured[0]["figures"]}
    assert figures["compliance"] == 0.5
    assert figures["8 to 15 words"] == 0.5
    assert figures["reward"] == pytest.approx((1.0 - 0.3) / 2)


def test_an_example_is_a_workspace_with_its_files(rlft: Rlft, tmp_path: Path) -> None:
    folder = tmp_path / "occupations"
    rlft.well("init", folder, "--example", "occupations")
    assert {"occupations.jsonl", "ppo-gpu.toml", "ppo.toml"} <= set(os.listdir(folder))
    asked = [json.loads(line) for line in (folder / "occupations.jsonl").read_text().splitlines()]
    assert len({one["category"] for one in asked}) == 20
    for spec in ("ppo.toml", "ppo-gpu.toml"):
        whole = rlft.well("-w", folder, "train", "ppo", "--spec", folder / spec, "--toml")
        assert "occupational" in whole.out
    refused = rlft("init", tmp_path / "other", "--example", "nurses")
    assert refused.code == 2
    assert "There are: occupations" in refused.err
    assert not (tmp_path / "other").exists()
