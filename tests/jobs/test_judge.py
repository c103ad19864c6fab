"""A judge run against an endpoint that fails in every way: right counts, no lost item, nothing paid twice."""

from __future__ import annotations

import errno
import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from rlft_tui.demo.demo_data import demo_file
from rlft_tui.evaluations.judge.judgement import JudgeItem, Judgement, encode_line, read_judgements
from rlft_tui.evaluations.judge.rubric import read_rubric
from rlft_tui.jobs.job import run_job
from rlft_tui.jobs.judge import judge
from rlft_tui.runs.run_folder import RunFolder
from rlft_tui.runs.run_spec import write_spec
from rlft_tui.runs.specs.judge import JudgeSpec
from tests.conftest import wait_for
from tests.jobs.job_process import events, finish, of_kind, start
from tests.jobs.judge_server import ANSWER_TOKENS, KEY, PROMPT_TOKENS, Served, judge_server

Endpoint = tuple[str, Served]
TROUBLES = ("fine", "busy", "broken", "stall", "drop", "html", "babble", "refuse", "first")


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with judge_server() as found:
        yield found


def pair_items(count: int, words: tuple[str, ...] = ("fine",)) -> list[JudgeItem]:
    """Pairs whose side b is the longer one; the words go round."""
    return [
        JudgeItem(
            id=f"p{n}",
            prompt=f"Question {n}, {words[n % len(words)]}",
            response_a=f"Short {n}",
            response_b=f"A much longer answer to {n}",
            model_a="base",
            model_b="tuned",
            example_id=f"p{n}",
        )
        for n in range(count)
    ]


def judge_folder(root: Path, url: str, items: list[JudgeItem], **settings: Any) -> RunFolder:
    folder = RunFolder(root)
    root.mkdir(parents=True)
    mode = settings.get("mode", "pair")
    rubric = read_rubric(demo_file("rubrics/helpfulness.md"))
    kind = settings.pop("kind", "openai")
    timeout = settings.pop("timeout", 20.0)
    values: dict[str, Any] = {
        "id": root.name,
        "name": "strict",
        "provider": {
            "name": "here",
            "kind": kind,
            "url": f"{url}/v1" if kind == "openai" else url,
            "model": "judge-1",
            "key_env": "JUDGE_KEY",
            "timeout_seconds": timeout,
        },
        "rubric": {
            "name": rubric.name,
            "version": rubric.version(mode),
            "criteria": rubric.criteria,
            "system": rubric.system,
            "template": rubric.template(mode),
        },
        **settings,
    }
    spec = JudgeSpec.model_validate(values)
    write_spec(spec, folder.spec)
    (root / spec.items).write_bytes(b"".join(encode_line(item) for item in items))
    return folder


def judged(folder: RunFolder) -> list[Judgement]:
    return [one for one, _ in read_judgements(folder.judgements)]


def run_here(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and stderr of the job, run in this process."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        code = run_job([str(folder.root)], JudgeSpec, judge)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return code, capsys.readouterr().err


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", KEY)


def test_every_call_is_counted_as_what_it_was(endpoint: Endpoint, tmp_path: Path) -> None:
    url, served = endpoint
    items = pair_items(18, TROUBLES)
    prices = {"prompt": 2.0, "answer": 10.0}
    folder = judge_folder(tmp_path / "judge-1", url, items, timeout=2.0, prices=prices, concurrency=8)
    code, errors = finish(start("judge", folder.root))
    assert code == 0, errors

    found = judged(folder)
    assert Counter(one.status for one in found) == {"parsed": 28, "unparsable": 4, "refused": 4}
    assert Counter((one.item_id, one.first) for one in found) == {
        (item.id, side): 1 for item in items for side in "ab"
    }
    assert all(count == 1 for count in served.completed.values())
    assert not any(one.label for one in found if one.status != "parsed")

    row = of_kind(events(folder), "metrics")[-1]
    assert (row["step"], row["steps"]) == (36, 36)
    assert row["values"]["unparsable"] == row["values"]["refused"] == 4
    assert row["values"]["prompt_tokens"] == 32 * PROMPT_TOKENS
    assert row["values"]["answer_tokens"] == 32 * ANSWER_TOKENS
    assert row["values"]["cost"] == pytest.approx(32 * (100 * 2 + 10 * 10) / 1e6)
    assert row["values"]["retries"] == 20

    results = {
        (one["model"], one["metric"]): one
        for one in json.loads((folder.root / "results.json").read_text())["results"]
    }
    tuned = results["tuned", "win_rate"]
    # Two items named "first" are ties: their orders disagree. Four items have no verdict and no score.
    assert (tuned["n"], tuned["errors"]) == (14, 4)
    assert tuned["value"] == pytest.approx((12 + 2 * 0.5) / 14)
    assert results["base", "win_rate"]["value"] == pytest.approx(1 - tuned["value"])
    assert results["tuned", "orders_disagree"]["value"] == pytest.approx(2 / 14)
    assert not any(KEY.encode() in path.read_bytes() for path in folder.root.rglob("*") if path.is_file())
    assert KEY not in errors


def test_a_killed_run_repeats_at_most_what_was_under_way(endpoint: Endpoint, tmp_path: Path) -> None:
    url, served = endpoint
    folder = judge_folder(tmp_path / "judge-1", url, pair_items(40), concurrency=3, requests_per_minute=3000)
    process = start("judge", folder.root)
    wait_for(lambda: folder.judgements.exists() and len(judged(folder)) >= 15, "fifteen judgements")
    process.send_signal(signal.SIGKILL)
    finish(process)
    done = judged(folder)
    assert 15 <= len(done) < 80
    with folder.judgements.open("ab") as stream:
        stream.write(b'{"id":"torn')

    code, errors = finish(start("judge", folder.root))
    assert code == 0, errors
    found = judged(folder)
    assert len(found) == len({one.id for one in found}) == 80
    assert found[: len(done)] == done
    assert served.total() <= 80 + 3
    assert served.most_at_once <= 3
    assert [each["attempt"] for each in of_kind(events(folder), "start")] == [1, 2]


def test_a_full_disk_ends_the_run_at_once_and_no_line_is_torn(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url, served = endpoint
    folder = judge_folder(tmp_path / "judge-1", url, pair_items(20), concurrency=3)
    write, lines = os.write, count(1)

    def full_at_the_ninth(descriptor: int, data: bytes) -> int:
        number = next(lines) if b'"item_id"' in data else 0
        if number == 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[:20] if number == 9 else data)

    monkeypatch.setattr("rlft_tui.jobs.judgement_log.os.write", full_at_the_ninth)
    code, errors = run_here(folder, capsys)
    monkeypatch.undo()
    monkeypatch.setenv("JUDGE_KEY", KEY)
    assert code == 1
    assert "the disk is full" in errors
    before = judged(folder)
    assert 8 <= len(before) <= 8 + 3
    assert folder.judgements.read_bytes().count(b"\n") == len(before)
    assert run_here(folder, capsys)[0] == 0
    found = judged(folder)
    assert len(found) == len({one.id for one in found}) == 40
    assert found[: len(before)] == before
    assert served.total() <= 40 + 3


def test_an_endpoint_that_is_gone_leaves_calls_open_for_a_resume(endpoint: Endpoint, tmp_path: Path) -> None:
    url, served = endpoint
    served.open = False
    folder = judge_folder(tmp_path / "judge-1", url, pair_items(20), concurrency=2)
    code, errors = finish(start("judge", folder.root))
    assert code == 1
    assert "12 calls in a row without an answer" in errors
    assert "rlft runs resume judge-1" in errors
    assert judged(folder) == []
    served.open = True
    code, errors = finish(start("judge", folder.root))
    assert code == 0, errors
    assert len(judged(folder)) == 40


def test_a_wrong_key_ends_the_run_at_once(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url, served = endpoint
    monkeypatch.setenv("JUDGE_KEY", "sk-another")
    folder = judge_folder(tmp_path / "judge-1", url, pair_items(20), concurrency=1)
    code, errors = run_here(folder, capsys)
    assert code == 1
    assert served.statuses == {401: 1}
    assert "Check JUDGE_KEY" in errors
    assert "sk-another" not in errors


def test_a_stop_keeps_what_is_under_way_and_a_cost_limit_is_one(
    endpoint: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, served = endpoint
    served.hold = threading.Event()
    folder = judge_folder(tmp_path / "judge-1", url, pair_items(10), concurrency=2, kind="anthropic")
    process = start("judge", folder.root)
    wait_for(lambda: served.at_once == 2, "two calls under way")
    process.send_signal(signal.SIGTERM)
    served.hold.set()
    code, errors = finish(process)
    assert code == 0, errors
    assert of_kind(events(folder), "end")[-1]["status"] == "stopped"
    assert len(judged(folder)) == served.total() == 2

    dear = judge_folder(
        tmp_path / "judge-2", url, pair_items(10), concurrency=1, prices={"prompt": 10_000.0}, max_cost=3.0
    )
    code, errors = run_here(dear, capsys)
    assert code == 0, errors
    assert len(judged(dear)) == 3
    assert of_kind(events(dear), "control")[-1]["asked"] == "max_cost 3"


def test_single_answers_are_rated_from_1_to_5(
    endpoint: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items = [
        JudgeItem(
            id=f"r{n}", prompt="Say it." if n else "babble", response_a="word " * n or "x", model_a="tuned"
        )
        for n in range(5)
    ]
    folder = judge_folder(tmp_path / "judge-1", endpoint[0], items, mode="rating")
    code, errors = run_here(folder, capsys)
    assert code == 0, errors
    assert [one.label for one in sorted(judged(folder), key=lambda one: one.item_id)] == [
        "",
        "1",
        "2",
        "2",
        "3",
    ]
    (rating,) = json.loads((folder.root / "results.json").read_text())["results"]
    assert (rating["metric"], rating["value"], rating["n"], rating["errors"]) == ("rating", 2.0, 4, 1)


def test_a_model_on_this_machine_says_nothing_but_verdicts(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = judge_folder(
        tmp_path / "judge-1",
        "http://127.0.0.1:9",
        pair_items(3),
        provider=None,
        model={"name": "tiny", "path": str(tiny_model)},
        combine="average",
        precision="fp32",
        threads=1,
        rubric={"name": "short", "version": "1", "criteria": "Be kind.", "system": "", "template": SHORT},
    )
    code, errors = run_here(folder, capsys)
    assert code == 0, errors
    found = judged(folder)
    assert len(found) == 6
    assert all(
        one.status == "parsed" and sum((one.chances or {}).values()) == pytest.approx(1, abs=1e-5)
        for one in found
    )
    one = next(each for each in found if (each.item_id, each.first) == ("p1", "b"))

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    asked = "Be kind.\nQuestion 1, fine\nA much longer answer to 1\nShort 1"
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": asked}], add_generation_prompt=True, tokenize=False
    )
    ids = tokenizer(text + "Verdict: ", add_special_tokens=False, return_tensors="pt")["input_ids"]
    labels = {
        label: tokenizer(label[0], add_special_tokens=False)["input_ids"][0] for label in ("A", "B", "tie")
    }
    with torch.inference_mode():
        logits = model(ids).logits[0, -1]
    expected = torch.softmax(logits[list(labels.values())], dim=-1).tolist()
    assert [(one.chances or {})[label] for label in labels] == pytest.approx(expected, abs=1e-4)
    assert one.label == max(labels, key=lambda label: (one.chances or {})[label])


SHORT = "{criteria}\n{prompt}\n{answer_a}\n{answer_b}"
