"""The inference worker through its pipe: two sides at once, cancelling, adapters, errors."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from rlft_tui.jobs.infer import new_text
from tests.jobs.conftest import Ended
from tests.jobs.job_process import environment


class WorkerUnderTest:
    """The real worker process; every reply is kept."""

    def __init__(self, model: Path) -> None:
        self.model = str(model)
        self.replies: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rlft_tui.jobs.infer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )

    def ask(self, **request: Any) -> None:
        self.write(json.dumps(request).encode())

    def answer(self, identity: str, adapters: tuple[str, ...], **more: Any) -> None:
        self.ask(
            id=identity,
            models=[{"name": "tiny", "path": self.model, "adapter": adapter} for adapter in adapters],
            messages=[{"role": "user", "content": "Say ö."}],
            **{"temperature": 1.0, "max_new_tokens": 30, "seed": 3, **more},
        )

    def write(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        reply: dict[str, Any] = json.loads(self.process.stdout.readline())
        self.replies.append(reply)
        return reply

    def read_until_ended(self, identity: str, sides: int) -> list[dict[str, Any]]:
        mine: list[dict[str, Any]] = []
        while sum(reply["kind"] in ("done", "error") for reply in mine) < sides:
            reply = self.read()
            if reply["id"] == identity:
                mine.append(reply)
        return mine


@pytest.fixture(scope="module")
def worker(tiny_model: Path) -> Iterator[WorkerUnderTest]:
    started = WorkerUnderTest(tiny_model)
    assert started.read() == {"kind": "ready", "pid": started.process.pid}
    yield started
    assert started.process.stdin is not None
    started.process.stdin.close()
    assert started.process.wait(60) == 0


def text_of(replies: list[dict[str, Any]], side: int) -> str:
    return "".join(r["text"] for r in replies if r["kind"] == "text" and r["side"] == side)


def test_two_sides_stream_at_the_same_time(worker: WorkerUnderTest, runs: dict[str, Ended]) -> None:
    adapter = str(runs["whole"].folder.model)
    worker.answer("both", ("", adapter), max_new_tokens=200)
    replies = worker.read_until_ended("both", 2)
    done = [index for index, reply in enumerate(replies) if reply["kind"] == "done"]
    first = [next(i for i, r in enumerate(replies) if r["kind"] == "text" and r["side"] == s) for s in (0, 1)]
    assert max(first) < min(done)
    assert text_of(replies, 0) != text_of(replies, 1)
    ends = [replies[index] for index in done]
    assert all(end["tokens"] > 0 and end["tokens_per_second"] > 0 and end["memory_mb"] > 50 for end in ends)


def test_the_same_request_gets_the_same_text(worker: WorkerUnderTest, runs: dict[str, Ended]) -> None:
    adapter = str(runs["whole"].folder.model)
    worker.answer("one", ("", adapter))
    worker.answer("two", ("", adapter))
    replies = worker.read_until_ended("one", 2), worker.read_until_ended("two", 2)
    replies = tuple([r for r in worker.replies if r.get("id") == identity] for identity in ("one", "two"))
    for side in (0, 1):
        assert text_of(replies[0], side) == text_of(replies[1], side) != ""


def test_a_cancelled_request_falls_silent(worker: WorkerUnderTest) -> None:
    worker.answer("long", ("",), max_new_tokens=900)
    while worker.read().get("id") != "long":
        pass
    worker.ask(cancel="long")
    worker.answer("next", ("",), max_new_tokens=3)
    worker.read_until_ended("next", 1)
    worker.answer("last", ("",), max_new_tokens=3)
    assert {reply["id"] for reply in worker.read_until_ended("last", 1)} == {"last"}
    assert not [r for r in worker.replies if r.get("id") == "long" and r["kind"] == "done"]


@pytest.mark.parametrize(
    ("request_line", "reason"),
    [
        (b"garbage", "JSONDecodeError"),
        (b'{"id": "x", "models": [], "messages": [{"role": "user", "content": "a"}]}', "models"),
        (
            b'{"id": "x", "models": [{"name": "n", "path": "/no/where"}],'
            b' "messages": [{"role": "user", "content": "a"}]}',
            "no such model folder",
        ),
    ],
)
def test_errors_are_replies(worker: WorkerUnderTest, request_line: bytes, reason: str) -> None:
    worker.write(request_line)
    while (reply := worker.read())["kind"] != "error":
        pass
    assert reason in reply["text"]
    assert "\n" not in reply["text"]
    worker.answer("alive", ("",), max_new_tokens=2)
    assert worker.read_until_ended("alive", 1)[-1]["kind"] == "done"


def test_an_adapter_that_is_none_is_an_error(worker: WorkerUnderTest, tmp_path: Path) -> None:
    worker.answer("none", (str(tmp_path),))
    assert "no adapter here" in worker.read_until_ended("none", 1)[-1]["text"]


def test_characters_arrive_whole(tiny_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    said = "né, 日本 🙂!"
    tokens = tokenizer.encode(said, add_special_tokens=False)
    assert len(tokens) == len(said.encode())
    sent = ""
    for count in range(1, len(tokens) + 1):
        piece = new_text(tokenizer, tokens[:count], sent, last=count == len(tokens))
        assert "\ufffd" not in piece
        sent += piece
    assert sent == said


def test_broken_bytes_at_the_end_are_not_held_back_for_ever(tiny_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokens = tokenizer.encode("a🙂", add_special_tokens=False)[:3]
    assert new_text(tokenizer, tokens, "", last=False) == "a"
    assert new_text(tokenizer, tokens, "a", last=True).strip("\ufffd") == ""
