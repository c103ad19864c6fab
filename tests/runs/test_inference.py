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
from rlft_tui.server.answers import AskedSide, GenerateRequest, StreamedText
from rlft_tui.server.inference import LOG_NAME, Inference
from rlft_tui.server.provider_answers import messages_of
from tests.conftest import is_alive, wait_for
from tests.providers.provider_server import KEY, provider_server

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
    if "load" in request:
        print("loads", request["load"][0]["name"], file=sys.stderr, flush=True)
        say(id=request["id"], kind="done")
        continue
    if "cancel" in request:
        print("cancelled", request["cancel"], file=sys.stderr, flush=True)
        continue
    words = request["sides"][0]["messages"][-1]["content"].split()
    if words[0] == "die":
        print("Traceback:\\nMemoryError: no more", file=sys.stderr, flush=True)
        os._exit(3)
    if words[0] == "wrong":
        say(id=request["id"], kind="error", text="a bad request")
        continue
    sides = range(len(request["sides"]))
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
    assert [(piece.kind, piece.side, piece.restarts) for piece in errors] == [
        ("error", 0, True),
        ("error", 1, True),
    ]
    expected = "exit code 3): MemoryError: no more" if death == "by itself" else "signal 9). The next"
    assert expected in errors[0].text
    assert text(later, 0) == "again"


def test_an_error_without_a_side_ends_the_whole_request(inference: Inference) -> None:
    pieces = asyncio.run(answer(inference, "wrong"))
    assert [(piece.kind, piece.side, piece.text) for piece in pieces] == [
        ("error", 0, "a bad request"),
        ("error", 1, "a bad request"),
    ]


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
        (ask("hello", ("base",) * 5), "5 sides are too many"),
        (GenerateRequest("hello", sides=(AskedSide("base", temperature=-1.0),)), "side 1: temperature"),
        (GenerateRequest("hello", ("base",), top_p=0.0), "top_p: input should be greater than 0"),
        (ask("hello", ("nowhere:model",)), "no model called"),
        (GenerateRequest("hello", ("base",), context=({"role": "tool", "content": ""},)), "each turn has"),
        (GenerateRequest("hello", ("base",), context=({"content": "x"},)), "each turn has"),
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


def test_models_are_loaded_before_they_are_asked(inference: Inference, tmp_path: Path) -> None:
    inference.warm_up(("tuned",))
    log = tmp_path / "workspace" / LOG_NAME
    wait_for(lambda: log.exists() and "loads tuned" in log.read_text(), "the worker to be told")
    assert inference.status()["adapters"] == ["tuned"]


def test_a_provider_answers_beside_the_worker(
    inference: Inference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    with provider_server() as (url, log):
        settings = tmp_path / "workspace" / "rlft.toml"
        lines = f'[providers.far]\nkind = "openai"\nurl = "{url}/v1"\nkey_env = "TEST_KEY"\n'
        settings.write_text(lines)
        sides = (AskedSide("far:words", seed=5, system="Be brief."), AskedSide("base"), AskedSide("far:x"))
        request = GenerateRequest("one two three", sides=sides, temperature=0.2, probabilities=True)
        models = inference.resolve(request)

        async def read() -> list[StreamedText]:
            return [piece async for piece in inference.generate(request, models)]

        pieces = asyncio.run(read())
        assert "".join(piece.text for piece in pieces if piece.side == 0) == "three two one "
        assert text(pieces, 1) == "one two three"
        done = {piece.side: piece for piece in pieces if piece.kind == "done"}
        assert (done[0].tokens, done[0].prompt_tokens, done[0].ended) == (3, 3, "eos")
        told = [token for piece in pieces if piece.side == 0 for token in piece.probabilities]
        assert "".join(token.text for token in told) == "three two one "
        asked = next(body for body in log.bodies if body["model"] == "words")
        assert asked["messages"][0] == {"role": "system", "content": "Be brief."}
        assert (asked["temperature"], asked["seed"]) == (0.2, 5)


def test_a_provider_that_fails_is_an_error_of_its_side_alone(inference: Inference, tmp_path: Path) -> None:
    settings = tmp_path / "workspace" / "rlft.toml"
    settings.write_text('[providers.gone]\nkind = "anthropic"\nmodel = "m"\nkey_env = "NO_SUCH_KEY"\n')
    assert [(one.name, one.ready) for one in inference.providers()] == [("gone", False)]
    request = ask("one", ("gone", "base"))
    models = inference.resolve(request)

    async def read() -> list[StreamedText]:
        return [piece async for piece in inference.generate(request, models)]

    pieces = asyncio.run(read())
    failed = [piece for piece in pieces if piece.kind == "error"]
    assert [piece.side for piece in failed] == [0]
    assert "NO_SUCH_KEY" in failed[0].text
    assert text(pieces, 1) == "one"


def test_a_system_prompt_takes_the_place_of_the_one_before() -> None:
    turns = ({"role": "system", "content": "old"}, {"role": "user", "content": "a"})
    request = GenerateRequest("b", ("m",), context=turns)
    assert [turn["content"] for turn in messages_of(request, "new")] == ["new", "a", "b"]
    assert [turn["content"] for turn in messages_of(request, "")] == ["old", "a", "b"]


def test_sides_take_what_they_do_not_say_from_the_request() -> None:
    request = GenerateRequest(
        "p",
        temperature=0.3,
        seed=7,
        system="S",
        sides=(AskedSide("a"), AskedSide("a", temperature=0.0, seed=1)),
    )
    first, second = request.asked()
    assert (first.temperature, first.seed, first.system, first.max_new_tokens) == (0.3, 7, "S", 256)
    assert (second.temperature, second.seed, second.top_p) == (0.0, 1, 1.0)
    plain = GenerateRequest("p", ("a", "a"), seed=7).asked()
    assert plain[0].seed == 7 != plain[1].seed
