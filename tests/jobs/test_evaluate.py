"""Measuring a model: figures against plain transformers, and a suite that watches a training run."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from rlft_tui.evaluations.evaluation import Item
from rlft_tui.evaluations.suites.freeze import FrozenTask, freeze_suite, read_frozen
from rlft_tui.evaluations.task_figures import task_figures
from rlft_tui.jobs.checkpoints import verify
from rlft_tui.jobs.dpo import Dpo
from rlft_tui.jobs.evaluation.harness import harness_items
from rlft_tui.jobs.evaluation.measure import Measurement
from rlft_tui.jobs.evaluation.pending import Pending
from rlft_tui.jobs.evaluation.subject import Subject
from rlft_tui.jobs.evaluation.texts import TextScorer
from rlft_tui.jobs.job import Job
from rlft_tui.jobs.model_loading import AdapterBase
from rlft_tui.jobs.ppo import __main__ as ppo
from rlft_tui.jobs.stopping import StopRequest
from rlft_tui.jobs.training import train
from rlft_tui.rewards.freeze import freeze
from rlft_tui.runs.run_event import EventWriter
from rlft_tui.runs.run_spec import read_spec
from rlft_tui.runs.specs.ppo import PpoSpec
from rlft_tui.runs.specs.rewards import RewardPart
from tests.jobs.job_process import dpo_folder, events, of_kind, training_folder, values

SUITE = """
[[task]]
name = "texts"
kind = "perplexity"
file = "texts.jsonl"
max_length = 64

[[task]]
name = "talk"
kind = "perplexity"
over = "assistant"
file = "talk.jsonl"

[[task]]
name = "facts"
kind = "choice"
file = "facts.jsonl"
chat = false

[[task]]
name = "words"
kind = "accuracy"
file = "words.jsonl"
sampling = { temperature = 0.7, max_new_tokens = 6 }

[[task]]
name = "free"
kind = "text"
file = "words.jsonl"
samples = 3
rewards = ["length:1.0:minimum=1:maximum=3"]
complies_from = 1.0
fluency = true
sampling = { temperature = 1.0, max_new_tokens = 6 }
"""
HARNESS = """
[[task]]
name = "theirs"
kind = "lm-eval"
folder = "harness"
tasks = ["rlft_choices", "rlft_texts"]

[[task]]
name = "ours"
kind = "choice"
file = "harness/rows.jsonl"
chat = false

[[task]]
name = "texts"
kind = "perplexity"
file = "harness/rows.jsonl"
text = "prompt"
"""
CHOICES_YAML = """
task: rlft_choices
dataset_path: json
dataset_kwargs:
  data_files:
    test: rows.jsonl
test_split: test
output_type: multiple_choice
doc_to_text: "{{prompt}}"
doc_to_choice: "{{choices}}"
doc_to_target: "{{answer}}"
metric_list:
  - metric: acc
  - metric: acc_norm
"""
TEXTS_YAML = """
task: rlft_texts
dataset_path: json
dataset_kwargs:
  data_files:
    test: rows.jsonl
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{prompt}}"
metric_list:
  - metric: bits_per_byte
"""
TEXTS = [
    "A short one.",
    "The second text is somewhat longer than the first.",
    "again and again " * 12,
    "ä€😀 end",
]
WORDS = [
    {"id": f"w{n}", "prompt": f"Say {word}.", "answer": word} for n, word in enumerate(("ash", "elm", "fir"))
]


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FrozenTask]:
    """A small suite of every kind that needs no sandbox, frozen."""
    root = tmp_path_factory.mktemp("evaluate")
    suites = root / "suites"
    suites.mkdir()
    (suites / "small.toml").write_text(SUITE)
    lines(suites / "texts.jsonl", [{"text": text} for text in TEXTS])
    lines(suites / "talk.jsonl", [{"prompt": f"Say {n}.", "completion": f"{n} " * n} for n in (1, 4, 9)])
    lines(
        suites / "facts.jsonl",
        [{"prompt": "One and one is", "choices": ["two", "seven apples"], "answer": "A"}] * 2,
    )
    lines(suites / "words.jsonl", WORDS)
    for name, content in freeze_suite("small", root, {}).items():
        (root / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "run" / name).write_bytes(content)
    rewards = [("builtin:length", {"minimum": 1, "maximum": 3})]
    (root / "rewards").mkdir()
    freeze(rewards, root / "rewards", root / "run" / "rewards", columns=None)
    return {task.name: task for task in read_frozen(root / "run")[1]}


def lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def base(tiny_model: Path) -> AdapterBase:
    return AdapterBase(str(tiny_model), torch.float32, "cpu")


def measured(
    base: AdapterBase, task: FrozenTask, batch_size: int = 4, texts: TextScorer | None = None
) -> list[Item]:
    subject = Subject(base.model, base.tokenizer, batch_size=batch_size, seed=3)
    measurement = Measurement("small", subject, texts=texts)
    return [item for block in measurement.items(task, task.items()) for item in block]


@torch.no_grad()
def plain_nats(base: AdapterBase, ids: list[int], begin: int) -> float:
    """-log p of ids[begin:] by the library's own loss, one text at a time, without padding."""
    labels = torch.tensor([[-100] * begin + ids[begin:]])
    loss = base.model(input_ids=torch.tensor([ids]), labels=labels).loss
    return float(loss) * (len(ids) - begin)


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_perplexity_is_that_of_plain_transformers_whatever_the_batch(
    base: AdapterBase, tasks: dict[str, FrozenTask], batch_size: int
) -> None:
    nats, tokens = 0.0, 0
    for text in TEXTS:
        ids = base.tokenizer(text)["input_ids"]
        nats += windowed(base, list(ids), 64)
        tokens += len(ids) - 1
    items = measured(base, tasks["texts"], batch_size)
    [perplexity, bits] = task_figures(tasks["texts"], items, model="tiny")
    assert sum(item.parts["tokens"] for item in items) == tokens
    assert perplexity.value == pytest.approx(math.exp(nats / tokens), rel=1e-4)
    size = sum(len(text.encode()) for text in TEXTS)
    assert bits.value == pytest.approx(nats / math.log(2) / size, rel=1e-4)
    assert (perplexity.n, perplexity.better) == (len(TEXTS), "lower")


def windowed(base: AdapterBase, ids: list[int], most: int) -> float:
    """Every token but the first once, in windows of ``most`` tokens; the last is filled up with context."""
    total, done = 0.0, 1
    while done < len(ids):
        end = min(len(ids), done - 1 + most)
        window = ids[max(0, end - most) : end]
        total += plain_nats(base, window, len(window) - (end - done))
        done = end
    return total


def test_assistant_tokens_alone_are_scored_given_the_conversation(
    base: AdapterBase, tasks: dict[str, FrozenTask]
) -> None:
    for item, row in zip(measured(base, tasks["talk"]), tasks["talk"].items(), strict=True):
        prompt = [{"role": "user", "content": row["prompt"]}]
        answer = [{"role": "assistant", "content": row["completion"]}]
        before = base.tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=True)
        whole = base.tokenizer.apply_chat_template(prompt + answer, return_dict=True)
        begin = len(before["input_ids"])
        assert item.parts["nats"] == pytest.approx(
            plain_nats(base, list(whole["input_ids"]), begin), rel=1e-4
        )


def test_the_likelier_choice_is_taken(base: AdapterBase, tasks: dict[str, FrozenTask]) -> None:
    [item, same] = measured(base, tasks["facts"])
    prompt = list(base.tokenizer("One and one is")["input_ids"])
    for text, logp in zip(("two", "seven apples"), item.parts["logps"], strict=True):
        ids = list(base.tokenizer(f"One and one is {text}")["input_ids"])
        assert -logp == pytest.approx(plain_nats(base, ids, len(prompt)), abs=1e-3)
    assert item.scores["accuracy"] == float(item.output == "two")
    assert item.item != same.item


def test_the_same_seed_answers_the_same_and_torchs_random_state_is_untouched(
    base: AdapterBase, tasks: dict[str, FrozenTask]
) -> None:
    torch.manual_seed(11)
    expected = torch.rand(1)
    torch.manual_seed(11)
    first = measured(base, tasks["words"])
    assert torch.rand(1) == expected
    assert [item.output for item in first] == [item.output for item in measured(base, tasks["words"])]
    assert {item.scores["accuracy"] for item in first} <= {0.0, 1.0}


def test_texts_are_rewarded_and_weighed_and_told_apart(
    base: AdapterBase, tasks: dict[str, FrozenTask], tmp_path: Path
) -> None:
    task = tasks["free"]
    subject = Subject(base.model, base.tokenizer, batch_size=4, seed=3)
    part = RewardPart.model_validate("length:1.0:minimum=1:maximum=3")
    scorer = TextScorer(
        [part], task.rows.parents[1] / "rewards", load_model=lambda source: None, reference=subject
    )  # type: ignore[arg-type, return-value]
    items = measured(base, task, texts=scorer)
    assert [item.item for item in items[:4]] == ["w0#0", "w0#1", "w0#2", "w1#0"]
    found = {one.metric: one for one in task_figures(task, items, model="tiny")}
    assert {"reward", "compliance", "words", "distinct_1", "distinct_2", "self_bleu"} <= set(found)
    assert found["fluency_perplexity"].better == found["self_bleu"].better == "lower"
    for item in items:
        ids = base.tokenizer(item.output, add_special_tokens=False)["input_ids"]
        if ids:
            prompt = [{"role": "user", "content": item.prompt}]
            before = base.tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=True)
            whole = [*before["input_ids"], *ids]
            assert item.parts["nats"] == pytest.approx(
                plain_nats(base, whole, len(whole) - len(ids)), rel=1e-4
            )
    done = Pending([task], items[:-1])
    assert [row["_item"] for row in done.rows(task)] == ["w2"]
    assert done.rows(task, (0, 2)) == done.rows(task)
    assert done.rows(task, (1, 2)) == []


def test_lm_eval_runs_local_tasks_and_gives_the_same_accuracies(
    base: AdapterBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("lm_eval")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    harness = tmp_path / "suites" / "harness"
    harness.mkdir(parents=True)
    (tmp_path / "suites" / "both.toml").write_text(HARNESS)
    (harness / "rlft_choices.yaml").write_text(CHOICES_YAML)
    (harness / "rlft_texts.yaml").write_text(TEXTS_YAML)
    rows = [
        {"prompt": f"The sum of {n} and {n} is", "choices": [str(2 * n), f"none of {n}"], "answer": n % 2}
        for n in range(12)
    ]
    lines(harness / "rows.jsonl", rows)
    for name, content in freeze_suite("both", tmp_path, {}).items():
        (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / name).write_bytes(content)
    _, (theirs, ours, texts) = read_frozen(tmp_path / "run")
    subject = Subject(base.model, base.tokenizer, batch_size=4, seed=0)
    items = harness_items("both", theirs, subject, seed=0)
    own = {one.metric: one for one in task_figures(ours, measured(base, ours), model="tiny")}
    found = {one.metric: one for one in task_figures(theirs, items, model="tiny")}
    assert found["rlft_choices/acc"].value == own["accuracy"].value
    assert found["rlft_choices/acc_norm"].value == own["accuracy_norm"].value
    assert found["rlft_choices/acc"].n == 12
    # lm-eval scores the first token too, given the token that begins a text.
    bits = {one.metric: one for one in task_figures(texts, measured(base, texts), model="tiny")}[
        "bits_per_byte"
    ]
    assert found["rlft_texts/bits_per_byte"].value == pytest.approx(bits.value, rel=0.2)
    assert found["rlft_texts/bits_per_byte"].better == "lower"
    assert Pending([theirs], items).left == 0
    assert Pending([theirs], items[:-1]).left == 1


@pytest.fixture
def signals() -> Iterator[None]:
    """A job in this process takes the signals; they are given back."""
    kept = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    yield
    for number, handler in kept:
        signal.signal(number, handler)


def test_a_suite_watches_a_run_ends_it_early_and_the_best_step_is_the_result(
    tiny_model: Path, tasks: dict[str, FrozenTask], tmp_path: Path, signals: None
) -> None:
    key = "eval/small/texts/perplexity"
    folder = dpo_folder(
        tmp_path / "watched",
        tiny_model,
        evaluate_suite="small",
        evaluate_items=2,
        evaluate_every=2,
        keep_best=key,
        early_stopping=2,
        use_best=True,
        checkpoint_every=100,
        learning_rate=0.1,
        sample_every=0,
    )
    (folder.root / "suite").symlink_to(tasks["texts"].rows.parent)
    log = EventWriter(folder.events)
    spec = read_spec(folder.spec)
    assert isinstance(spec, Dpo.spec)
    try:
        code = train(Job(folder, log, StopRequest()), spec, Dpo())
    finally:
        log.close()
    found = events(folder)
    curve = values(found, key)
    best = min((value, step) for step, value in curve.items() if step)[1]
    last = max(curve)
    assert (code, of_kind(found, "end")[-1]["status"]) == (0, "finished")
    assert 4 <= last < 24, curve
    assert any(one["asked"] == "early stopping" for one in of_kind(found, "control"))
    assert verify(folder.model).step == best
    assert "eval/small/words/accuracy" in {
        name for row in of_kind(found, "metrics") for name in row["values"]
    }


def test_ppo_is_watched_by_a_suite_too_and_saves_a_step_only_when_it_is_the_best(
    tiny_model: Path, tasks: dict[str, FrozenTask], tmp_path: Path, signals: None
) -> None:
    key = "eval/small/texts/perplexity"
    folder = training_folder(
        tmp_path / "watched",
        "ppo",
        tiny_model,
        evaluate_suite="small",
        evaluate_items=2,
        evaluate_every=2,
        keep_best=key,
        early_stopping=3,
        use_best=True,
        checkpoint_every=100,
        keep_checkpoints=100,
        sample_every=0,
        max_steps=13,
        batch_size=2,
        mini_batch_size=2,
        max_new_tokens=4,
        rewards="length:1:minimum=1:maximum=5",
    )
    (folder.root / "suite").symlink_to(tasks["texts"].rows.parent)
    log = EventWriter(folder.events)
    spec = read_spec(folder.spec)
    assert isinstance(spec, PpoSpec)
    try:
        code = ppo.train(Job(folder, log, StopRequest()), spec)
    finally:
        log.close()
    found = events(folder)
    assert (code, of_kind(found, "end")[-1]["status"]) == (0, "finished")
    curve = {step: value for step, value in values(found, key).items() if step}
    bests = [step for step in curve if all(curve[step] < curve[other] for other in curve if other < step)]
    last = max(curve)
    saved = [one["step"] for one in of_kind(found, "checkpoint")]
    assert saved == sorted({*bests, last})
    assert verify(folder.model).step == bests[-1]
