"""Runs in words, charts in pages and samples by step."""

from __future__ import annotations

import math

import pytest

from rlft_tui.cli import session
from rlft_tui.cli.run_text import runs_table, status_text
from rlft_tui.runs.run_status import Exit, RunSummary, SampleHead
from rlft_tui.tui import metric_pages, run_text
from rlft_tui.tui.metric_pages import MetricPages, group_of, rank
from rlft_tui.tui.sample_book import SampleBook
from rlft_tui.tui.screens.home import result_text
from rlft_tui.tui.screens.monitor import failure_text, progress


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.6931471, "0.693"),
        (0.0, "0.000"),
        (5e-05, "5.00e-05"),
        (12345.6, "1.235e+04"),
        ("NaN", "NaN"),
        (math.nan, "NaN"),
        ("-Infinity", "-Inf"),
        (None, "–"),
    ],
)
def test_figures_are_short_and_honest(value: float | str | None, text: str) -> None:
    assert run_text.figure(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(42, "42s"), (192, "3m12s"), (7500, "2h05m"), (273600, "3d04h"), (None, "–")]
)
def test_durations(seconds: float | None, text: str) -> None:
    assert run_text.duration(seconds) == text


def test_names_are_one_harmless_line() -> None:
    assert run_text.plain("a\x1b[31mb\n\tc") == "a␛[31mb c"


def test_every_status_has_a_shape_of_its_own_or_a_word() -> None:
    labels = {run_text.label(run(status=status)) for status in run_text.GLYPHS}
    assert len(labels) == len(run_text.GLYPHS)


def run(**changes: object) -> RunSummary:
    values: dict[str, object] = {
        "id": "dpo-1",
        "method": "dpo",
        "status": "running",
        "step": 10,
        "steps": 40,
        "model": "m",
        "dataset": "abc",
        "path": "/runs/dpo-1",
        "created": 100.0,
    }
    return RunSummary(**{**values, **changes})  # type: ignore[arg-type]


def test_a_killed_run_says_by_what_and_how_to_go_on() -> None:
    killed = run(
        status="killed",
        exit=Exit(None, "SIGKILL", "killed by SIGKILL (out of memory?)", 1.0),
        checkpoint="checkpoints/checkpoint-20",
    )
    assert "SIGKILL" in run_text.cause(killed)
    assert run_text.resume_advice(killed) == "r resumes from checkpoint 20"
    assert "no checkpoint" in run_text.resume_advice(run(status="killed"))
    assert run_text.cause(run()) == run_text.resume_advice(run()) == ""


def test_progress() -> None:
    assert run_text.progress_bar(run(), 8) == "━━──────"
    assert run_text.progress_bar(run(step=90), 4) == "━━━━"
    assert run_text.progress_bar(run(steps=0), 4) == "────"


def test_metrics_in_reading_order() -> None:
    keys = ["zeta", "layer.10", "train_runtime", "kl/sequence", "layer.2", "loss", "eval_loss"]
    ordered = ["loss", "kl/sequence", "eval_loss", "layer.2", "layer.10", "zeta", "train_runtime"]
    assert rank(keys) == ordered


def test_pages_turn_without_wrapping_and_keep_the_first_chart_when_resized() -> None:
    pages = MetricPages(per_page=4)
    assert pages.learn(dict.fromkeys("abcdefghij"))
    assert not pages.learn({"a": 1})
    assert not pages.turn(-1)
    assert pages.turn(1)
    assert pages.shown == list("efgh")
    assert pages.resize(2)
    assert pages.shown[0] == "e"
    pages.toggle("j")
    pages.toggle("b")
    assert pages.shown == ["j", "b"]
    pages.toggle("j")
    pages.toggle("b")
    assert pages.shown == ["a", "b"]


def test_the_group_of_a_key_is_made_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counted(key: str) -> str:
        asked.append(key)
        return group_of(key)

    monkeypatch.setattr(metric_pages, "group_of", counted)
    pages = MetricPages(per_page=4)
    keys = dict.fromkeys([f"key{number}/x" for number in range(2000)] + ["loss"])
    assert pages.learn(keys)
    assert not pages.learn(keys)
    pages.turn_group()
    assert (pages.group, pages.shown) == ("loss", ["loss"])
    pages.turn_group()
    pages.turn(1)
    assert (pages.pages, len(pages.shown)) == (500, 4)
    assert len(asked) == 2001


def test_metric_search_takes_words_in_any_order() -> None:
    pages = MetricPages()
    pages.learn(dict.fromkeys(["rewards/margins", "rewards/chosen", "loss"]))
    assert pages.search("marg rew") == ["rewards/margins"]


def sample(step: int, index: int, kl: float = 1.0) -> SampleHead:
    return SampleHead(step, index, kl)


def test_samples_follow_the_newest_step_until_one_turns_back() -> None:
    book = SampleBook()
    assert book.current is None
    assert book.add([sample(0, 0), sample(0, 1)])
    book.turn_prompt(1)
    assert book.add([sample(10, 0, 2.0), sample(10, 1, 4.0)])
    assert (book.step, book.index) == (10, 1)
    assert book.mean_kl() == 3.0
    assert book.turn_step(-1)
    assert not book.turn_step(-1)
    book.add([sample(20, 0)])
    assert book.step == 0
    book.turn_step(9)
    assert (book.step, book.index) == (20, 0)
    assert not book.add([sample(20, 0)])


def test_home_prefers_the_held_out_accuracy_to_that_of_the_last_batch() -> None:
    first = {"loss": 0.693, "rewards/accuracies": 0.0}
    last = {"loss": 0.2, "rewards/accuracies": 1.0}
    batch = run(first=first, metrics=last)
    assert result_text(batch) == "loss 0.693 → 0.200, accuracy 0.000 → 1.000"
    held = {"heldout/reward_accuracy": 0.5}, {"heldout/reward_accuracy": 0.75}
    held_out = run(first={**first, **held[0]}, metrics={**last, **held[1]})
    assert result_text(held_out) == "loss 0.693 → 0.200, held-out accuracy 0.500 → 0.750"


def test_what_was_never_begun_and_what_has_no_step_left_is_said_as_it_is() -> None:
    cancelled = run(status="stopped", step=0, exit=Exit(None, None, "cancelled before it started", 1.0, True))
    assert run_text.state(cancelled) == "■ cancelled"
    assert status_text(cancelled) == "cancelled"
    assert status_text(run(status="stopping"), asked="pause") == "pausing"
    assert status_text(run(status="stopping"), asked="stop") == "stopping"
    assert run_text.state(run(status="stopped", exit=Exit(0, None, "stopped", 1.0, True))) == "■ stopped"
    assert run_text.resume_advice(cancelled) == "r puts it back in line"
    assert run_text.since(cancelled, 220.0) == "launched 2m ago"
    assert run_text.since(run(started=160.0), 220.0) == "started 1m ago"
    evaluating = run(step=40, stage="evaluating", seconds_left=0.0)
    assert run_text.when(evaluating, 0.0) == "evaluating"
    assert "0s left" not in progress(evaluating, 78).plain
    assert run_text.when(run(seconds_left=192.0), 0.0) == "3m12s left"
    assert run_text.stage(run(status="stopping", stage="training")) == "ends its step, then saves"
    assert run_text.stage(run(status="stopping", stage="saving")) == "saving"


def test_a_failure_begins_with_its_cause_and_is_told_once() -> None:
    message = "/home/ada/project/workspace/runs/grpo-1/rewards/bad.py:3: ZeroDivisionError: division by zero"
    failed = run(status="failed", error=f"RlftError: {message} (reward bad)")
    text = failure_text(failed, ["step 3", f"{message} (reward bad)"], 78).plain.splitlines()
    assert text[0] == "✗ bad.py:3: ZeroDivisionError: division by zero (reward bad)"
    assert text[1] == "  │ step 3"
    assert not any("/home" in line for line in text)
    assert run_text.cause(run(status="failed", error="ValueError: /a and /b: none")) == (
        "ValueError: /a and /b: none"
    )


def test_the_list_of_runs_fits_into_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_terminal_width", lambda: 80)
    long = run(id="generate-1130-0304-abcd", model="smollm2-135m", metrics={"loss": 0.6931471})
    text = runs_table([long, run(id="dpo-1130-0305-abcd", status="queued", queue_place=2)])
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "smollm2-135m" in text


@pytest.mark.parametrize("width", [23, 25])
def test_the_letters_that_tell_runs_apart_are_kept(width: int) -> None:
    shown = run_text.cut_middle("completions-1130-0745-abcd", width)
    assert (len(shown), shown[:11], shown[-6:]) == (width, "completions", "…-abcd")
    assert run_text.cut_middle("dpo-1130-0305-abcd", width) == "dpo-1130-0305-abcd"
    assert run_text.cut_middle("abcdefgh", 4) == "abc…"


def test_a_last_column_is_wrapped_at_spaces_and_nothing_of_it_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "_terminal_width", lambda: 40)
    purpose = "A few minutes: sums in words, easy questions"
    lines = session.table(
        ("suite", "what it is for"), [("basics", purpose), ("x", "y")], wrap=True
    ).splitlines()
    assert max(map(len, lines)) <= 40
    assert all(line.startswith("        ") for line in lines[2:-1])
    assert " ".join([lines[1].removeprefix("basics"), *lines[2:-1]]).split() == purpose.split()
    assert lines[-1].split() == ["x", "y"]
    beside = session.beside("-     gguf  → ", "pip install llama-cpp-python and look again")
    assert beside.splitlines() == [
        "-     gguf  → pip install",
        "              llama-cpp-python and look",
        " " * 14 + "again",
    ]
