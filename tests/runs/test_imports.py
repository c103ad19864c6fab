"""Logs of other programs: written here byte by byte, read as runs."""

from __future__ import annotations

import json
import math
import os
import re
import struct
import time
from pathlib import Path

import pytest

from rlft_tui.errors import RlftError
from rlft_tui.metrics.series import ELAPSED
from rlft_tui.runs.imports.read_foreign import read_foreign
from rlft_tui.runs.imports.store_import import store_import, write_upload
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import read_spec
from rlft_tui.server.followed_run import FollowedRun


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def field(number: int, value: int | float | bytes | str) -> bytes:
    """A varint, a double or bytes as a protocol buffer field."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def fixed32(number: int, value: float) -> bytes:
    return varint(number << 3 | 5) + struct.pack("<f", value)


def tf_event(step: int, t: float, *values: bytes) -> bytes:
    return field(1, t) + field(2, step) + field(5, b"".join(field(1, value) for value in values))


def tf_record(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + b"\0\0\0\0" + data + b"\0\0\0\0"


def test_tensorboard_scalars_old_and_new_and_a_torn_end(tmp_path: Path) -> None:
    folder = tmp_path / "Nov30_host"
    folder.mkdir()
    tensor = field(1, 1) + field(4, struct.pack("<f", 0.25))
    events = [
        tf_event(1, 100.0, field(1, "loss") + fixed32(2, 0.5), field(1, "reward") + fixed32(2, 1.0)),
        tf_event(2, 101.0, field(1, "loss") + field(8, tensor)),
        tf_event(2, 101.0, field(1, "picture") + field(4, b"pixels")),
        b"\xff\xff",  # a damaged record costs no other
        tf_event(3, 102.0, field(1, "loss") + fixed32(2, math.nan)),
    ]
    log = b"".join(map(tf_record, events)) + tf_record(events[0])[:20]
    (folder / "events.out.tfevents.1.host").write_bytes(log)
    (run,) = read_foreign(tmp_path)
    assert (run.name, run.source) == ("Nov30_host", "tensorboard")
    assert [(row.step, row.t) for row in run.rows] == [(1, 100.0), (2, 101.0), (3, 102.0)]
    assert run.rows[0].values == {"loss": 0.5, "reward": 1.0}
    assert run.rows[1].values == {"loss": 0.25}
    assert math.isnan(run.rows[2].values["loss"])


def leveldb(*records: bytes) -> bytes:
    """W&B's file: its header, then records cut at blocks of 32 KiB."""
    out = bytearray(b":W&B" + struct.pack("<HB", 0xBEE1, 0))
    for record in records:
        first, rest = True, record
        while True:
            left = 32768 - len(out) % 32768
            if left < 7:
                out += b"\0" * left
                continue
            piece, rest = rest[: left - 7], rest[left - 7 :]
            kind = {(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}[first, not rest]
            out += struct.pack("<IHB", 0, len(piece), kind) + piece
            first = False
            if not rest:
                break
    return bytes(out)


def item(key: str, value: object) -> bytes:
    return field(1, field(1, key) + field(16, json.dumps(value)))


def test_wandb_offline_history_and_config_over_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "run-abcd1234.wandb"
    config = field(17, field(8, "sunny-dawn-1") + field(4, item("learning_rate", 1e-5)))
    long = field(
        2, item("note", "x" * 70_000) + item("loss", 0.5) + item("_step", 1) + item("_timestamp", 9.0)
    )
    rows = [field(2, item("loss", value) + item("_step", step)) for step, value in ((2, 0.25), (3, "NaN"))]
    path.write_bytes(leveldb(config, long, *rows) + b"\x01\x02\x03")
    (run,) = read_foreign(tmp_path)
    assert (run.name, run.source, run.settings) == ("sunny-dawn-1", "wandb", {"learning_rate": 1e-5})
    assert [(row.step, row.t, row.values.get("loss")) for row in run.rows[:2]] == [
        (1, 9.0, 0.5),
        (2, None, 0.25),
    ]
    assert math.isnan(run.rows[2].values["loss"])


def test_trainer_state_and_csv(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-4"
    folder.mkdir()
    history = [
        {"step": 2, "loss": 0.5, "epoch": 0.5},
        {"step": 4, "eval_loss": 0.4},
        {"step": 4, "note": "x"},
    ]
    (folder / "trainer_state.json").write_text(json.dumps({"log_history": history, "max_steps": 4}))
    (run,) = read_foreign(tmp_path)
    assert [(row.step, row.values) for row in run.rows] == [
        (2, {"loss": 0.5, "epoch": 0.5}),
        (4, {"eval_loss": 0.4}),
    ]
    assert run.settings == {"max_steps": 4}
    table = tmp_path / "log.csv"
    table.write_text("\ufeffglobal_step,loss,who\n1,0.5,ada\n2,,bob\n3,inf,eve\n")
    (run,) = read_foreign(table)
    assert [(row.step, row.values) for row in run.rows] == [(1, {"loss": 0.5}), (3, {"loss": math.inf})]
    assert run.refused == ("line 3: no number in it",)


def test_a_table_may_have_dates_other_separators_and_no_order(tmp_path: Path) -> None:
    table = tmp_path / "log.csv"
    table.write_text("step;time;loss\n3;2026-01-01T00:01:00Z;1\n1;2026-01-01 00:00:00+00:00;2\n2;soon;\n")
    (run,) = read_foreign(table)
    assert [(row.step, row.t, row.values) for row in run.rows] == [
        (1, 1767225600.0, {"loss": 2.0}),
        (3, 1767225660.0, {"loss": 1.0}),
    ]
    table.write_text("step\tloss\n1\t2,5\n2\t0.5\n")
    (run,) = read_foreign(table)
    assert [row.values for row in run.rows] == [{"loss": 0.5}]
    assert run.refused[-1] == "column loss: 1 cell is no number, the first in line 2"
    table.write_text("step,loss,kl,phase\n1,0.5,0.1,warm\n2,oops,0.2,warm\n3,0.4,,\n4,what,0.3,cold\n")
    (run,) = read_foreign(table)
    assert len(run.rows) == 4
    assert run.refused == ("column loss: 2 cells are no numbers, the first in line 3",)


@pytest.mark.parametrize(
    ("table", "started", "elapsed"),
    [
        ("step,time,loss\n1,1767225600,3\n2,1767225630,2\n", 1767225600.0, [0.0, 30.0]),
        ("step,time,loss\n1,10,3\n2,40,2\n", None, [0.0, 30.0]),
        ("step,loss\n1,3\n2,2\n", None, [0.0, 0.0]),
    ],
    ids=["times", "seconds since the start", "none"],
)
def test_a_table_says_when_its_run_was_or_how_long_it_took_or_neither(
    tmp_path: Path, table: str, started: float | None, elapsed: list[float]
) -> None:
    (tmp_path / "log.csv").write_text(table)
    (run,) = read_foreign(tmp_path / "log.csv")
    write_upload(run, tmp_path / "upload")
    folder = RunFolder(tmp_path / "runs" / store_import(tmp_path / "runs", tmp_path / "upload"))
    followed = FollowedRun(folder)
    summary = followed.summary()
    (curve,) = followed.curves.series([ELAPSED], 10)
    assert (summary.status, summary.step, summary.steps) == ("finished", 2, 2)
    assert summary.started == started
    assert summary.ended == pytest.approx(started + 30 if started else time.time(), abs=60)
    assert curve.mean == pytest.approx(elapsed, abs=1e-5)


def test_rows_that_cannot_be_read_are_named_and_the_others_are_kept(tmp_path: Path) -> None:
    table = tmp_path / "log.csv"
    table.write_bytes(
        b"step,loss,who\n1,0.5,ada\nmany,0.4,bob\n2.5,0.4,\n"
        + b"9" * 5000
        + b",0.3,\n,0.3,\n4,0.2,\xff\n1e1,0.1,\n"
    )
    (run,) = read_foreign(table)
    assert [row.step for row in run.rows] == [1, 10]
    assert run.refused == (
        "line 3: step 'many' is no whole number below 2**53",
        "line 4: step '2.5' is no whole number below 2**53",
        f"line 5: step '{'9' * 40}' is no whole number below 2**53",
        "line 6: no step",
        "line 7: not UTF-8",
    )
    state = tmp_path / "state.json"
    state.write_text(json.dumps({"log_history": [{"step": 1, "loss": 1}, {"step": 10**400, "loss": 1}]}))
    (run,) = read_foreign(state)
    assert [row.step for row in run.rows] == [1]
    assert run.refused[0].startswith("entry 2 of log_history: step '1000")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("state.json", b"{}", "no log_history"),
        ("state.json", b'{"log_history": [1, "x"]}', "entry 1 of log_history: no object"),
        ("steps.csv", b"step,loss\n-1,0.5\n-5,0.4\n", "line 2: step -1 is below 0"),
        ("state.json", b"[" * 200_000 + b"]" * 200_000, "nested too deeply"),
        ("log.csv", b"a,b\nx,y\n", "no numbers"),
        ("log.csv", b'a,b\n1,"' + b"x" * 1_000_000, "not valid CSV: field larger than field limit"),
        ("log.csv", b"step,loss\n" + b"9" * 5000 + b",1\n", "line 2: step '9999"),
        ("run-x.wandb", b"nothing", "header"),
        ("events.tfevents", b"short", "no metrics found"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_log_is_refused_in_one_line(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(RlftError, match=said):
        read_foreign(path)
    with pytest.raises(RlftError, match="no such file"):
        read_foreign(tmp_path / "none")


def test_a_file_whose_name_is_no_text_is_imported_once(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"bad\xff.csv")
    path.write_text("step,loss\n1,0.5\n")
    upload, runs = tmp_path / "upload", tmp_path / "runs"
    runs.mkdir()
    made = []
    for _ in range(2):
        write_upload(read_foreign(path)[0], upload)
        made.append(store_import(runs, upload))
    assert made[0] == made[1]
    assert read_spec(runs / made[0] / "run.toml").name == "bad\\udcff"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "word"),
    [("lr 1e-5, long.csv", "lr-1e-5-long"), ("语言.csv", "imported"), (f"{'x' * 90}.csv", "x" * 24)],
)
def test_an_imported_run_is_known_by_its_name(tmp_path: Path, name: str, word: str) -> None:
    path = tmp_path / name
    path.write_text("step,loss\n1,0.5\n")
    write_upload(read_foreign(path)[0], tmp_path / "upload")
    made = store_import(tmp_path / "runs", tmp_path / "upload")
    assert re.fullmatch(rf"{word}-\d{{4}}-\d{{4}}-\w{{4}}", made)
    assert store_import(tmp_path / "runs", tmp_path / "upload") == made


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "metrics.csv")
    for path in (tmp_path / "metrics.csv", tmp_path):
        with pytest.raises(RlftError, match=r"not an ordinary file|no metrics found"):
            read_foreign(path)
