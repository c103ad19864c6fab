"""What is read as a Hugging Face data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlft_tui.errors import RlftError
from rlft_tui.jobs import dataset_rows


def test_a_folder_of_too_many_files_is_told_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_rows, "_MOST_FILES", 3)
    for number in range(2):
        (tmp_path / f"part-{number}").mkdir()
        for name in ("a.jsonl", "b.jsonl"):
            (tmp_path / f"part-{number}" / name).write_text('{"prompt": "p"}\n')
    with pytest.raises(RlftError, match="a folder of more than 3 files"):
        dataset_rows.read(str(tmp_path), tmp_path / "target")
    assert dataset_rows.read(str(tmp_path / "part-0"), tmp_path / "target") == 2
