"""The generations of one run, by step, from its event log."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

from rlft_tui.runs.run_event import RunEvent, number
from rlft_tui.runs.run_status import Sample, SampleHead

LONGEST = 200_000
"""Characters of a text that are kept for reading; the event log has all of them."""


class RunSamples:
    """Samples by step and prompt; a resumed run's new sample takes the old one's place."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._samples: dict[tuple[int, int], Sample] = {}

    def reset(self) -> None:
        """Forget all, for a log that is read again from its top."""
        self._samples.clear()

    def restore(self, samples: Iterable[Sample]) -> None:
        """Take samples that were kept elsewhere in place of all others."""
        self._samples = {(sample.step, sample.index): sample for sample in samples}

    def apply(self, event: RunEvent) -> None:
        """Take a ``sample`` event; one without step or text is passed over."""
        if event.kind != "sample":
            return
        fields = event.fields
        step, index = fields.get("step"), fields.get("index", 0)
        if type(step) is not int or type(index) is not int:
            return
        tokens = fields.get("tokens")
        self._samples[step, index] = Sample(
            run_id=self.run_id,
            step=step,
            index=index,
            prompt=_readable(fields.get("prompt", "")),
            completion=_readable(fields.get("completion", "")),
            kl=_finite(fields.get("kl")),
            reward=_finite(fields.get("reward")),
            tokens=tokens if type(tokens) is int else 0,
            rewards=_parts(fields.get("rewards")),
        )

    def after(self, step: int) -> tuple[Sample, ...]:
        """Samples of later steps than this, by step and prompt."""
        return tuple(self._samples[key] for key in sorted(self._samples) if key[0] > step)

    def heads(self, after_step: int = -(2**62)) -> tuple[SampleHead, ...]:
        """All samples of later steps than this without their texts, by step and prompt."""
        found = (self._samples[key] for key in sorted(self._samples) if key[0] > after_step)
        return tuple(SampleHead(one.step, one.index, one.kl, one.reward, one.tokens) for one in found)

    def at(self, step: int) -> tuple[Sample, ...]:
        """The samples of one step, by prompt."""
        return tuple(self._samples[key] for key in sorted(self._samples) if key[0] == step)

    def of_prompt(self, index: int) -> tuple[Sample, ...]:
        """What was answered to one prompt, by step."""
        return tuple(self._samples[key] for key in sorted(self._samples) if key[1] == index)

    def holding(self, text: str) -> tuple[SampleHead, ...]:
        """Samples whose prompt or completion holds these words, in any case."""
        wanted = text.casefold()
        keys = {
            (one.step, one.index)
            for one in self._samples.values()
            if wanted in one.completion.casefold() or wanted in one.prompt.casefold()
        }
        return tuple(head for head in self.heads() if (head.step, head.index) in keys)


def _readable(value: object) -> str:
    text = str(value)
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\n… {len(text) - LONGEST:,} more characters stand in events.jsonl"


def _parts(value: object) -> dict[str, float]:
    if not isinstance(value, dict):
        return {}
    return {str(name): part for name, each in value.items() if (part := _finite(each)) is not None}


def _finite(value: object) -> float | None:
    logged = number(value)
    return logged if logged is not None and isfinite(logged) else None
