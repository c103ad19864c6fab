"""Runs beside one another: settings and training data."""

from __future__ import annotations

import json
from pathlib import Path

from rlft_tui.runs.compare_runs import compare_runs


def rows(folder: Path, *pairs: tuple[str, str, str]) -> Path:
    folder.mkdir()
    lines = [
        json.dumps({
            "prompt": [{"role": "user", "content": prompt}],
            "chosen": [{"role": "assistant", "content": chosen}],
            "rejected": [{"role": "assistant", "content": rejected}],
        })
        for prompt, chosen, rejected in pairs
    ]  # fmt: skip
    (folder / "train.jsonl").write_text("\n".join([*lines, "{torn"]))
    return folder


def test_settings_that_differ_and_pairs_judged_differently(tmp_path: Path) -> None:
    first = {"id": "a", "method": "dpo", "beta": 0.1, "lora": {"r": 16}, "only": None}
    second = {"id": "b", "method": "dpo", "beta": 0.2, "lora": {"r": 16, "alpha": 8}}
    one = rows(tmp_path / "one", ("p", "x", "y"), ("q", "x", "y"), ("r", "x", "y"))
    two = rows(tmp_path / "two", ("p", "x", "y"), ("q", "y", "x"), ("s", "x", "y"))
    found = compare_runs([first, second], [one, two])
    assert [(each.setting, each.values) for each in found.settings] == [
        ("beta", ("0.1", "0.2")),
        ("lora.alpha", ("", "8")),
    ]
    (data,) = found.data
    assert (data.shared, data.apart, data.only_first, data.only_second) == (1, 1, 1, 1)
    assert (data.examples[0].prompt, data.examples[0].first, data.examples[0].second) == ("q", "x", "y")
    assert compare_runs([first, second], [tmp_path / "none", tmp_path / "neither"]).data == ()
