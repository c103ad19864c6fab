"""The generations of one run, by step, from its event log."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

from rlft_tui.runs.run_event import RunEvent, number
from rlft_tui.runs.run_status import Sample


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
            prompt=str(fields.get("prompt", "")),
            completion=str(fields.get("completion", "")),
            kl=_finite(fields.get("kl")),
            reward=_finite(fields.get("reward")),
            tokens=tokens if type(tokens) is int else 0,
        )

    def after(self, step: int) -> tuple[Sample, ...]:
        """Samples of later steps than this, by step and prompt."""
        return tuple(self._samples[key] for key in sorted(self._samples) if key[0] > step)


def _finite(value: object) -> float | None:
    logged = number(value)
    return logged if logged is not None and isfinite(logged) else None
