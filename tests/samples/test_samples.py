"""Samples of a run, by step and prompt."""

from __future__ import annotations

from rlft_tui.runs.run_event import RunEvent
from rlft_tui.samples.samples import RunSamples


def logged(step: int, index: int, text: str) -> RunEvent:
    return RunEvent("sample", 0.0, {"step": step, "index": index, "prompt": "p", "completion": text})


def test_samples_come_by_step_and_prompt_and_a_resumed_step_replaces_its_own() -> None:
    samples = RunSamples("run")
    for step, index, text in ((10, 1, "b"), (10, 0, "a"), (0, 0, "first"), (10, 1, "again")):
        samples.apply(logged(step, index, text))
    assert [sample.completion for sample in samples.after(-1)] == ["first", "a", "again"]
    assert [sample.completion for sample in samples.after(0)] == ["a", "again"]


def test_samples_kept_elsewhere_come_back_whole() -> None:
    samples = RunSamples("run")
    for index in range(3):
        samples.apply(logged(5, index, f"answer {index}"))
    kept = samples.after(-1)
    copy = RunSamples("run")
    copy.restore(kept)
    assert copy.after(-1) == kept
