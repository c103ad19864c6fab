"""Answers of GGUF files by llama.cpp, through llama-cpp-python where that is installed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from rlft_tui.errors import NotFoundError, RlftError, UnavailableError
from rlft_tui.jobs.answer_side import Side
from rlft_tui.jobs.export.engines import has_amx, leave_weights_as_stored
from rlft_tui.runs.specs.base import ModelSource

CONTEXT = 4096
"""Tokens of conversation and answer at most, unless the model was made for fewer."""


_opened: set[str] = set()
"""Files that were opened in this process."""


class PlainText:
    """The text of a side whose engine gives text and not tokens."""

    def __init__(self) -> None:
        self.text = ""


class GgufAnswers:
    """Each side has a context of its own; the weights are mapped from the file, once for all of them."""

    def __init__(self) -> None:
        self._idle: dict[str, list[Any]] = {}
        """Contexts that nobody uses, by file."""
        self._sides: dict[Side, tuple[Any, Iterator[Any]]] = {}

    @property
    def is_busy(self) -> bool:
        return bool(self._sides)

    def load(self, sources: Sequence[ModelSource], loading: Callable[[str], None]) -> None:
        for source in sources:
            if not self._idle.get(source.path):
                loading(source.name)
                self._idle.setdefault(source.path, []).append(_open(source.path))

    def begin(self, sides: Sequence[Side], loading: Callable[[str], None]) -> None:
        """Have these written from the next step on. UnavailableError without llama-cpp-python."""
        for side in sides:
            if side.probabilities:
                raise RlftError(f"{side.asked.model.name}: a GGUF model gives no token probabilities here")
            self.load([side.asked.model], loading)
            context = self._idle[side.asked.model.path].pop()
            side.text = PlainText()  # type: ignore[assignment]
            sampling = side.asked.sampling
            stream = context.create_chat_completion(
                messages=[dict(turn) for turn in side.asked.messages],
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                top_k=sampling.top_k,
                min_p=0.0,
                repeat_penalty=sampling.repetition_penalty,
                max_tokens=sampling.max_new_tokens,
                seed=side.asked.seed % 2**32,
                stop=list(side.stop),
                stream=True,
            )
            side.started = time.monotonic()
            self._sides[side] = (context, iter(stream))

    def step(self) -> tuple[list[Side], str]:
        """The next piece of each side."""
        told = list(self._sides)
        for side in told:
            try:
                chunk = next(self._sides[side][1], None)
            except (RuntimeError, ValueError) as error:
                self._leave(side)
                return [side], f"llama.cpp: {(str(error).splitlines() or ['it failed'])[0]}"
            self._take(side, chunk)
            if side.ended:
                self._leave(side)
        return told, ""

    def _take(self, side: Side, chunk: Any) -> None:
        if chunk is None:
            side.ended = side.ended or "eos"
            return
        choice = chunk["choices"][0]
        if text := choice["delta"].get("content") or "":
            side.got_text(text)
        if reason := choice.get("finish_reason"):
            side.ended = "length" if reason == "length" else "eos"

    def cancel(self, request: str) -> None:
        for side in [side for side in self._sides if side.request == request]:
            self._leave(side)

    def _leave(self, side: Side) -> None:
        context, stream = self._sides.pop(side)
        close = getattr(stream, "close", None)
        if close is not None:
            close()
        self._idle.setdefault(side.asked.model.path, []).append(context)


def _open(path: str) -> Any:
    try:
        import llama_cpp
    except ImportError:
        raise UnavailableError(
            "a GGUF file needs llama-cpp-python, which is not installed",
            where=path,
            remedy="pip install llama-cpp-python, or serve the file with llama.cpp and name it as a provider",
        ) from None
    if not _opened and has_amx():
        leave_weights_as_stored(llama_cpp.llama_cpp)
    _opened.add(path)
    try:
        return llama_cpp.Llama(
            model_path=path, n_ctx=CONTEXT, n_threads=torch.get_num_threads(), verbose=False
        )
    except (ValueError, OSError) as error:
        raise NotFoundError(f"llama.cpp cannot read it: {str(error).splitlines()[0]}", where=path) from None
