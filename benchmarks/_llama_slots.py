"""The peer of ``rlft generate``: llama.cpp with as many slots as it is given, as its own server decodes.

One sequence a slot, all of them in one ``llama_decode`` a step; a slot that has ended reads the next prompt
in the same pass in which the others get a token. Sampling is llama.cpp's own: temperature, then a draw from
all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class LlamaSlots:
    """A GGUF in memory."""

    def __init__(self, path: str, threads: int) -> None:
        import llama_cpp

        self._c: Any = llama_cpp
        # Its log goes to stderr, line after line; the reference keeps the callback alive.
        self._quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
        llama_cpp.llama_log_set(self._quiet, None)
        llama_cpp.llama_backend_init()
        settings = llama_cpp.llama_model_default_params()
        settings.n_gpu_layers = 0
        self._model = llama_cpp.llama_model_load_from_file(path.encode(), settings)
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self._threads = threads

    def write(self, prompts: Sequence[Sequence[int]], slots: int, new_tokens: int) -> int:
        """Answer each prompt (token ids) at temperature 0.8; tokens drawn, ends of sequence too."""
        c = self._c
        longest = max(map(len, prompts))
        settings = c.llama_context_default_params()
        settings.n_seq_max = slots
        settings.n_ctx = slots * (-(-(longest + new_tokens) // 256) * 256)
        settings.n_batch = slots * longest
        settings.n_threads = settings.n_threads_batch = self._threads
        context = c.llama_init_from_model(self._model, settings)
        memory = c.llama_get_memory(context)
        sampler = c.llama_sampler_chain_init(c.llama_sampler_chain_default_params())
        c.llama_sampler_chain_add(sampler, c.llama_sampler_init_temp(0.8))
        c.llama_sampler_chain_add(sampler, c.llama_sampler_init_dist(0))
        batch = c.llama_batch_init(settings.n_batch, 0, 1)
        waiting = list(reversed(prompts))
        pending: dict[int, list[int]] = {}
        """Slot → tokens that it reads in the next pass."""
        placed = [0] * slots
        written = [0] * slots
        drawn = 0
        try:
            while waiting or pending:
                for slot in range(slots):
                    if slot not in pending and waiting:
                        c.llama_memory_seq_rm(memory, slot, -1, -1)
                        pending[slot], placed[slot], written[slot] = list(waiting.pop()), 0, 0
                last = self._fill(batch, pending, placed)
                if c.llama_decode(context, batch):
                    raise RuntimeError("llama_decode failed")
                for slot, place in last.items():
                    token = c.llama_sampler_sample(sampler, context, place)
                    drawn += 1
                    written[slot] += 1
                    if written[slot] == new_tokens or c.llama_vocab_is_eog(self._vocabulary, token):
                        del pending[slot]
                    else:
                        pending[slot] = [token]
        finally:
            c.llama_batch_free(batch)
            c.llama_sampler_free(sampler)
            c.llama_free(context)
        return drawn

    @staticmethod
    def _fill(batch: Any, pending: dict[int, list[int]], placed: list[int]) -> dict[int, int]:
        """Put what the slots read into the batch; slot → place of the logits of its next token."""
        at = 0
        last = {}
        for slot, tokens in pending.items():
            for token in tokens:
                batch.token[at], batch.pos[at] = token, placed[slot]
                batch.n_seq_id[at], batch.seq_id[at][0], batch.logits[at] = 1, slot, 0
                placed[slot] += 1
                at += 1
            batch.logits[at - 1] = 1
            last[slot] = at - 1
        batch.n_tokens = at
        return last
