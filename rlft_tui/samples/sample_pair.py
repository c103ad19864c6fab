"""Two generations of one prompt as a pair to be labelled blind."""

from __future__ import annotations

import time

from rlft_tui.errors import RlftError
from rlft_tui.ids import derived_id
from rlft_tui.pairs.response_pair import ResponsePair
from rlft_tui.runs.run_status import Sample


def sample_pair(first: Sample, second: Sample) -> ResponsePair:
    """The pair of two samples; the same two always make the same pair.

    RlftError when they answer different prompts or say the same.
    """
    if first.prompt != second.prompt:
        raise RlftError("the two samples answer different prompts", where=first.run_id)
    if first.completion == second.completion:
        raise RlftError("the two samples say the same", where=first.run_id)
    a, b = sorted((first, second), key=lambda one: (one.run_id, one.step, one.index))
    names = [f"{one.run_id}@{one.step}" for one in (a, b)]
    return ResponsePair(
        id=derived_id("sample-pair", *names, str(a.index), a.prompt, a.completion, b.completion),
        prompt=a.prompt,
        response_a=a.completion,
        response_b=b.completion,
        model_a=names[0],
        model_b=names[1],
        category="samples",
        source=f"run:{a.run_id}",
        created_at=time.time(),
    )
