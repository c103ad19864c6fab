"""A request as the inference worker takes it, and its replies as pieces of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from rlft_tui.errors import RlftError
from rlft_tui.runs.run_spec import ModelSource
from rlft_tui.runs.specs.inference import AnswerSampling
from rlft_tui.server.answers import AskedSide, GenerateRequest, StreamedText, TokenProbability
from rlft_tui.server.provider_answers import messages_of
from rlft_tui.server.worker_process import Reply


def sampling_of(side: AskedSide, where: str) -> AnswerSampling:
    """How a side is drawn; RlftError names the value that cannot be."""
    try:
        return AnswerSampling(
            temperature=side.temperature,  # type: ignore[arg-type]
            top_p=side.top_p,  # type: ignore[arg-type]
            max_new_tokens=side.max_new_tokens,  # type: ignore[arg-type]
            top_k=side.top_k,
            repetition_penalty=side.repetition_penalty,
        )
    except ValidationError as error:
        first = error.errors()[0]
        said = str(first["msg"]).removeprefix("Value error, ")
        # What the whole spec refuses, such as a number of more than 64 bits, has no place.
        named = "".join(f"{name}: " for name in first["loc"][:1])
        raise RlftError(f"{named}{said[:1].lower()}{said[1:]}", where=where) from None


def worker_request(request_id: str, request: GenerateRequest, models: dict[int, ModelSource]) -> Reply:
    sides = request.asked()
    return {
        "id": request_id,
        "sides": [
            {
                "model": model.model_dump(),
                "messages": messages_of(request, sides[number].system),
                "sampling": sampling_of(sides[number], "").model_dump(),
                "seed": sides[number].seed,
            }
            for number, model in models.items()
        ],
        "stop": list(request.stop),
        "probabilities": request.probabilities,
    }


def piece_of(reply: Reply, numbers: Sequence[int]) -> StreamedText:
    """A reply of the worker, which counts its own sides, as a piece of the whole request."""
    side = int(reply.get("side") or 0)
    return StreamedText(
        kind=reply.get("kind", "error"),
        side=numbers[side] if side < len(numbers) else 0,
        text=str(reply.get("text") or ""),
        tokens=int(reply.get("tokens") or 0),
        tokens_per_second=_number(reply.get("tokens_per_second")),
        probabilities=tuple(
            TokenProbability(
                one["text"], one["probability"], tuple((text, held) for text, held in one["top"])
            )
            for one in reply.get("probabilities") or ()
        ),
        ended=reply.get("ended") or "",
        prompt_tokens=int(reply.get("prompt_tokens") or 0),
        memory_mb=_number(reply.get("memory_mb")),
        seconds_to_first=_number(reply.get("seconds_to_first")),
    )


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
