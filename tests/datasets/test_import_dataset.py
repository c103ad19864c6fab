"""Raw files become frozen data sets of each kind; what cannot be used is told line by line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rlft_tui.database.connection import Database, open_database
from rlft_tui.datasets.dataset import DatasetImport, DatasetSpec
from rlft_tui.datasets.dataset_files import read_rows
from rlft_tui.datasets.import_dataset import import_dataset
from rlft_tui.datasets.raw_rows import clean_text, parse_completion, parse_judged, parse_prompt_row
from rlft_tui.datasets.rows import CompletionRow, JudgedRow, PreferenceRow, PromptRow, Row, texts
from rlft_tui.errors import RlftError
from rlft_tui.paths import Workspace
from rlft_tui.prompts.messages import RowError


@pytest.fixture
def database(workspace: Workspace) -> Iterator[Database]:
    with open_database(workspace) as opened:
        yield opened


class Importing:
    """Imports rows as a JSON lines file into one workspace."""

    def __init__(self, database: Database, workspace: Workspace, folder: Path) -> None:
        self.database, self.workspace, self.folder = database, workspace, folder
        self.now = 0.0

    def __call__(self, rows: list[dict[str, Any]], **spec: Any) -> tuple[DatasetImport, list[Row]]:
        self.now += 1
        path = self.folder / "raw.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        asked = DatasetSpec(**{"heldout_fraction": 0.0, **spec})
        done = import_dataset(self.database, self.workspace, asked, path.name, path, now=self.now)
        found = read_rows(Path(done.dataset.path) / "train.jsonl", asked.kind)
        return done, sorted(found, key=repr)


@pytest.fixture
def importing(database: Database, workspace: Workspace, tmp_path: Path) -> Importing:
    return Importing(database, workspace, tmp_path)


def turns(*said: str) -> list[dict[str, str]]:
    roles = {"s": "system", "u": "user", "a": "assistant"}
    return [{"role": roles[one[0]], "content": one[2:]} for one in said]


def test_conversations_and_pairs_of_columns_become_answers_to_imitate(importing: Importing) -> None:
    done, rows = importing(
        [
            {"messages": turns("s:Be brief.", "u:Hi\r\nthere", "a: Hello.\x00", "u:And?", "a:Bye.", "u:x")},
            {"conversations": [{"from": "human", "value": "Ping"}, {"from": "gpt", "value": "Pong"}]},
            {"instruction": "Add", "input": "1 2", "output": "3"},
            {"question": "Why?", "answer": "Because."},
            {"prompt": "p", "chosen": "good", "rejected": "bad"},
            {"prompt": turns("u:a", "a:b", "u:c"), "completion": turns("a:d")},
            {"question": "Why?", "answer": " Because."},
            {"prompt": "no answer"},
            {"prompt": "empty", "completion": "  "},
            {"messages": turns("u:only asked")},
        ],
        kind="sft",
    )
    assert [(row.prompt, row.completion) for row in rows if isinstance(row, CompletionRow)] == [
        (turns("s:Be brief.", "u:Hi\nthere"), turns("a:Hello.", "u:And?", "a:Bye.")),
        (turns("u:Add\n\n1 2"), turns("a:3")),
        (turns("u:Ping"), turns("a:Pong")),
        (turns("u:Why?"), turns("a:Because.")),
        (turns("u:a", "a:b", "u:c"), turns("a:d")),
        (turns("u:p"), turns("a:good")),
    ]
    assert (done.report.read, done.report.imported, done.report.duplicates) == (10, 6, 1)
    assert [(entry.line, entry.reason) for entry in done.report.rejected] == [
        (8, "has none of completion, response, answer, output"),
        (9, "an answer is empty"),
        (10, "messages has no answer of the assistant"),
    ]


def test_preferences_of_any_known_format_with_their_margin(importing: Importing) -> None:
    rows = [
        {"prompt": "1", "chosen": "good", "rejected": "bad", "margin": 2.5},
        {"prompt": "2", "response_a": "x", "response_b": "y", "choice": "b"},
        {"prompt": "2", "response_a": "x", "response_b": "y", "choice": "b"},
        {"prompt": "3", "response_a": "x", "response_b": "y", "choice": "tie"},
        {"prompt": "4", "response_a": "x", "response_b": "y"},
        {"prompt": "5", "chosen": "same", "rejected": "same"},
        {"prompt": "\0", "chosen": "good", "rejected": "bad"},
    ]
    done, found = importing(rows, kind="preference")
    assert [
        (row.prompt[0]["content"], row.chosen[0]["content"], row.rejected[0]["content"], row.margin)
        for row in found
        if isinstance(row, PreferenceRow)
    ] == [("1", "good", "bad", 2.5), ("2", "y", "x", 0.0)]
    assert done.dataset.left_out == {"tie": 1}
    assert [(entry.line, entry.reason) for entry in done.report.rejected] == [
        (5, "no answer is said to be better"),
        (6, "no answer is said to be better"),
        (7, "the prompt is empty"),
    ]


def test_labels_scores_and_judged_pairs_become_unpaired_rows(importing: Importing) -> None:
    done, rows = importing(
        [
            {"prompt": "1", "completion": "yes", "label": True},
            {"prompt": "1", "completion": "no", "label": "0"},
            {"prompt": "2", "response_a": "x", "response_b": "y", "choice": "a"},
            {"prompt": "3", "completion": "both", "label": True},
            {"prompt": "3", "completion": "both", "label": False},
            {"prompt": "4", "completion": "so so", "score": 0.6},
            {"prompt": "4", "completion": "out of range", "score": 7},
        ],
        kind="unpaired",
    )
    found = [
        (r.prompt[0]["content"], r.completion[0]["content"], r.label)
        for r in rows
        if isinstance(r, JudgedRow)
    ]
    assert found == [("1", "no", False), ("1", "yes", True), ("2", "x", True), ("2", "y", False)]
    assert done.dataset.left_out == {"contradiction": 2}
    assert [entry.reason for entry in done.report.rejected] == [
        "score 0.6 is mediocre: it says neither good nor bad",
        "score is 7, not from 0 to 1",
    ]


def test_scores_are_kept_when_every_row_has_one(importing: Importing) -> None:
    rows = [
        {"prompt": "1", "completion": "a", "score": 0.9},
        {"prompt": "2", "completion": "b", "score": 0.1},
    ]
    _, found = importing(rows, kind="unpaired")
    assert [(row.label, row.score) for row in found if isinstance(row, JudgedRow)] == [
        (True, 0.9),
        (False, 0.1),
    ]
    _, found = importing([*rows, {"prompt": "3", "completion": "c", "label": True}], kind="unpaired")
    assert {row.score for row in found if isinstance(row, JudgedRow)} == {None}


def test_prompts_keep_their_other_columns_the_same_in_every_row(importing: Importing) -> None:
    _, rows = importing(
        [
            {"question": "1 + 1?", "final": 2, "level": "easy", "completions": "TRL's own name"},
            {"question": "2 + 2?", "final": "four"},
            {"question": "2 + 2?", "final": "four"},
        ],
        kind="prompts",
        columns={"prompt": "question", "answer": "final"},
    )
    assert [(row.prompt[0]["content"], row.columns) for row in rows if isinstance(row, PromptRow)] == [
        ("1 + 1?", {"answer": "2", "level": "easy"}),
        ("2 + 2?", {"answer": "four", "level": None}),
    ]


def test_the_same_file_again_imports_nothing(importing: Importing) -> None:
    rows = [{"prompt": str(n), "completion": "a"} for n in range(5)]
    first, _ = importing(rows, kind="sft", name="mine")
    again, _ = importing(rows, kind="sft")
    assert again.dataset == first.dataset
    assert (first.report.imported, again.report.imported, again.report.duplicates) == (5, 0, 5)
    with pytest.raises(RlftError, match="another data set called mine"):
        importing(rows[:3], kind="sft", name="mine")


def test_rows_that_are_too_long_are_refused(importing: Importing) -> None:
    done, rows = importing(
        [{"prompt": "short", "completion": "a"}, {"prompt": "long", "completion": "a" * 50}],
        kind="sft",
        max_characters=20,
    )
    assert len(rows) == 1
    assert done.report.rejected[0].reason == "54 characters, more than 20"


def test_a_file_without_a_usable_row_is_one_line(importing: Importing, workspace: Workspace) -> None:
    with pytest.raises(RlftError, match=r"no row of kind sft in 1 line \(line 1: has none of completion"):
        importing([{"prompt": "p"}], kind="sft")
    with pytest.raises(RlftError, match="held-out share is 1"):
        importing([{"prompt": "p", "completion": "a"}], kind="sft", heldout_fraction=1.0)
    assert list(workspace.datasets.glob("*")) == []


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "content", "from", "value", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = [
    "prompt",
    "messages",
    "completion",
    "answer",
    "label",
    "score",
    "chosen",
    "rejected",
    "question",
    "x",
]


@example({"prompt": "\0", "completion": "a", "label": True})
@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6))
def test_any_row_is_read_or_refused(values: dict[str, Any]) -> None:
    for parse in (parse_completion, parse_judged, parse_prompt_row):
        try:
            row = parse(values)
        except RowError:
            continue
        assert row.prompt[-1]["role"] == "user"
        assert row.prompt[-1]["content"].strip()
        if isinstance(row, CompletionRow):
            assert row.completion[0]["role"] == row.completion[-1]["role"] == "assistant"
        assert all(text == clean_text(text) for text in texts(row))
