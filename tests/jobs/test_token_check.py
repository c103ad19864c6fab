"""The token report shows what the trainer trains on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from rlft_tui.jobs.token_check import main
from rlft_tui.jobs.tokenizer_loading import copy_tokenizer, has_fallback, load_tokenizer
from tests.jobs.job_process import ROWS, write_lines


def report(
    capsys: pytest.CaptureFixture[str], dataset: Path, model: Path, max_length: int, rows: int = 1, *more: str
) -> dict[str, Any]:
    assert main([str(dataset), str(model), str(max_length), "--rows", str(rows), *more]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    write_lines(tmp_path / "train.jsonl", ROWS[:8])
    write_lines(tmp_path / "heldout.jsonl", ROWS[8:])
    return tmp_path


def test_the_loss_falls_on_the_answer_and_its_end(
    capsys: pytest.CaptureFixture[str], dataset: Path, tiny_model: Path
) -> None:
    found = report(capsys, dataset, tiny_model, 512, rows=2)
    assert found["checked"] == {"train": 8, "heldout": 2}
    assert [(row["file"], row["row"]) for row in found["rows"]] == [("train", 1), ("train", 2)]
    tokens = found["rows"][0]["chosen"]["tokens"]
    text = "".join(token["text"] for token in tokens)
    counted = "".join(token["text"] for token in tokens if token["loss"])
    assert text == "<|im_start|>user\nSay ash.<|im_end|>\n<|im_start|>assistant\nash<|im_end|>\n"
    assert counted == "ash<|im_end|>\n"
    assert found["rows"][0]["chosen"]["eos"]
    assert (found["errors"], found["warnings"], found["truncated"]) == ([], [], 0)


def test_lengths_are_over_all_rows(
    capsys: pytest.CaptureFixture[str], dataset: Path, tiny_model: Path
) -> None:
    lengths = report(capsys, dataset, tiny_model, 512)["lengths"]
    sizes = sorted(len(row["chosen"][0]["content"]) + 2 for row in ROWS)
    assert (lengths["chosen"]["min"], lengths["chosen"]["max"]) == (sizes[0], sizes[-1])
    assert lengths["longest"]["max"] == lengths["prompt"]["max"] + lengths["rejected"]["max"]


def test_rows_that_are_cut_lose_their_end(
    capsys: pytest.CaptureFixture[str], dataset: Path, tiny_model: Path
) -> None:
    found = report(capsys, dataset, tiny_model, 42)
    assert found["truncated"] == 10
    assert found["without_eos"] == 10
    assert found["errors"] == []
    assert "10 of 10 rows are cut at 42 tokens" in found["warnings"][0]
    assert len(found["rows"][0]["rejected"]["tokens"]) == 42
    assert not found["rows"][0]["rejected"]["eos"]


def test_prompts_that_fill_everything_are_an_error(
    capsys: pytest.CaptureFixture[str], dataset: Path, tiny_model: Path
) -> None:
    found = report(capsys, dataset, tiny_model, 16)
    assert found["dropped"] == 10
    assert "every prompt fills max_length" in found["errors"][0]


def test_the_same_answer_twice_is_an_error(
    capsys: pytest.CaptureFixture[str], dataset: Path, tiny_model: Path
) -> None:
    write_lines(dataset / "train.jsonl", [{**ROWS[0], "rejected": ROWS[0]["chosen"]}])
    found = report(capsys, dataset, tiny_model, 512)
    assert found["errors"] == ["train.jsonl:1: chosen and rejected are the same tokens"]


def test_a_template_that_never_ends_an_answer_is_an_error(
    capsys: pytest.CaptureFixture[str], dataset: Path, tiny_model: Path, tmp_path: Path
) -> None:
    endless = tmp_path / "endless"
    endless.mkdir()
    for path in tiny_model.iterdir():
        (endless / path.name).write_bytes(path.read_bytes())
    template = endless / "chat_template.jinja"
    template.write_text(template.read_text().replace("<|im_end|>", ""))
    found = report(capsys, dataset, endless, 512)
    assert (found["without_eos"], found["unending"]) == (10, 10)
    assert "would not learn to stop" in found["errors"][0]


def test_without_a_chat_template_chatml_is_taken_said_and_kept(
    capsys: pytest.CaptureFixture[str], dataset: Path, tiny_model: Path, tmp_path: Path
) -> None:
    bare = Path(shutil.copytree(tiny_model, tmp_path / "bare"))
    (bare / "chat_template.jinja").unlink()
    settings = json.loads((bare / "tokenizer_config.json").read_text())
    # A base model ends a text otherwise than ChatML ends a turn.
    (bare / "tokenizer_config.json").write_text(json.dumps({**settings, "eos_token": "<|endoftext|>"}))
    found = report(capsys, dataset, bare, 512)
    text = "".join(token["text"] for token in found["rows"][0]["chosen"]["tokens"])
    assert text == "<|im_start|>user\nSay ash.<|endoftext|>\n<|im_start|>assistant\nash<|endoftext|>\n"
    assert (found["errors"], found["without_eos"]) == ([], 0)
    (warning,) = found["warnings"]
    assert warning.startswith("the tokenizer has no chat template: ChatML is taken")
    copy_tokenizer(str(bare), tmp_path / "kept")
    kept = load_tokenizer(str(tmp_path / "kept"))
    assert kept.chat_template == load_tokenizer(str(bare)).chat_template
    assert not has_fallback(kept)


def test_no_data_set_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny_model: Path
) -> None:
    assert main([str(tmp_path / "none"), str(tiny_model), "64"]) == 2
    err = capsys.readouterr().err
    assert "no data set here" in err
    assert len(err.splitlines()) == 1


def counted(side: dict[str, Any]) -> str:
    return "".join(token["text"] for token in side["tokens"] if token["loss"])


def write_kind(dataset: Path, kind: str, rows: list[dict[str, Any]]) -> None:
    write_lines(dataset / "train.jsonl", rows)
    write_lines(dataset / "heldout.jsonl", [])
    (dataset / "dataset.json").write_text(json.dumps({"kind": kind}))


def test_each_method_shows_the_tokens_it_learns_from(
    capsys: pytest.CaptureFixture[str], dataset: Path, tiny_model: Path
) -> None:
    def first(method: str) -> dict[str, Any]:
        found = report(capsys, dataset, tiny_model, 512, 1, "--method", method)
        assert (found["method"], found["errors"]) == (method, [])
        row: dict[str, Any] = found["rows"][0]
        return row

    # From comparisons: what a reward model is read at is the last token of each conversation.
    scored = first("reward")
    assert (counted(scored["chosen"]), counted(scored["rejected"])) == ("\n", "\n")
    assert counted(first("kto")["wanted"]) == "ash<|im_end|>\n"
    assert counted(first("sft")["answer"]) == "ash<|im_end|>\n"
    asked = first("grpo")["prompt"]
    assert "".join(token["text"] for token in asked["tokens"]).endswith("<|im_start|>assistant\n")
    assert counted(asked) == ""


def test_every_turn_of_the_assistant_is_learnt_and_nothing_else(
    capsys: pytest.CaptureFixture[str], dataset: Path, tiny_model: Path
) -> None:
    turns = [("user", "one"), ("assistant", "two"), ("user", "three"), ("assistant", "four")]
    messages = [{"role": role, "content": text} for role, text in turns]
    write_kind(dataset, "sft", [{"prompt": messages[:1], "completion": messages[1:]}])
    found = report(capsys, dataset, tiny_model, 512, 1, "--method", "sft")
    assert counted(found["rows"][0]["answer"]) == "two<|im_end|>\nfour<|im_end|>\n"


def test_rows_left_out_are_counted_as_the_method_leaves_them_out(
    capsys: pytest.CaptureFixture[str], dataset: Path, tiny_model: Path
) -> None:
    # A prompt has some 28 tokens; with the longer answer it has more than 40.
    reward = report(capsys, dataset, tiny_model, 40, 1, "--method", "reward")
    assert reward["dropped"] == 10
    assert "every longer answer goes beyond max_length (40 tokens)" in reward["errors"][0]
    online = report(capsys, dataset, tiny_model, 40, 1, "--method", "grpo", "--room", "20")
    assert online["dropped"] == 10
    assert "leaves no room for an answer in max_length" in online["errors"][0]
    assert report(capsys, dataset, tiny_model, 64, 1, "--method", "grpo", "--room", "20")["errors"] == []


def test_only_so_many_rows_are_looked_at_and_bad_ones_listed(
    capsys: pytest.CaptureFixture[str], dataset: Path, tiny_model: Path
) -> None:
    found = report(capsys, dataset, tiny_model, 512, 1, "--most", "3")
    assert (found["checked"], found["unchecked"]) == ({"train": 3, "heldout": 2}, 5)
    write_lines(dataset / "train.jsonl", [{**ROWS[0], "rejected": ROWS[0]["chosen"]}] * 30)
    errors = report(capsys, dataset, tiny_model, 512)["errors"]
    assert len(errors) == 21
    assert errors[-1] == "and 10 more rows like these"


def test_a_method_that_cannot_use_the_kind_is_one_line(
    capsys: pytest.CaptureFixture[str], dataset: Path, tiny_model: Path
) -> None:
    write_kind(dataset, "prompts", [{"prompt": ROWS[0]["prompt"], "answer": "4"}])
    assert main([str(dataset), str(tiny_model), "64", "--method", "dpo"]) == 2
    assert "dpo cannot be trained on prompts data" in capsys.readouterr().err
    found = report(capsys, dataset, tiny_model, 64, 1, "--method", "rloo")
    assert found["checked"] == {
        "train": 1,
        "heldout": 0,
    }
