"""training_metrics.csv: one row a step, stable columns, torn files mended."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from rlft_tui.jobs.metrics_csv import COLUMNS, MetricsCsv
from rlft_tui.runs.run_spec import parse_spec
from rlft_tui.runs.specs.training import TrainingSpec


def table(path: Path, method: str = "dpo", **more: Any) -> MetricsCsv:
    values = {"id": "x", "method": method, "model": {"name": "a", "path": "/a"}, "dataset": "d", **more}
    spec = parse_spec(values)
    assert isinstance(spec, TrainingSpec)
    return MetricsCsv(path, spec, clock=lambda: 7.0)


def add(made: MetricsCsv, step: int, tokens: int = 0, epoch: float | None = None, **values: float) -> None:
    named = {key.replace("__", "/"): value for key, value in values.items()}
    units = {"kl": "nats/token", "kl/sequence": "nats/sequence"}
    made.row(step, named, units=units, epoch=epoch, tokens=tokens)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as stream:
        return [{k: v for k, v in row.items() if v} for row in csv.DictReader(stream)]


def test_what_comes_of_one_step_is_one_row(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    made = table(path)
    add(made, 0, kl__sequence=0.0)
    add(made, 1, loss=0.5, tokens=10, epoch=0.25)
    add(made, 1, kl__sequence=1.5, tokens=10)
    add(made, 2, loss=0.25, tokens=20)
    assert rows(path)[1:] == [
        {
            "step": "1",
            "loss": "0.5",
            "kl": "1.5",
            "kl_unit": "nats/sequence",
            "epoch": "0.25",
            "tokens": "10",
            "time": "7.000",
        },
        {"step": "2", "loss": "0.25", "tokens": "20", "time": "7.000"},
    ]


def test_kl_is_the_trainers_own_where_it_has_one_never_two_in_one_column(tmp_path: Path) -> None:
    own = table(tmp_path / "own.csv", "grpo", beta=0.1)
    add(own, 1, kl=0.01, kl__sequence=3.0, reward=0.5)
    assert rows(own.path)[0]["kl_unit"] == "nats/token"
    samples = table(tmp_path / "samples.csv", "grpo")
    add(samples, 1, kl__sequence=3.0, reward=0.5)
    assert (rows(samples.path)[0]["kl"], rows(samples.path)[0]["reward"]) == ("3.0", "0.5")


def test_what_is_held_out_stands_with_its_name(tmp_path: Path) -> None:
    made = table(tmp_path / "sft.csv", "sft")
    add(made, 0, heldout__perplexity=9.5, heldout__loss=2.25)
    add(made, 1, loss=2.0)
    assert [(row.get("heldout"), row.get("heldout_metric")) for row in rows(made.path)] == [
        ("9.5", "heldout/perplexity"),
        (None, None),
    ]


def test_a_resume_takes_the_place_of_later_rows_and_of_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    first = table(path)
    for step in range(1, 8):
        add(first, step, loss=float(step))
    with path.open("ab") as stream:
        stream.write(b"8,,,")
    second = table(path)
    add(second, 5, loss=50.0)
    add(second, 6, loss=60.0)
    assert [row["loss"] for row in rows(path)] == ["1.0", "2.0", "3.0", "4.0", "50.0", "60.0"]
    third = table(path)
    add(third, 6, kl__sequence=2.0)
    assert (rows(path)[-1]["loss"], rows(path)[-1]["kl"]) == ("60.0", "2.0")


def test_another_versions_columns_are_not_mixed_with_these(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("step,loss\n1,0.5\n")
    add(table(path), 2, loss=0.25)
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)
    assert [row["step"] for row in rows(path)] == ["2"]
