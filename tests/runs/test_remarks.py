"""What people say about a run, kept with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlft_tui.errors import RlftError
from rlft_tui.runs.remarks import Remarks, change_remarks, read_remarks, split_tags


def test_remarks_are_changed_one_by_one_and_cleaned(tmp_path: Path) -> None:
    assert read_remarks(tmp_path) == Remarks()
    change_remarks(tmp_path, {"tags": ["good", "good", "\x1b[31mred"], "note": " a note "})
    changed = change_remarks(tmp_path, {"archived": True})
    assert changed == read_remarks(tmp_path)
    assert changed.tags[0] == "good"
    assert len(changed.tags) == 2
    assert "\x1b" not in changed.tags[1]
    assert (changed.note, changed.archived) == ("a note", True)


@pytest.mark.parametrize(
    "changes",
    [{"colour": "red"}, {"tags": "good"}, {"tags": ["x" * 41]}, {"note": "x" * 2001}, {"archived": "yes"}],
)
def test_what_is_no_remark_is_refused_and_nothing_changes(tmp_path: Path, changes: dict[str, object]) -> None:
    change_remarks(tmp_path, {"note": "kept"})
    with pytest.raises(RlftError):
        change_remarks(tmp_path, changes)
    assert read_remarks(tmp_path).note == "kept"


def test_a_damaged_file_is_no_remark(tmp_path: Path) -> None:
    (tmp_path / "remarks.json").write_text("{")
    assert read_remarks(tmp_path) == Remarks()


def test_tags_may_stand_between_commas() -> None:
    assert split_tags(["demo,", "small,new", "model"]) == ("demo", "small", "new", "model")
    assert split_tags([",", ""]) == ()
