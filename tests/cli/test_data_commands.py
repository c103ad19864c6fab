"""Importing, labelling and exporting from the command line, against a real server."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from rlft_tui.client.workspace_client import WorkspaceClient
from rlft_tui.paths import Workspace
from tests.cli.run_rlft import Rlft
from tests.conftest import add_pairs

REPORT = {"read", "imported", "duplicates", "rejected", "warnings"}


def test_good_prompts_are_kept_and_bad_lines_named(rlft: Rlft, here: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text(
        '{"prompt": "Why is the sky blue?", "category": "science"}\n'
        "{broken\n"
        '{"prompt": ""}\n'
        '{"prompt": "Name a colour."}\n'
    )
    report = rlft.well("prompts", "import", file, "--json").value
    assert set(report) >= REPORT
    assert (report["read"], report["imported"], report["duplicates"]) == (4, 2, 0)
    assert [entry["line"] for entry in report["rejected"]] == [2, 3]
    assert all(entry["reason"] for entry in report["rejected"])
    again = rlft.well("prompts", "import", file, "--json").value
    assert (again["imported"], again["duplicates"]) == (0, 2)

    told = rlft.well("prompts", "import", file)
    assert told.out == "0 prompts imported of 4 read, 2 were there already, 2 refused\n"
    assert "line 2: refused" in told.err

    listed = rlft.well("prompts", "list", "--category", "science", "--json").value
    assert listed["total"] == 1
    assert listed["prompts"][0]["prompt"] == "Why is the sky blue?"
    assert "Name a colour." in rlft.well("prompts", "list").out


def test_pairs_of_every_kind_are_imported(rlft: Rlft, here: Workspace, tmp_path: Path) -> None:
    native = tmp_path / "pairs.csv"
    native.write_text("prompt,response_a,response_b,model_a,model_b,category\nHi?,Yes.,No.,m1,m2,talk\n")
    trl = tmp_path / "trl.jsonl"
    row = {
        "prompt": [{"role": "user", "content": "Two plus two?"}],
        "chosen": [{"role": "assistant", "content": "4"}],
        "rejected": [{"role": "assistant", "content": "5"}],
    }
    trl.write_text(json.dumps(row) + "\n")
    assert rlft.well("pairs", "import", native, "--json").value["imported"] == 1
    assert rlft.well("pairs", "import", trl, "--as", "anna", "--json").value["imported"] == 1
    listed = rlft.well("pairs", "list", "--json").value
    assert listed["total"] == 2
    assert {pair["prompt"] for pair in listed["pairs"]} == {"Hi?", "Two plus two?"}
    assert rlft.well("labels", "stats", "--json").value["by_labeler"] == {"anna": 1}


def test_a_verdict_is_stored_counted_listed_and_taken_back(
    rlft: Rlft, client: WorkspaceClient, here: Workspace
) -> None:
    first, second, _ = (pair.id for pair in add_pairs(client, 3))
    one = rlft.well("labels", "add", first, "--choice", "b", "--confidence", "4", "--json").value["id"]
    two = rlft.well("labels", "add", second, "--choice", "tie", "--as", "ben", "--note", "same").out.strip()

    stats = rlft.well("labels", "stats", "--json").value
    assert stats["total"] == 2
    assert {key: count for key, count in stats["by_choice"].items() if count} == {"b": 1, "tie": 1}
    assert stats["by_labeler"] == {"ada": 1, "ben": 1}
    assert sum(stats["by_day"].values()) == 2

    assert rlft.well("labels", "list", "--ids").out.split() == [one, two]
    assert rlft.well("labels", "list", "--as", "ben", "--ids", "--json").value == [two]
    listed = rlft.well("labels", "list", "--json").value
    assert [(label["example_id"], label["choice"], label["confidence"]) for label in listed] == [
        (first, "b", 4),
        (second, "tie", None),
    ]
    assert listed[1]["reasoning"] == "same"

    assert rlft.well("labels", "undo", "--json").value == {"id": one}
    assert rlft.well("labels", "list", "--ids").out.split() == [two]
    assert rlft("labels", "undo").code == 2
    rlft.well("labels", "undo", two, "--as", "ben")
    assert rlft.well("labels", "stats", "--json").value["total"] == 0


def test_strength_quality_and_better_answers_are_stored_listed_and_counted(
    rlft: Rlft, client: WorkspaceClient, here: Workspace, tmp_path: Path
) -> None:
    first, second, third = (pair.id for pair in add_pairs(client, 3))
    rlft.well("labels", "add", first, "--choice", "b", "--strength", "4")
    rlft.well("labels", "add", second, "--quality", "both_bad")
    file = tmp_path / "answer.md"
    file.write_text("# Better\n\nas both.\n")
    one = rlft.well("labels", "better", first, "--text", "Written.", "--json").value["id"]
    two = rlft.well("labels", "better", second, "--file", file, "--as", "ben").out.strip()

    listed = rlft.well("labels", "list", "--json").value
    assert [(one["choice"], one["strength"], one["quality"]) for one in listed] == [
        ("b", 4, ""),
        ("tie", None, "both_bad"),
    ]
    told = rlft.well("labels", "list").out
    assert "significantly" in told
    assert "both bad" in told
    answers = rlft.well("labels", "list", "--written", "--json").value
    assert [(one["id"], one["text"]) for one in answers] == [(one, "Written."), (two, "# Better\n\nas both.")]
    assert "Written." in rlft.well("labels", "list", "--written", "--as", "ada").out
    stats = rlft.well("labels", "stats", "--json").value
    assert (stats["by_strength"], stats["by_quality"], stats["written"]) == (
        {"significantly": 1},
        {"both_bad": 1},
        2,
    )
    assert "significantly" in rlft.well("labels", "stats").out

    rlft.well("labels", "undo", two, "--as", "ben")
    assert rlft.well("labels", "list", "--written", "--ids").out.split() == [one]

    for wrong in (
        ["add", third],
        ["add", third, "--choice", "tie", "--strength", "2"],
        ["add", third, "--choice", "a", "--quality", "both_good"],
        ["add", third, "--choice", "a", "--strength", "5"],
        ["better", third],
        ["better", third, "--text", "  "],
        ["better", third, "--text", "x", "--file", file],
        ["better", "nowhere", "--text", "x"],
    ):
        assert rlft("labels", *wrong).code == 2
    assert rlft.well("labels", "stats", "--json").value["total"] == 2


def test_more_labels_than_fit_on_a_page_are_all_listed(
    rlft: Rlft, client: WorkspaceClient, here: Workspace, tmp_path: Path
) -> None:
    file = tmp_path / "trl.jsonl"
    file.write_text(
        "".join(
            json.dumps({"prompt": f"Q{n}?", "chosen": "yes", "rejected": "no"}) + "\n" for n in range(1203)
        )
    )
    rlft.well("pairs", "import", file)
    everything = rlft.well("labels", "list", "--ids").out.split()
    assert len(set(everything)) == 1203
    assert rlft.well("labels", "list", "--ids", "--offset", "2", "-n", "3").out.split() == everything[2:5]
    target = tmp_path / "out.jsonl"
    assert rlft.well("labels", "export", target, "--json").value["rows"] == 1203
    assert len(set(target.read_text().splitlines())) == 1203


def test_exports_are_what_trl_reads_and_come_back_as_they_were(
    rlft: Rlft, client: WorkspaceClient, here: Workspace, tmp_path: Path
) -> None:
    pairs = add_pairs(client, 3)
    for pair, choice in zip(pairs, ("a", "b", "tie"), strict=True):
        rlft.well("labels", "add", pair.id, "--choice", choice)
    target = tmp_path / "preferences.jsonl"
    target.write_text("an older export")
    told = rlft.well("labels", "export", target, "--json").value
    assert (told["rows"], told["ties"]) == (2, 1)
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert rows[0] == {
        "prompt": [{"role": "user", "content": pairs[0].prompt}],
        "chosen": [{"role": "assistant", "content": pairs[0].response_a}],
        "rejected": [{"role": "assistant", "content": pairs[0].response_b}],
    }
    assert rows[1]["chosen"] == [{"role": "assistant", "content": pairs[1].response_b}]
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []

    assert rlft.well("labels", "export", "-").out == target.read_text()
    table = list(csv.DictReader(io.StringIO(rlft.well("labels", "export", "-", "--format", "csv").out)))
    assert [row["choice"] for row in table] == ["a", "b", "tie"]
    assert [row["prompt"] for row in table] == [pair.prompt for pair in pairs]

    other = tmp_path / "other"
    rlft.well("init", other)
    imported = rlft.well("-w", other, "pairs", "import", target, "--json").value
    assert (imported["imported"], imported["rejected"]) == (2, [])
    copy = tmp_path / "copy.jsonl"
    rlft.well("-w", other, "labels", "export", copy)
    assert copy.read_text() == target.read_text()
    rlft.well("-w", other, "server", "stop")


def test_labels_become_a_data_set(
    rlft: Rlft, client: WorkspaceClient, here: Workspace, tmp_path: Path
) -> None:
    for pair in add_pairs(client, 10):
        rlft.well("labels", "add", pair.id, "--choice", "a")
    built = rlft.well("data", "build", "--name", "first", "--heldout", "0.2", "--json").value
    assert (built["train_rows"], built["heldout_rows"]) == (8, 2)
    assert rlft.well("data", "list", "--json").value[0]["hash"] == built["hash"]
    written = rlft.well("data", "export", "first", tmp_path / "out", "--json").value
    assert written["hash"] == built["hash"]
    train = (tmp_path / "out" / "train.jsonl").read_text().splitlines()
    assert len(train) == 8
    assert set(json.loads(train[0])) >= {"prompt", "chosen", "rejected"}


def test_the_same_rows_under_another_name_are_said_to_keep_the_first(
    rlft: Rlft, client: WorkspaceClient, here: Workspace
) -> None:
    for pair in add_pairs(client, 4):
        rlft.well("labels", "add", pair.id, "--choice", "a")
    assert rlft.well("data", "build", "--name", "first").err == ""
    again = rlft.well("data", "build", "--name", "second", "--json")
    assert again.value["name"] == "first"
    assert "as first" in again.err


def test_ratings_have_the_shape_that_scripts_rely_on(
    rlft: Rlft, client: WorkspaceClient, here: Workspace
) -> None:
    for pair, choice in zip(add_pairs(client, 4), ("b", "b", "tie", "a"), strict=True):
        rlft.well("labels", "add", pair.id, "--choice", choice)
    (rating,) = rlft.well("models", "ratings", "--against", "base", "--json").value
    assert (rating["model"], rating["wins"], rating["losses"], rating["ties"]) == ("tuned", 2, 1, 1)
    assert rating["n"] == 4
    assert rating["win_rate"] == 62.5
    low, high = rating["ci95"]
    assert low < 62.5 < high
    assert "62.5 %" in rlft.well("models", "ratings", "--against", "base").out


def test_a_backup_is_put_back_and_later_verdicts_come_with_it(
    rlft: Rlft, client: WorkspaceClient, here: Workspace
) -> None:
    first, second = (pair.id for pair in add_pairs(client, 2))
    rlft.well("labels", "add", first, "--choice", "a")
    backup = Path(rlft.well("backup", "--json").value["path"])
    assert backup.is_dir()
    rlft.well("labels", "add", second, "--choice", "b")
    assert [entry["path"] for entry in rlft.well("restore", "--list", "--json").value] == [str(backup)]

    told = rlft.well("restore", backup.name, "--json").value
    assert told["restored"] == str(backup)
    assert Path(told["replaced"]).is_dir()
    assert rlft.well("labels", "stats", "--json").value["total"] == 2
    rlft.well("restore", "latest", "--forget-later-verdicts")
    assert rlft.well("labels", "stats", "--json").value["total"] == 1


def test_the_server_is_told_of_and_stopped(rlft: Rlft, here: Workspace) -> None:
    assert rlft.well("server", "status", "--json").value == {"running": False}
    assert rlft.well("server", "stop", "--json").value["stopped"] is False
    rlft.well("labels", "stats")
    status = rlft.well("server", "status", "--json").value
    assert status["running"] is True
    assert status["workspace"] == str(here.root)
    assert rlft.well("server", "stop", "--json").value == {"stopped": True, "pid": status["pid"]}
    assert rlft.well("server", "status", "--json").value == {"running": False}


def test_lists_show_nothing_that_a_terminal_obeys(
    rlft: Rlft, client: WorkspaceClient, here: Workspace, tmp_path: Path
) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text(json.dumps({"prompt": "red \x1b[31m and \u202e back \x9b2J\x7f\r"}) + "\n")
    rlft.well("prompts", "import", file)
    for arguments in (["prompts", "list"], ["prompts", "list", "--json"]):
        shown = rlft.well(*arguments).out
        assert not any(character in shown for character in "\x1b\x9b\x7f\r\u202e")
    stored = rlft.well("prompts", "list", "--json").value["prompts"][0]["prompt"]
    assert stored == client.prompts().prompts[0].prompt


def test_a_raw_file_becomes_a_data_set(rlft: Rlft, here: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "maths.csv"
    file.write_text("question,final\nTwo plus two?,4\nThree plus three?,6\n,\n")
    columns = ["--column", "prompt=question", "--column", "answer=final"]
    done = rlft.well("data", "import", file, "--kind", "prompts", "--name", "maths", *columns, "--json").value
    assert set(done) >= REPORT
    assert (done["read"], done["imported"], [entry["line"] for entry in done["rejected"]]) == (3, 2, [4])
    dataset = done["dataset"]
    assert (dataset["kind"], dataset["name"], dataset["source"]) == ("prompts", "maths", "maths.csv")
    assert (dataset["train_rows"], dataset["heldout_rows"]) == (1, 1)
    rows = [
        json.loads(line)
        for side in ("train", "heldout")
        for line in (Path(dataset["path"]) / f"{side}.jsonl").read_text().splitlines()
    ]
    assert sorted((row["prompt"][0]["content"], row["answer"]) for row in rows) == [
        ("Three plus three?", "6"),
        ("Two plus two?", "4"),
    ]
    again = rlft.well("data", "import", file, "--kind", "prompts", *columns)
    assert again.err.splitlines()[-1] == "0 rows of 3 lines, 2 repeated or there already, 1 refused"
    assert "prompts" in rlft.well("data", "list").out
    for arguments, part in (
        ((file, "--column", "question"), "not NAME=NAME: question"),
        ((file, "--kind", "sft"), "no row of kind sft"),
        ((tmp_path / "none.jsonl",), "no such file"),
    ):
        refused = rlft("data", "import", *arguments)
        assert (refused.code, part in refused.err) == (2, True), refused.err
