"""What reads a model and answers with it: transformers, onnxruntime, llama.cpp, behind one interface.

All of them give the logits at every position of a token sequence, and write a greedy answer.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from rlft_tui.jobs.decoding import Decoding, Row, end_ids
from rlft_tui.runs.run_spec import Sampling

Logits = np.ndarray[Any, np.dtype[np.float32]]


class Engine(Protocol):
    """A model that can be asked."""

    name: str
    """With version, for people."""

    def logits(self, ids: Sequence[int], start: int) -> Logits:
        """Shape (len(ids) - start, vocabulary): what follows each position from ``start`` on."""

    def greedy(self, prompts: Sequence[Sequence[int]], tokens: int) -> list[list[int]]:
        """The likeliest next token again and again, at most so many, the ending one left out."""

    def close(self) -> None:
        """Free its memory."""


class TransformersEngine:
    """A causal model in torch."""

    def __init__(self, model: Any, tokenizer: Any, *, name: str = "") -> None:
        self.model = model.eval()
        self.ends = end_ids(model, tokenizer)
        self.pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        self.name = name or f"transformers {importlib.metadata.version('transformers')}"

    @torch.inference_mode()
    def logits(self, ids: Sequence[int], start: int) -> Logits:
        row = torch.tensor([list(ids)], device=self.model.device)
        output = self.model(input_ids=row, use_cache=False, logits_to_keep=len(ids) - start)
        found: Logits = output.logits[0].float().cpu().numpy()
        return found

    @torch.inference_mode()
    def greedy(self, prompts: Sequence[Sequence[int]], tokens: int) -> list[list[int]]:
        sampling = Sampling(temperature=0.0, max_new_tokens=tokens)
        rows = [Row(list(prompt), sampling, 0) for prompt in prompts]
        decoding = Decoding(self.model, rows, self.ends, self.pad)
        while decoding.open:
            decoding.step()
        return [row.tokens for row in rows]

    def close(self) -> None:
        self.model = None


class OnnxEngine:
    """An exported graph, with or without a key-value cache."""

    def __init__(self, folder: Path, ends: frozenset[int]) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = torch.get_num_threads()
        self.session: Any = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self.ends = ends
        self.name = f"onnxruntime {onnxruntime.__version__}"
        self._past = {
            each.name: (each.shape[1], each.shape[3])
            for each in self.session.get_inputs()
            if each.name.startswith("past_")
        }

    @property
    def cached(self) -> bool:
        return bool(self._past)

    def _empty(self) -> dict[str, Any]:
        return {name: np.zeros((1, heads, 0, size), np.float32) for name, (heads, size) in self._past.items()}

    def _run(self, ids: Sequence[int], before: int, past: dict[str, Any]) -> tuple[Logits, dict[str, Any]]:
        length = len(ids)
        feeds = {
            "input_ids": np.array([list(ids)], np.int64),
            "attention_mask": np.ones((1, before + length), np.int64),
            "position_ids": np.arange(before, before + length, dtype=np.int64)[None],
            **past,
        }
        output = self.session.run(None, feeds)
        return output[0][0], dict(zip(self._past, output[1:], strict=True))

    def logits(self, ids: Sequence[int], start: int) -> Logits:
        return self._run(ids, 0, self._empty())[0][start:]

    def greedy(self, prompts: Sequence[Sequence[int]], tokens: int) -> list[list[int]]:
        return [self._answer(prompt, tokens) for prompt in prompts]

    def _answer(self, prompt: Sequence[int], tokens: int) -> list[int]:
        answer: list[int] = []
        past, new, before = self._empty(), list(prompt), 0
        while len(answer) < tokens:
            logits, past = self._run(new, before, past)
            token = int(logits[-1].argmax())
            if token in self.ends:
                break
            answer.append(token)
            if self.cached:
                before, new = before + len(new), [token]
            else:
                new = [*new, token]
        return answer

    def close(self) -> None:
        self.session = None


def has_amx() -> bool:
    """Whether the processor has tiles for products of 8-bit numbers."""
    try:
        return "amx_int8" in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def leave_weights_as_stored(library: Any) -> None:
    """Keep llama.cpp from laying quantised weights out for AMX.

    That path has ended the process with a segmentation fault at the first token of a q8_0 (ggml-org/llama.cpp
    issue 20824; seen with llama-cpp-python 0.3.36). Its class has no argument for it.
    """
    defaults = library.llama_model_default_params

    def without_repacking() -> Any:
        values = defaults()
        values.use_extra_bufts = False
        return values

    library.llama_model_default_params = without_repacking


class LlamaCppEngine:
    """A GGUF in llama.cpp itself."""

    def __init__(self, path: Path, ends: frozenset[int], *, context: int) -> None:
        import llama_cpp

        if has_amx():
            leave_weights_as_stored(llama_cpp.llama_cpp)
        self.llama: Any = llama_cpp.Llama(
            str(path), n_ctx=context, n_batch=context, logits_all=True, verbose=False,
            n_threads=torch.get_num_threads(), n_gpu_layers=0,
        )  # fmt: skip
        self.ends = ends
        self.name = f"llama.cpp (llama-cpp-python {llama_cpp.__version__})"

    def token_ids(self, text: str) -> list[int]:
        """By the tokenizer inside the file."""
        return list(self.llama.tokenize(text.encode(), add_bos=False, special=True))

    def logits(self, ids: Sequence[int], start: int) -> Logits:
        self.llama.reset()
        self.llama.eval(list(ids))
        found: Logits = np.array(self.llama.scores[start : len(ids)], dtype=np.float32)
        return found

    def greedy(self, prompts: Sequence[Sequence[int]], tokens: int) -> list[list[int]]:
        return [self._answer(prompt, tokens) for prompt in prompts]

    def _answer(self, prompt: Sequence[int], tokens: int) -> list[int]:
        answer: list[int] = []
        self.llama.reset()
        new = list(prompt)
        while len(answer) < tokens:
            self.llama.eval(new)
            token = int(self.llama.scores[self.llama.n_tokens - 1].argmax())
            if token in self.ends:
                break
            answer.append(token)
            new = [token]
        return answer

    def close(self) -> None:
        self.llama.close()
        self.llama = None
