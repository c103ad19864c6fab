"""The inference worker through its pipe: two sides at once, cancelling, adapters, errors."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from rlft_tui.jobs.answer_text import AnswerText
from rlft_tui.jobs.model_loading import choose_device, choose_dtype
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

    def answer(self, identity: str, adapters: tuple[str, ...], *, says: str = "Say ö.", **more: Any) -> None:
        """Ask for one side an adapter; settings of sampling or of the request."""
        whole = {name: more.pop(name) for name in ("stop", "probabilities") if name in more}
        seed = more.pop("seed", 3)
        sampling = {"temperature": 1.0, "max_new_tokens": 30, **more}
        side = {"messages": [{"role": "user", "content": says}], "sampling": sampling, "seed": seed}
        models = [{"name": "tiny", "path": self.model, "adapter": adapter} for adapter in adapters]
        self.ask(id=identity, sides=[{"model": model, **side} for model in models], **whole)

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


@pytest.fixture(scope="module")
def tiny_adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A LoRA adapter with random weights, large enough to say something else than its base."""
    folder = tmp_path_factory.mktemp("adapter")
    with torch.random.fork_rng():
        torch.manual_seed(5)
        base = AutoModelForCausalLM.from_pretrained(tiny_model)
        config = LoraConfig(r=4, lora_alpha=64, target_modules="all-linear", init_lora_weights=False)
        get_peft_model(base, config).save_pretrained(folder)
    return str(folder)


def text_of(replies: list[dict[str, Any]], side: int) -> str:
    return "".join(r["text"] for r in replies if r["kind"] == "text" and r["side"] == side)


def test_two_sides_stream_at_the_same_time(worker: WorkerUnderTest, tiny_adapter: str) -> None:
    worker.answer("both", ("", tiny_adapter), max_new_tokens=200)
    replies = worker.read_until_ended("both", 2)
    done = [index for index, reply in enumerate(replies) if reply["kind"] == "done"]
    first = [next(i for i, r in enumerate(replies) if r["kind"] == "text" and r["side"] == s) for s in (0, 1)]
    assert max(first) < min(done)
    assert text_of(replies, 0) != text_of(replies, 1)
    ends = [replies[index] for index in done]
    assert all(end["tokens"] > 0 and end["tokens_per_second"] > 0 and end["memory_mb"] > 50 for end in ends)


def test_the_same_request_gets_the_same_text(worker: WorkerUnderTest, tiny_adapter: str) -> None:
    texts = []
    for identity in ("one", "two"):
        worker.answer(identity, ("", tiny_adapter), seed=11)
        replies = worker.read_until_ended(identity, 2)
        texts.append([text_of(replies, side) for side in (0, 1)])
    assert texts[0] == texts[1]
    assert all(texts[0])


def test_a_batch_of_mixed_adapters_writes_what_each_writes_alone(
    worker: WorkerUnderTest, tiny_adapter: str
) -> None:
    greedy = {"temperature": 0.0, "max_new_tokens": 40}
    alone = []
    for number, one in enumerate(("", tiny_adapter)):
        worker.answer(f"alone-{number}", (one,), **greedy)
        alone.append(text_of(worker.read_until_ended(f"alone-{number}", 1), 0))
    worker.answer("mixed", (tiny_adapter, "", tiny_adapter), **greedy)
    replies = worker.read_until_ended("mixed", 3)
    assert [text_of(replies, side) for side in (0, 1, 2)] == [alone[1], alone[0], alone[1]]
    assert alone[0] != alone[1]


def test_a_mixed_batch_is_what_transformers_writes(
    worker: WorkerUnderTest, tiny_adapter: str, tiny_model: Path
) -> None:
    device = choose_device()
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    plain = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=choose_dtype("auto", device)).to(device)
    turn = [{"role": "user", "content": "Say ö."}]
    ids = tokenizer.apply_chat_template(
        turn, add_generation_prompt=True, return_dict=True, return_tensors="pt"
    ).to(device)

    def greedy(model: Any) -> str:
        written = model.eval().generate(**ids, do_sample=False, max_new_tokens=24)[0]
        return str(tokenizer.decode(written[ids["input_ids"].shape[1] :], skip_special_tokens=True))

    expected = [greedy(plain)]
    expected.append(greedy(PeftModel.from_pretrained(plain, tiny_adapter)))
    worker.answer("plain", ("", tiny_adapter), temperature=0.0, max_new_tokens=24)
    replies = worker.read_until_ended("plain", 2)
    assert [text_of(replies, side) for side in (0, 1)] == expected


def test_a_request_joins_while_another_is_written(worker: WorkerUnderTest) -> None:
    worker.answer("alone", ("",), temperature=0.0, max_new_tokens=20, says="A much longer prompt than that.")
    expected = text_of(worker.read_until_ended("alone", 1), 0)
    worker.answer("first", ("",), max_new_tokens=400)
    while worker.read().get("id") != "first":
        pass
    worker.answer("joins", ("",), temperature=0.0, max_new_tokens=20, says="A much longer prompt than that.")
    joined = worker.read_until_ended("joins", 1)
    assert text_of(joined, 0) == expected
    assert not [r for r in worker.replies if r.get("id") == "first" and r["kind"] == "done"]
    assert worker.read_until_ended("first", 1)[-1]["ended"] in ("length", "eos")


def test_probabilities_come_with_their_tokens(worker: WorkerUnderTest) -> None:
    worker.answer("held", ("",), probabilities=True, temperature=0.0, max_new_tokens=12)
    replies = worker.read_until_ended("held", 1)
    told = [token for reply in replies for token in reply.get("probabilities", ())]
    done = replies[-1]
    assert "".join(token["text"] for token in told) == text_of(replies, 0)
    assert len(told) == done["tokens"] + (done["ended"] == "eos")
    for token in told:
        top = [probability for _, probability in token["top"]]
        assert len(top) == 5
        assert top == sorted(top, reverse=True)
        assert token["probability"] == top[0]
        assert 0 < sum(top) <= 1 + 1e-5


def test_an_answer_ends_before_a_stop_text(worker: WorkerUnderTest) -> None:
    worker.answer("free", ("",), seed=21)
    whole = text_of(worker.read_until_ended("free", 1), 0)
    stop = whole[5:8]
    worker.answer("stopped", ("",), seed=21, stop=["never there", stop])
    replies = worker.read_until_ended("stopped", 1)
    assert text_of(replies, 0) == whole[: whole.index(stop)]
    assert replies[-1]["ended"] == "stop"


def test_only_the_likeliest_tokens_are_drawn_with_top_k(worker: WorkerUnderTest) -> None:
    worker.answer("greedy", ("",), temperature=0.0)
    greedy = text_of(worker.read_until_ended("greedy", 1), 0)
    worker.answer("one of one", ("",), temperature=2.0, top_k=1)
    assert text_of(worker.read_until_ended("one of one", 1), 0) == greedy
    worker.answer("penalised", ("",), temperature=0.0, repetition_penalty=10.0)
    assert text_of(worker.read_until_ended("penalised", 1), 0) != greedy


def test_an_adapter_that_is_more_than_two_products_gets_a_batch_of_its_own(
    worker: WorkerUnderTest, tiny_adapter: str, tiny_model: Path, tmp_path: Path
) -> None:
    """DoRA reads the base's weights: they are there again, and the others answer as before."""
    greedy = {"temperature": 0.0, "max_new_tokens": 24}
    worker.answer("before", ("", tiny_adapter), **greedy)
    before = worker.read_until_ended("before", 2)
    with torch.random.fork_rng():
        torch.manual_seed(6)
        base = AutoModelForCausalLM.from_pretrained(tiny_model)
        config = LoraConfig(
            r=4, lora_alpha=64, target_modules="all-linear", init_lora_weights=False, use_dora=True
        )
        get_peft_model(base, config).save_pretrained(tmp_path)
    worker.answer("dora", (str(tmp_path), "", tiny_adapter), **greedy)
    replies = worker.read_until_ended("dora", 3)
    assert text_of(replies, 1) == text_of(before, 0)
    assert text_of(replies, 2) == text_of(before, 1)
    assert text_of(replies, 0) not in ("", text_of(before, 0))


def test_models_are_loaded_ahead(worker: WorkerUnderTest, tiny_adapter: str) -> None:
    source = {"name": "tiny", "path": worker.model, "adapter": tiny_adapter}
    worker.ask(id="warm", load=[source])
    reply = worker.read_until_ended("warm", 1)[-1]
    assert reply["kind"] == "done"
    assert reply["memory_mb"] > 50


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
        (b'{"id": "x", "sides": []}', "sides"),
        (
            b'{"id": "x", "sides": [{"model": {"name": "n", "path": "/no/where"}, "sampling": {},'
            b' "messages": [{"role": "user", "content": "a"}]}]}',
            "no such model folder",
        ),
        (
            b'{"id": "x", "sides": [{"model": {"name": "n", "path": "/no/model.gguf"}, "sampling": {},'
            b' "messages": [{"role": "user", "content": "a"}]}]}',
            "llama",
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


def test_a_conversation_longer_than_the_model_reads_is_refused(worker: WorkerUnderTest) -> None:
    worker.answer("long", ("",), says="x" * 2000)
    assert "the model reads 1,024" in worker.read_until_ended("long", 1)[-1]["text"]


def test_an_answer_stops_where_the_model_reads_no_further(worker: WorkerUnderTest) -> None:
    worker.answer("edge", ("",), says="x" * 970, max_new_tokens=500)
    done = worker.read_until_ended("edge", 1)[-1]
    assert done["ended"] in ("length", "eos")
    assert done["prompt_tokens"] + done["tokens"] <= 1024


@pytest.mark.parametrize("said", ["né, 日本 🙂!", "a🙂"])
def test_characters_arrive_whole(tiny_model: Path, said: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokens = tokenizer.encode(said, add_special_tokens=False)
    assert len(tokens) == len(said.encode())
    text = AnswerText(tokenizer)
    for token in tokens:
        text.add(token)
        assert "\ufffd" not in text.text
        assert said.startswith(text.text)
    text.end()
    assert text.text == said


def test_broken_bytes_at_the_end_are_not_held_back_for_ever(tiny_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    text = AnswerText(tokenizer)
    for token in tokenizer.encode("a🙂", add_special_tokens=False)[:3]:
        text.add(token)
    assert text.text == "a"
    text.end()
    assert text.text.startswith("a\ufffd")


@pytest.mark.parametrize("stop", [("END",), ("nothing", "E"), ("word END",)])
def test_nothing_of_a_stop_text_is_shown(tiny_model: Path, stop: tuple[str, ...]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    said = "a word END of it"
    expected = said[: min(said.find(one) for one in stop if one in said)]
    text = AnswerText(tokenizer, stop)
    for token in tokenizer.encode(said, add_special_tokens=False):
        text.add(token)
        assert expected.startswith(text.text)
    text.end()
    assert text.text == expected
    assert text.stopped


def test_what_only_began_like_a_stop_text_is_shown_in_the_end(tiny_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    text = AnswerText(tokenizer, ("ENDING",))
    for token in tokenizer.encode("the END", add_special_tokens=False):
        text.add(token)
    assert text.text == "the "
    text.end()
    assert text.text == "the END"
    assert not text.stopped
