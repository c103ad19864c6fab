"""The server's side of the inference worker, with a scripted worker process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from rlft_tui.config import Settings, create_workspace
from rlft_tui.database.connection import open_database
from rlft_tui.errors import NotFoundError, RlftError
from rlft_tui.models.model import Model
from rlft_tui.models.models_table import add_model
from rlft_tui.server.answers import GenerateRequest, StreamedText
from rlft_tui.server.inference import LOG_NAME, Inference
from tests.conftest import is_alive, wait_for

WORKER = """
import json, os, queue, sys, threading, time
def say(**reply):
    sys.stdout.write(json.dumps(reply) + "\\n")
    sys.stdout.flush()
say(kind="ready", pid=os.getpid())
lines = queue.Queue()
def read():
    for line in sys.stdin:
        lines.put(json.loads(line))
    os._exit(0)
threading.Thread(target=read, daemon=True).start()
while True:
    request = lines.get()
    if "cancel" in request:
        print("cancelled", request["cancel"], file=sys.stderr, flush=True)
        continue
    words = request["messages"][-1]["content"].split()
    if words[0] == "die":
        print("Traceback:\\nMemoryError: no more", file=sys.stderr, flush=True)
        os._exit(3)
    if words[0] == "wrong":
        say(id=request["id"], kind="error", text="a bad request")
        continue
    sides = range(len(request["models"]))
    if words[0] == "forever":
        say(id=request["id"], kind="text", side=0, text="first", tokens=1)
        continue
    print("not json")
    for n, word in enumerate(words):
        for side in sides:
            say(id=request["id"], kind="text", side=side, text=word, tokens=n + 1)
    for side in sides:
        done = dict(tokens=len(words), tokens_per_second=9.5, memory_mb=12.0)
        say(id=request["id"], kind="done", side=side, **done)
"""


@pytest.fixture
def inference(tmp_path: Path) -> Iterator[Inference]:
    place = create_workspace(tmp_path / "workspace")
    with open_database(place) as database:
        with database.write() as connection:
            add_model(connection, Model("base", "base", str(tmp_path)))
            add_model(
                connection, Model("tuned", "adapter", str(tmp_path), base="base", base_path=str(tmp_path))
            )
        made = Inference(place, Settings(), database, command=[sys.executable, "-c", WORKER])
        yield made
        made.close()


def ask(prompt: str, models: tuple[str, ...] = ("base", "tuned")) -> GenerateRequest:
    return GenerateRequest(prompt=prompt, models=models)


async def answer(inference: Inference, prompt: str) -> list[StreamedText]:
    request = ask(prompt)
    return [piece async for piece in inference.generate(request, inference.resolve(request))]


def text(pieces: list[StreamedText], side: int) -> str:
    return " ".join(piece.text for piece in pieces if piece.kind == "text" and piece.side == side)


def test_both_sides_stream_and_end_with_done(inference: Inference) -> None:
    pieces = asyncio.run(answer(inference, "one two three"))
    assert text(pieces, 0) == text(pieces, 1) == "one two three"
    done = [piece for piece in pieces if piece.kind == "done"]
    assert [(piece.side, piece.tokens, piece.tokens_per_second) for piece in done] == [
        (0, 3, 9.5),
        (1, 3, 9.5),
    ]


def test_the_worker_is_kept_and_says_what_it_holds(inference: Inference) -> None:
    assert inference.status()["running"] is False

    async def twice() -> tuple[int, int]:
        await answer(inference, "one")
        first = inference.status()["pid"]
        await answer(inference, "two")
        return first, inference.status()["pid"]

    first, second = asyncio.run(twice())
    assert first == second
    status = inference.status()
    assert status["adapters"] == ["tuned"]
    assert status["memory_mb"] > 0


def test_several_requests_at_once_get_their_own_answers(inference: Inference) -> None:
    async def all_at_once() -> list[list[StreamedText]]:
        return await asyncio.gather(*(answer(inference, f"a{n} b{n}") for n in range(12)))

    for n, pieces in enumerate(asyncio.run(all_at_once())):
        assert text(pieces, 1) == f"a{n} b{n}"


def test_leaving_early_cancels_the_generation(inference: Inference, tmp_path: Path) -> None:
    async def leave() -> None:
        request = ask("forever")
        async with contextlib.aclosing(inference.generate(request, inference.resolve(request))) as pieces:
            assert (await anext(pieces)).text == "first"

    asyncio.run(leave())
    log = tmp_path / "workspace" / LOG_NAME
    wait_for(lambda: "cancelled 1" in log.read_text(), "the worker to be told")


@pytest.mark.parametrize("death", ["by itself", "by SIGKILL"])
def test_a_worker_that_dies_is_an_error_on_both_sides_and_is_replaced(
    inference: Inference, death: str
) -> None:
    async def through_a_death() -> tuple[list[StreamedText], list[StreamedText]]:
        if death == "by itself":
            return await answer(inference, "die"), await answer(inference, "again")
        request = ask("forever")
        pieces: AsyncIterator[StreamedText] = inference.generate(request, inference.resolve(request))
        await anext(pieces)
        os.kill(inference.status()["pid"], signal.SIGKILL)
        return [piece async for piece in pieces], await answer(inference, "again")

    errors, later = asyncio.run(through_a_death())
    assert [(piece.kind, piece.side) for piece in errors] == [("error", 0), ("error", 1)]
    expected = "exit code 3): MemoryError: no more" if death == "by itself" else "signal 9)"
    assert expected in errors[0].text
    assert text(later, 0) == "again"


def test_an_error_without_a_side_ends_the_whole_request(inference: Inference) -> None:
    pieces = asyncio.run(answer(inference, "wrong"))
    assert [(piece.kind, piece.text) for piece in pieces] == [("error", "a bad request")]


def test_an_unused_worker_is_ended_and_another_started_when_asked(tmp_path: Path) -> None:
    place = create_workspace(tmp_path / "idle")
    with open_database(place) as database:
        with database.write() as connection:
            add_model(connection, Model("base", "base", str(tmp_path)))
            add_model(connection, Model("tuned", "base", str(tmp_path / "..")))
        settings = Settings(worker_idle_minutes=0.001)
        inference = Inference(place, settings, database, command=[sys.executable, "-c", WORKER])
        asyncio.run(answer(inference, "one"))
        wait_for(lambda: inference.status()["running"] is False, "the worker to end")
        assert text(asyncio.run(answer(inference, "two")), 0) == "two"
        inference.close()


def test_closing_ends_the_worker_even_in_the_middle_of_an_answer(inference: Inference) -> None:
    async def close_amid() -> int:
        request = ask("forever")
        pieces = inference.generate(request, inference.resolve(request))
        await anext(pieces)
        pid: int = inference.status()["pid"]
        inference.close()
        await pieces.aclose()
        return pid

    pid = asyncio.run(close_amid())
    wait_for(lambda: not is_alive(pid), "the worker to end")


@pytest.mark.parametrize(
    ("request_made", "message"),
    [
        (ask("hello", ("tunde",)), "Did you mean tuned"),
        (ask("hello", ()), "no model to ask"),
        (ask("  "), "the prompt is empty"),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused_before_any_worker_starts(
    inference: Inference, request_made: GenerateRequest, message: str
) -> None:
    with pytest.raises(RlftError, match=message):
        inference.resolve(request_made)
    assert inference.status()["running"] is False


def test_a_model_whose_folder_is_gone_is_named(inference: Inference, tmp_path: Path) -> None:
    (tmp_path / "lost").mkdir()
    with inference._database.write() as connection:
        add_model(connection, Model("lost", "base", str(tmp_path / "lost")))
    (tmp_path / "lost").rmdir()
    with pytest.raises(NotFoundError, match="the folder of model lost is gone"):
        inference.resolve(ask("hello", ("lost",)))
